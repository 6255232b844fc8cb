"""Resampled metrics of vectors against the task's own on the repeated examples, and what a report shows."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from keras_ft.evaluation.embedding import EmbeddingView
from keras_ft.evaluation.report.page import page
from keras_ft.tasks.embedding_metrics import rank_metrics

RNG = np.random.default_rng(0)
COLUMNS = {
    "similarity": {
        "label": RNG.integers(0, 6, 50).astype("float32"),
        "similarity": RNG.random(50).astype("float32"),
        "loss": RNG.random(50),
    },
    "retrieval": {
        "rank": RNG.integers(1, 30, 50),
        "similarity": RNG.random(50),
        "negative_similarity": RNG.random(50),
        "loss": RNG.random(50),
    },
    "uniformity": {"crowding": RNG.random(50) + 0.01, "loss": np.zeros(50)},
}


def view(measure: str) -> EmbeddingView:
    return EmbeddingView(
        {"name": "embedding", "measure": measure, "kind": "triplets" if measure == "retrieval" else ""}
    )


def test_weighted_metrics_are_those_of_the_repeated_examples():
    weights = RNG.integers(0, 3, (3, 50))
    found = {measure: view(measure).weighted_metrics(columns, weights) for measure, columns in COLUMNS.items()}
    for r in range(3):
        repeated = {
            measure: {name: np.repeat(values, weights[r]) for name, values in columns.items()}
            for measure, columns in COLUMNS.items()
        }
        scored, ranked = repeated["similarity"], repeated["retrieval"]
        assert found["similarity"]["spearman"][r] == pytest.approx(
            spearmanr(scored["label"], scored["similarity"]).statistic
        )
        for name, value in rank_metrics(ranked["rank"]).items():
            assert found["retrieval"][name][r] == pytest.approx(value)
        nearer = np.mean(ranked["similarity"] > ranked["negative_similarity"])
        assert found["retrieval"]["triplet_accuracy"][r] == pytest.approx(nearer)
        assert found["uniformity"]["uniformity"][r] == pytest.approx(np.log(repeated["uniformity"]["crowding"].mean()))


@pytest.mark.parametrize("measure", COLUMNS)
def test_a_report_shows_what_is_measured_and_the_farthest_first(measure):
    shown, columns = view(measure), COLUMNS[measure]
    html = page("vectors", shown.sections(columns))
    assert "<svg" in html
    by = {"similarity": "loss", "retrieval": "rank", "uniformity": "crowding"}[measure]
    rows = shown.mistakes(columns, 50)
    assert rows[0] == np.argmax(columns[by])
    assert (np.diff(columns[by][rows]) <= 0).all()
    assert 1 not in columns.get("rank", np.zeros(50))[rows]
    assert shown.describe_mistake(columns, 0)
    assert set(shown.target_columns) <= set(shown.metric_columns) <= set(columns)
