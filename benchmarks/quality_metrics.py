"""What `quality.py` scores: the same functions on the answers of both sides, in points from 0 to 100."""

import re
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from quality_data import OUT_OF_SCOPE, Row
from scipy.stats import pearsonr, spearmanr
from seqeval.metrics import f1_score as entity_f1
from seqeval.metrics import precision_score as entity_precision
from seqeval.metrics import recall_score as entity_recall
from sklearn.metrics import accuracy_score, f1_score

Scores = dict[str, float]


def score(name: str, rows: list[Row], answers: list[Any]) -> Scores:
    """The metrics of a set.

    Args:
        name: of the set.
        rows: of its test.
        answers: one a row: a label, a list of labels (goemotions), BIO tags (conll2003), a number (stsb), or the text
            of an answer, "" for none (squad).
    """
    if len(rows) != len(answers):
        raise ValueError(f"{name}: {len(answers)} answers to {len(rows)} rows")
    return {metric: 100 * float(value) for metric, value in SCORERS[name](rows, answers).items()}


def score_intents(rows: list[Row], answers: list[str]) -> Scores:
    """Accuracy over all rows, in scope and out of it, and the part of those out of scope that are found."""
    gold = [row["label"] for row in rows]
    outside = [answer for label, answer in zip(gold, answers, strict=True) if label == OUT_OF_SCOPE]
    inside = [label == answer for label, answer in zip(gold, answers, strict=True) if label != OUT_OF_SCOPE]
    return {
        "accuracy": accuracy_score(gold, answers),
        "oos_recall": np.mean([answer == OUT_OF_SCOPE for answer in outside]),
        "in_scope_accuracy": np.mean(inside),
    }


def score_emotions(rows: list[Row], answers: list[list[str]]) -> Scores:
    """Micro and macro F1 over the labels."""
    right = [row["labels"] for row in rows]
    names = sorted({label for labels in (*right, *answers) for label in labels})
    gold, found = _indicators(right, names), _indicators(answers, names)
    return {kind + "_f1": f1_score(gold, found, average=kind, zero_division=0) for kind in ("micro", "macro")}


def score_entities(rows: list[Row], answers: list[list[str]]) -> Scores:
    """Precision, recall and F1 of whole entities, as conlleval counts them."""
    gold = [row["tags"] for row in rows]
    measures = {"precision": entity_precision, "recall": entity_recall, "f1": entity_f1}
    return {name: measure(gold, answers) for name, measure in measures.items()}


def score_similarity(rows: list[Row], answers: list[float]) -> Scores:
    """Spearman's and Pearson's correlation."""
    gold = [row["label"] for row in rows]
    return {"spearman": spearmanr(gold, answers).statistic, "pearson": pearsonr(gold, answers).statistic}


def score_paraphrases(rows: list[Row], answers: list[str]) -> Scores:
    """Accuracy, and F1 of the paraphrases."""
    gold = [str(row["label"]) for row in rows]
    return {"accuracy": accuracy_score(gold, answers), "f1": f1_score(gold, answers, pos_label="1")}


def score_relations(rows: list[Row], answers: list[str]) -> Scores:
    """Macro F1 over the nine relations but Other, both directions of one taken together.

    The task's own scorer (Hendrickx et al. 2010, "(9+1)-way evaluation taking directionality into account"): a relation
    in the wrong direction is neither found nor rightly claimed.
    """
    gold = [row["label"] for row in rows]
    right = Counter(_relation(label) for label, answer in zip(gold, answers, strict=True) if label == answer)
    claimed, there = Counter(map(_relation, answers)), Counter(map(_relation, gold))
    relations = sorted(there.keys() - {"Other"})
    f1 = [2 * right[name] / (claimed[name] + there[name]) for name in relations]
    return {"macro_f1": np.mean(f1), "accuracy": accuracy_score(gold, answers)}


def score_answers(rows: list[Row], answers: list[str]) -> Scores:
    """Exact match and F1 over words as SQuAD's own scorer has them, and how often "no answer" is right.

    Rajpurkar et al. 2018, arXiv:1806.03822; Rajpurkar et al. 2016, arXiv:1606.05250, section 6.
    """
    golds = [[answer["text"] for answer in row["answers"]] for row in rows]
    exact, f1 = zip(*(answer_score(gold, answer) for gold, answer in zip(golds, answers, strict=True)), strict=True)
    without = [answer == "" for gold, answer in zip(golds, answers, strict=True) if not gold]
    return {"exact_match": np.mean(exact), "f1": np.mean(f1), "no_answer_accuracy": np.mean(without)}


def answer_score(golds: list[str], answer: str) -> tuple[float, float]:
    """Exact match and F1 with the gold answer that is nearest; none is an answer too."""
    golds = [gold for gold in golds if _words(gold)] or [""]
    exact = max(float(_words(gold) == _words(answer)) for gold in golds)
    return exact, max(_word_f1(_words(gold), _words(answer)) for gold in golds)


def _word_f1(gold: list[str], answer: list[str]) -> float:
    if not gold or not answer:
        return float(gold == answer)
    common = sum((Counter(gold) & Counter(answer)).values())
    return 2 * common / (len(gold) + len(answer))


def _words(text: str) -> list[str]:
    """Lower case, without punctuation and articles."""
    text = "".join(char for char in text.lower() if char not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def _relation(label: str) -> str:
    return label.partition("(")[0]


def _indicators(lists: list[list[str]], names: list[str]) -> np.ndarray:
    """`(rows, labels)`: whether a row has a label."""
    return np.array([[name in labels for name in names] for labels in lists], dtype=int)


SCORERS: dict[str, Callable[[list[Row], list[Any]], Scores]] = {
    "clinc150": score_intents,
    "goemotions": score_emotions,
    "conll2003": score_entities,
    "conll2003_crf": score_entities,
    "stsb": score_similarity,
    "mrpc": score_paraphrases,
    "semeval": score_relations,
    "squad": score_answers,
}
