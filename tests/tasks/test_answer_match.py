"""The scores of SQuAD and CMRC against their definitions, written again from the papers' scripts."""

import re
import string
from collections import Counter

import pytest

from keras_ft.tasks.answer_match import chinese_share, cmrc_segments, scores


def squad(answer: str, wanted: list[str]) -> tuple[float, float]:
    """SQuAD 2.0: normalize, then compare strings, and bags of words."""

    def normal(text: str) -> str:
        text = "".join(c for c in text.lower() if c not in set(string.punctuation))
        return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text).split())

    def f1(gold: str) -> float:
        gold_words, words = normal(gold).split(), normal(answer).split()
        common = sum((Counter(gold_words) & Counter(words)).values())
        if not gold_words or not words:
            return float(gold_words == words)
        if not common:
            return 0.0
        precision, recall = common / len(words), common / len(gold_words)
        return 2 * precision * recall / (precision + recall)

    golds = [gold for gold in wanted if normal(gold)] or [""]
    return max(float(normal(gold) == normal(answer)) for gold in golds), max(map(f1, golds))


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("The Normans!", ["Normans"]),
        ("the Normans and the Franks", ["Normans", "Norman people", "the Franks"]),
        ("in 1066", ["1066", "the year 1066"]),
        ("", []),
        ("", ["something"]),
        ("something", []),
        ("the", []),  # nothing is left of it
        ("x", ["the"]),
        ("state-of-the-art", ["state of the art", "stateoftheart"]),
        ("An  apple\ta day", ["apple day"]),
        ("b b a c", ["c b b b"]),
        ("’tis “quoted”", ["tis quoted", "’tis “quoted”"]),
    ],
)
def test_squad_scores_are_those_of_the_official_definition(answer, wanted):
    assert scores("squad", answer, wanted) == pytest.approx(squad(answer, wanted))


@pytest.mark.parametrize(
    ("answer", "wanted", "exact", "f1"),
    [
        ("光荣和ω-force", ["光荣和ω-force"], 1, 1),
        ("《战国无双3》", ["战国无双3"], 1, 1),  # Chinese punctuation does not count
        ("战国无双", ["战国无双3"], 0, 8 / 9),  # four of five segments
        ("一二三四五", ["一二九四五"], 0, 4 / 10),  # one run of two, not four single characters
        ("北京", ["上海", "北京市"], 0, 4 / 5),  # the best of several
        ("Windows XP系统", ["windows xp"], 0, 4 / 6),  # words, in small letters
        ("3.5米", ["3.5"], 0, 2 / 3),
        ("", ["北京"], 0, 0),
        ("北京", [], 0, 0),
        ("", [], 1, 1),
        ("，", ["。"], 1, 1),
    ],
)
def test_cmrc_scores_count_the_longest_run_of_characters(answer, wanted, exact, f1):
    assert scores("cmrc", answer, wanted) == pytest.approx((exact, f1))


def test_cmrc_segments_are_characters_and_words():
    assert cmrc_segments(" 在2008年，Michael Jackson的“Thriller”卖出了3,000万张 ") == (
        ["在", "2008", "年", "michael", "jackson", "的", "thriller", "卖", "出", "了", "3,000", "万", "张"]
    )


def test_the_share_of_chinese_leaves_white_space_out():
    assert chinese_share(["北京 is", "3"]) == (2, 5)
