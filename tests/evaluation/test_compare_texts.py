"""Two runs' generated texts against each other."""

import numpy as np
import pytest

from keras_ft.evaluation.comparison.compare import compare
from keras_ft.evaluation.comparison.texts import TextScores, comparable, text_differences
from keras_ft.evaluation.text_metrics import text_metrics
from keras_ft.evaluation.texts import GeneratedText, write_texts
from tests.planted import planted_run, predictions

REFERENCES = [f"我们{i}点在第{i % 7}个路口见面吧" for i in range(60)]


def generated(share: float, seed: int = 0, references=REFERENCES) -> list[GeneratedText]:
    """Texts of which about this share of characters is right."""
    random = np.random.default_rng(seed)
    texts = ["".join(c if random.random() < share else "错" for c in text) for text in references]
    pairs = zip(texts, references, strict=True)
    return [GeneratedText(i, "src", reference, text, 5, -1.0, True) for i, (text, reference) in enumerate(pairs)]


@pytest.mark.parametrize("references", [REFERENCES, ["the cat sat on the mat", "a dog, too", "so?"]])
def test_weighted_metrics_are_those_of_the_repeated_texts(references):
    texts = [record.text for record in generated(0.8, references=references)]
    weights = np.random.default_rng(1).integers(0, 3, (3, len(references))) + np.eye(3, len(references), dtype=int)
    scores = TextScores(references)
    found = scores.weighted_metrics(scores.columns(texts), weights)
    for r in range(3):
        repeated = np.repeat(np.arange(len(references)), weights[r])
        expected = text_metrics([texts[i] for i in repeated], [references[i] for i in repeated])
        assert {name: values[r] for name, values in found.items()} == pytest.approx(expected)


def test_much_better_texts_are_significantly_better_and_equal_ones_are_equal():
    worse, better = generated(0.5), generated(0.8)
    for found in text_differences(worse, better):
        assert found.significant
        assert 0 < found.low < found.difference < found.high
    assert all(found.p_value == 1 and found.difference == 0 for found in text_differences(worse, worse))


def test_texts_of_other_rows_or_without_references_are_not_compared():
    texts = generated(0.5)
    assert comparable(texts, generated(0.9))
    assert not comparable(texts, texts[:-1])
    assert not comparable(texts, generated(0.5, references=REFERENCES[::-1]))
    assert not comparable([], [])
    blank = generated(0.5, references=[" "] * 4)
    assert not comparable(blank, blank)


def test_compare_says_which_runs_texts_are_better(tmp_path):
    for name, share in (("worse", 0.5), ("better", 0.8), ("silent", None)):
        planted_run(tmp_path / name, predictions("ab", [0, 1], [0, 1]))
        if share is not None:
            write_texts(tmp_path / name / "predictions" / "test_texts.jsonl", generated(share))
    lines = compare([tmp_path / "worse", tmp_path / "better", tmp_path / "silent"]).verdicts()
    for name in ("bleu", "chrf", "rouge1", "rouge2", "rougeL"):
        assert sum(line.startswith(f"better is significantly better than worse in {name} (+") for line in lines) == 1
    assert not any("silent" in line and "bleu" in line for line in lines)
