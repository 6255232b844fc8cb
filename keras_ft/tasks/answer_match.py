"""How well an answer agrees with those that people gave: the official scores of SQuAD 2.0 and CMRC 2018.

    scores("squad", "the Normans!", ["Normans", "Norman people"])  # Match(exact=1.0, f1=1.0)

Rajpurkar et al. 2018, arXiv:1806.03822; Cui et al. 2019, arXiv:1810.07366.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from keras_ft.tasks.span_qa_options import Normalization

ARTICLES = re.compile(r"\b(a|an|the)\b")
CHINESE = re.compile(r"[\u4e00-\u9fa5]")
CMRC_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
WORD = r"[^\W\u4e00-\u9fa5]+"
CMRC_SEGMENT = re.compile(rf"[\u4e00-\u9fa5]|{WORD}(?:[.,]{WORD})*|[^\w\s]")  # 3.5 and 2,000 are one each


class Match(NamedTuple):
    """How well an answer agrees, from 0 to 1 each.

    Attributes:
        exact: 1 where it is the same.
        f1: of what both have in common.
    """

    exact: float
    f1: float


def scores(normalization: Normalization, answer: str, wanted: Sequence[str]) -> Match:
    """The best agreement with any of the wanted answers.

    Args:
        normalization: `squad` or `cmrc`.
        answer: what was given; empty for none.
        wanted: what people gave; none where the question has no answer.
    """
    if normalization == "squad":
        wanted = [text for text in wanted if squad_words(text)]
    found = [_squad(answer, text) if normalization == "squad" else _cmrc(answer, text) for text in wanted or [""]]
    return Match(max(match.exact for match in found), max(match.f1 for match in found))


def squad_words(text: str) -> list[str]:
    """The words in small letters, without punctuation and articles."""
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return ARTICLES.sub(" ", kept).split()


def cmrc_segments(text: str) -> list[str]:
    """Chinese characters one by one and words of other scripts, in small letters, without Chinese punctuation.

    The official script splits other scripts with NLTK; where it parts "can't", this keeps words and signs apart.
    """
    kept = "".join(character for character in text.lower().strip() if character not in CMRC_PUNCTUATION)
    return CMRC_SEGMENT.findall(kept)


def chinese_share(texts: Sequence[str]) -> tuple[int, int]:
    """How many characters of the texts are Chinese, and how many are no white space."""
    return (
        sum(len(CHINESE.findall(text)) for text in texts),
        sum(not character.isspace() for text in texts for character in text),
    )


def _squad(answer: str, wanted: str) -> Match:
    given, words = squad_words(answer), squad_words(wanted)
    exact = float(given == words)
    if not given or not words:
        return Match(exact, exact)
    return Match(exact, _f1((Counter(given) & Counter(words)).total(), len(given), len(words)))


def _cmrc(answer: str, wanted: str) -> Match:
    exact = float(_without_punctuation(answer) == _without_punctuation(wanted))
    given, segments = cmrc_segments(answer), cmrc_segments(wanted)
    if not given or not segments:
        return Match(exact, exact)
    matcher = SequenceMatcher(None, given, segments, autojunk=False)
    common = matcher.find_longest_match().size  # one run, as the official script has it
    return Match(exact, _f1(common, len(given), len(segments)))


def _without_punctuation(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in CMRC_PUNCTUATION)


def _f1(common: int, given: int, wanted: int) -> float:
    return 2 * common / (given + wanted)
