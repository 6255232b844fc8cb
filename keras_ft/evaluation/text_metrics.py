"""How near generated texts come to their references: BLEU, chrF and ROUGE as sacrebleu and rouge-score compute them.

    text_metrics(["我不知道。"], ["我不知道。"])  # {"bleu": 100.0, "chrf": 100.0, "rouge1": 100.0, …}

All are from 0 to 100, as papers print them. BLEU and chrF are of the whole set (their counts are added up over the
texts), ROUGE is the mean over the texts of F1. The reference implementations are loaded when they are first needed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import regex

from keras_ft.errors import RequestError
from keras_ft.evaluation.rouge_words import UNSPACED, RougeWords

ROUGE = ("rouge1", "rouge2", "rougeL")
TEXT_METRICS = ("bleu", "chrf", *ROUGE)
OTHER_UNSPACED = 0.1  # of the characters without spaces; Japanese has more kana than that, Chinese has none
LETTERS = regex.compile(r"\p{L}")
HAN = regex.compile(r"\p{Han}")
WITHOUT_SPACES = regex.compile(rf"(?V1)[[{UNSPACED}]&&\p{{L}}]")


def text_metrics(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """BLEU (Papineni et al. 2002), chrF2 (Popović 2015) and ROUGE-1, -2 and -L (Lin 2004), each from 0 to 100.

    An empty text, or one of spaces alone, scores 0, whatever its reference is. BLEU of a set whose texts have fewer
    than four tokens each is 0 even where they are equal, as sacrebleu defines it.

    Args:
        texts: what was generated.
        references: what was wanted, one for each text.

    Raises:
        RequestError: there are no texts.
        ValueError: the two are not as many.
    """
    check(texts, references)
    rouge = rouge_scores(texts, references)
    return {
        "bleu": bleu(references).corpus_score(texts, [references]).score,
        "chrf": chrf().corpus_score(texts, [references]).score,
        **{name: float(np.mean(values)) for name, values in rouge.items()},
    }


def check(texts: Sequence[str], references: Sequence[str]) -> None:
    """Refuse what nothing can be measured on.

    Raises:
        RequestError: there are no texts.
        ValueError: there is not one reference a text.
    """
    if len(texts) != len(references):
        raise ValueError(f"{len(texts)} texts cannot be compared with {len(references)} references")
    if not len(texts):
        raise RequestError("there are no generated texts to measure; at least one is needed")


def bleu_tokenizer(references: Sequence[str]) -> str:
    """Which of sacrebleu's tokenizers BLEU counts the words of: chosen by the letters of all references together.

    Returns:
        `zh` where most are Chinese, `char` where most are of another script without spaces (Japanese, Thai), or `13a`.
    """
    letters = without_spaces = han = 0
    for text in references:
        letters += len(LETTERS.findall(text))
        without_spaces += len(WITHOUT_SPACES.findall(text))
        han += len(HAN.findall(text))
    if without_spaces <= letters / 2:
        return "13a"
    return "zh" if without_spaces - han <= OTHER_UNSPACED * without_spaces else "char"


def bleu(references: Sequence[str]) -> Any:
    """sacrebleu's BLEU with the tokenizer that these references ask for."""
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=bleu_tokenizer(references), force=True)  # it warns of texts that end in " ." otherwise


def chrf() -> Any:
    """sacrebleu's chrF2."""
    from sacrebleu.metrics import CHRF

    return CHRF()


def sentence_chrf(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """chrF of each text alone, `(texts,)`."""
    metric = chrf()
    pairs = zip(texts, references, strict=True)
    return np.array([metric.sentence_score(text, [reference]).score for text, reference in pairs], np.float64)


def rouge_scores(texts: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """F1 of each text from 0 to 100, `(texts,)`, by name."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE), tokenizer=RougeWords())
    found = [scorer.score(reference, text) for text, reference in zip(texts, references, strict=True)]
    return {name: np.array([100 * scores[name].fmeasure for scores in found], np.float64) for name in ROUGE}
