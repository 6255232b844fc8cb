import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from keras_ft.batch import TokenBatch
from keras_ft.data.number_labels import quantile_groups
from keras_ft.data.readers import find_sources
from keras_ft.data.rows import Rows
from keras_ft.data.split import stratified_split
from keras_ft.errors import RequestError
from keras_ft.recipe import Recipe, check_options
from keras_ft.tasks.encode import read_examples
from keras_ft.tasks.pair import Pair
from keras_ft.tasks.registry import check_task, load_task, save_task
from keras_ft.tasks.regression import Regression, TextRegression


def options(**given):
    return check_options("task regression", given, Regression.Options)


def rows_of(*labels: float) -> Rows:
    return Rows({"label": list(labels)}, list(range(1, len(labels) + 1)), "train.jsonl")


def test_mean_and_deviation_are_those_of_the_training_rows():
    made = Regression.from_data([rows_of(1, 2), rows_of(6)], options(), "mean", 16)
    assert (made.mean, made.std) == (3.0, pytest.approx(np.std([1, 2, 6])))
    raw = Regression.from_data([rows_of(1, 2)], options(standardize=False), "mean", 16)
    assert (raw.mean, raw.std) == (0.0, 1.0)
    with pytest.raises(RequestError, match="has the label 2 throughout; at least two different numbers"):
        Regression.from_data([rows_of(2, 2)], options(), "mean", 16)


def test_the_loss_is_the_squared_error_of_the_standardized_label_and_scores_are_in_its_unit():
    made = Regression("mean", 16, mean=100.0, std=20.0)
    batch = TokenBatch.from_lengths(np.zeros(2, "int32"), np.ones(2, "int32"))
    batch.features["label"] = np.array([120.0, 90.0], "float32")
    outputs = {"logits": np.array([[1.5], [-0.5]], "float32")}
    losses, _ = made.loss(outputs, batch)
    np.testing.assert_allclose(losses, [0.25, 0.0], atol=1e-6)
    assert float(made.divisor(batch)) == 2
    np.testing.assert_allclose(made.answer(outputs)["score"], [130, 90])


def test_metrics_are_scipys_and_errors_are_in_the_unit_of_the_data():
    rng = np.random.default_rng(0)
    label = np.round(rng.normal(10, 3, 50))
    score = label + rng.normal(0, 2, 50)
    metrics = Regression("mean", 16).metrics()
    for part in (slice(0, 20), slice(20, None)):
        metrics.update({"score": score[part]}, {"label": label[part]})
    assert metrics.result() == pytest.approx(
        {
            "pearson": pearsonr(label, score).statistic,
            "spearman": spearmanr(label, score).statistic,
            "mse": np.mean((label - score) ** 2),
            "mae": np.mean(np.abs(label - score)),
        }
    )


def test_a_model_that_always_says_the_same_correlates_with_nothing():
    metrics = Regression("mean", 16).metrics()
    metrics.update({"score": np.ones(3)}, {"label": np.arange(3)})
    assert metrics.result() == {
        "pearson": 0.0,
        "spearman": 0.0,
        "mse": pytest.approx(2 / 3),
        "mae": pytest.approx(2 / 3),
    }


@pytest.mark.parametrize("texts", [1, 2])
def test_a_task_of_one_text_or_of_two_is_rebuilt_as_such(tmp_path, texts):
    recipe = Recipe(task={"name": "regression", "texts": texts}, backbone="x", data={"train": "x"})
    kind, given = check_task(recipe)
    made = kind.from_data([rows_of(1, 2)], given, "mean", 16)
    assert made.text_columns == ("text_a", "text_b")[:texts]
    save_task(made, tmp_path)
    again = load_task(tmp_path)
    assert type(again) is type(made) is (TextRegression if texts == 1 else Regression)
    assert again.to_json() == made.to_json()


def read(path, kind=Regression) -> list:
    return [label for rows in read_examples(kind, find_sources(path), {}) for label in kind.strata(rows)]


def test_numbers_of_json_and_of_csv_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text_a": "a", "text_b": "b", "label": 3}\n')
    (tmp_path / "a.csv").write_text("text_a,label\na,-4.5e-1\n")
    assert read(tmp_path / "a.jsonl") == [3.0]
    assert read(tmp_path / "a.csv", TextRegression) == [-0.45]


@pytest.mark.parametrize("label", ["NaN", "Infinity", "true", '"much"', '"4,5"', '"1_0"', "[1]", "1e39"])
def test_what_is_no_finite_number_is_refused_by_line(tmp_path, label):
    good = '{"text_a": "a", "text_b": "b", "label": 1}'
    (tmp_path / "a.jsonl").write_text(f"{good}\n{good.replace('1}', label + '}')}\n")
    with pytest.raises(RequestError, match=r"a\.jsonl line 2: the label is no finite number"):
        read(tmp_path / "a.jsonl")


@pytest.mark.parametrize("kind", [Regression, Pair])
@pytest.mark.parametrize("second", ['"text_b": " "', '"text_b": null', '"sentence2": "b"'])
def test_a_second_text_that_is_missing_is_refused_by_line(tmp_path, kind, second):
    (tmp_path / "a.jsonl").write_text(f'{{"text_a": "a", {second}, "label": 1}}\n')
    with pytest.raises(RequestError, match=r"a\.jsonl line 1 has no 'text_b'"):
        read(tmp_path / "a.jsonl", kind)


def test_small_and_large_labels_are_held_out_in_proportion():
    labels = np.round(np.random.default_rng(0).exponential(2, 1000), 3)
    values, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    groups = quantile_groups(values, counts)
    assert np.bincount(groups[places]) == pytest.approx(np.full(10, 100), abs=10)
    _, held_out = stratified_split(groups[places], 0.1, seed=0)
    tenths = np.quantile(labels, np.linspace(0, 1, 11))
    assert np.histogram(labels[held_out], tenths)[0] == pytest.approx(np.full(10, 10), abs=2)
