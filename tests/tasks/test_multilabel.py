import json

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logit
from sklearn.metrics import accuracy_score, f1_score

from keras_ft.batch import TokenBatch
from keras_ft.data.readers import find_sources
from keras_ft.data.rows import Rows
from keras_ft.data.split import stratified_split
from keras_ft.errors import RequestError
from keras_ft.layers.binary_cross_entropy import binary_cross_entropy
from keras_ft.recipe import check_options
from keras_ft.tasks.encode import read_examples
from keras_ft.tasks.multilabel import Multilabel
from keras_ft.tasks.registry import load_task, rebuild, save_task

LABELS = ["joy", "love", "恐惧"]


def task(labels=LABELS, **settings) -> Multilabel:
    return Multilabel(labels, "mean", 16, **settings)


def options(**given):
    return check_options("task multilabel", given, Multilabel.Options)


def rows_of(*labels) -> Rows:
    count = len(labels)
    return Rows({"text": ["a"] * count, "labels": list(labels)}, list(range(1, count + 1)), "train.jsonl")


def batch_of(present) -> TokenBatch:
    batch = TokenBatch.from_lengths(np.zeros(len(present), "int32"), np.ones(len(present), "int32"))
    batch.features["labels"] = np.array(present, "uint8")
    return batch


def test_labels_are_those_of_the_rows_and_no_label_is_an_answer():
    made = Multilabel.from_data([rows_of(("b", "a"), ()), rows_of(("c",))], options(), "first", 16)
    assert made.labels.names == ["a", "b", "c"]
    assert made.targets(rows_of((), ("c", "a")))["labels"].tolist() == [[0, 0, 0], [1, 0, 1]]
    with pytest.raises(RequestError, match=r"train\.jsonl line 2: the training data have no label 'd'"):
        made.targets(rows_of(("a",), ("d",)))
    with pytest.raises(RequestError, match="no labels; at least one is needed"):
        Multilabel.from_data([rows_of((), ())], options(), "first", 16)


def test_a_new_head_says_of_every_text_what_is_true_of_most():
    """Its scores before training are the labels' shares of the rows, weighted as the loss weighs them."""
    rows = rows_of(("a",), ("a", "b"), ("a",), ())
    made = Multilabel.from_data([rows], options(), "mean", 16)
    assert made.base_rates == [4 / 6, 2 / 6]
    np.testing.assert_allclose(expit(made.first_bias()), made.base_rates)
    assert rebuild({"name": "multilabel", **made.to_json()}).base_rates == made.base_rates
    weighted = Multilabel.from_data([rows], options(class_weight={"b": 2}), "mean", 16)
    np.testing.assert_allclose(expit(weighted.first_bias()), [4 / 6, 1 / 2])  # 2 · 1/3 against 2/3
    assert task().first_bias() is None


def test_balanced_weights_give_a_label_and_its_absence_the_same_share():
    rows = rows_of(("a",), ("a", "b"), ("a",), ())
    made = Multilabel.from_data([rows], options(class_weight="balanced"), "mean", 16)
    np.testing.assert_allclose(made.class_weight, [1 / 3, 3])
    named = Multilabel.from_data([rows], options(class_weight={"b": 7}, thresholds={"a": 0.2}), "mean", 16)
    assert (named.class_weight, named.thresholds) == ([1.0, 7.0], [0.2, 0.5])
    for given in ({"class_weight": {"c": 2}}, {"thresholds": {"c": 0.2}}):
        with pytest.raises(
            RequestError, match=f"task.{next(iter(given))} names 'c', a label that the training data do"
        ):
            Multilabel.from_data([rows], options(**given), "mean", 16)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"thresholds": 1.5}, "thresholds: should be 'auto', a score from 0 to 1, or a mapping of labels to scores"),
        ({"thresholds": True}, "thresholds: should be 'auto'"),
        ({"thresholds": {"joy": -1}}, "thresholds: the threshold of 'joy' should be a score from 0 to 1 (it is -1)"),
        ({"class_weight": {"joy": 0}}, "class_weight: the weight of 'joy' should be a number above 0"),
        ({"separator": ""}, "separator"),
        ({"treshold": 0.5}, "did you mean 'thresholds'?"),
    ],
)
def test_wrong_options_are_named_with_what_would_be_right(given, message):
    with pytest.raises(RequestError) as raised:
        options(**given)
    assert message in str(raised.value)


def test_training_minimizes_what_is_asked_for_and_validation_measures_the_plain_loss():
    logits = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    fancy, batch = task(class_weight=[1.0, 2.0, 3.0], focal_gamma=2.0), batch_of([[1, 0, 1], [0, 0, 0]])
    present = batch.features["labels"]
    losses, weights = fancy.loss({"logits": logits}, batch)
    np.testing.assert_allclose(losses, binary_cross_entropy(logits, present, [1.0, 2.0, 3.0], 2.0))
    plain, _ = fancy.evaluation_loss({"logits": logits}, batch)
    np.testing.assert_allclose(plain, binary_cross_entropy(logits, present))
    assert float(fancy.divisor(batch)) == float(tf.reduce_sum(weights)) == 2


def test_answers_are_ranked_by_score_and_predicted_from_their_own_threshold_on():
    logits = tf.constant([[0.0, 3.0, 1.0], [-5.0, -1.0, -2.0]])
    answer = task(thresholds=[0.4, 0.96, 0.1]).answer({"logits": logits})
    assert [[label.decode() for label in row] for row in answer["labels"].numpy()] == [
        ["love", "恐惧", "joy"],
        ["love", "恐惧", "joy"],
    ]
    np.testing.assert_allclose(answer["scores"], expit([[3.0, 1.0, 0.0], [-1.0, -2.0, -5.0]]), rtol=1e-6)
    assert answer["predicted"].numpy().tolist() == [[False, True, True], [False, True, False]]
    assert task().answer({"logits": logits}, top_k=1)["predicted"].numpy().tolist() == [[True], [False]]


@pytest.mark.parametrize(("labels", "top_k", "listed"), [(20, None, 20), (21, None, 5), (21, 7, 7), (1, 9, 1)])
def test_all_labels_are_listed_up_to_twenty_else_five(labels, top_k, listed):
    answer = task([str(i) for i in range(labels)]).answer({"logits": tf.zeros((2, labels))}, top_k=top_k)
    assert {values.shape for values in answer.values()} == {(2, listed)}


def noisy(count: int = 300, seed: int = 0) -> tuple[dict, dict]:
    """Logits that are too low, each label's by another margin."""
    rng = np.random.default_rng(seed)
    present = rng.random((count, 3)) < [0.5, 0.2, 0.03]
    return {"logits": (rng.normal(0, 1, (count, 3)) + 2 * present - [1, 3, 4]).astype("float32")}, {"labels": present}


@pytest.mark.parametrize("count", [1, 300])
def test_metrics_are_scikit_learns_over_all_examples(count):
    outputs, targets = noisy(count)
    metrics = task(thresholds=[0.3, 0.1, 0.5]).metrics()
    for part in (slice(0, 120), slice(120, None)):
        metrics.update({"logits": outputs["logits"][part]}, {"labels": targets["labels"][part]})
    pair = targets["labels"], expit(outputs["logits"]) >= [0.3, 0.1, 0.5]
    result = metrics.result()
    for average in ("micro", "macro"):
        assert result[f"{average}_f1"] == pytest.approx(f1_score(*pair, average=average, zero_division=0))
    assert result["accuracy"] == pytest.approx(accuracy_score(*pair))
    assert tuple(result) == metrics.names


def test_while_thresholds_are_unknown_the_one_that_is_best_for_all_is_measured_with():
    outputs, targets = noisy(100)
    metrics = task().metrics()
    metrics.update(outputs, targets)
    scores, present = expit(outputs["logits"]), targets["labels"]
    best = max(f1_score(present.ravel(), scores.ravel() >= cut) for cut in np.unique(scores))
    assert metrics.result()["micro_f1"] == pytest.approx(best)
    assert best > f1_score(present, scores >= 0.5, average="micro") + 0.03


def test_calibration_finds_thresholds_that_answers_metrics_and_records_then_use():
    (outputs, targets), told, made = noisy(), [], task()
    assert made.wants_calibration
    found = made.calibrate(outputs, targets, told.append)
    assert not made.wants_calibration
    assert found["own_thresholds"] == 2
    assert made.thresholds[2] == found["threshold"]
    assert found["micro_f1"] > found["micro_f1_at_half"] + 0.05
    assert told[0].startswith("Thresholds: 2 of their own (")
    metrics = made.metrics()
    metrics.update(outputs, targets)
    assert metrics.result()["micro_f1"] == pytest.approx(found["micro_f1"])
    record = made.record(outputs, {}, targets, np.zeros(300))
    answer = made.answer(outputs)
    numbers = {name.encode(): i for i, name in enumerate(LABELS)}
    for row in range(300):
        given = {numbers[label] for label in answer["labels"][row].numpy()[answer["predicted"][row].numpy()]}
        assert given == set(np.flatnonzero(record["predicted"][row]))
    json.dumps(made.to_json())


def test_a_task_is_rebuilt_with_its_separator(tmp_path):
    made = rebuild({"name": "multilabel", **task(thresholds=[0.1, 0.2, 0.3]).to_json(), "separator": "|"})
    save_task(made, tmp_path)
    again = load_task(tmp_path)
    assert again.to_json() == made.to_json()
    assert again.read_row({"text": "a", "labels": " joy | 恐惧"}, "x")["labels"] == ("joy", "恐惧")
    assert task().separator == ","


def read(path, separator: str = ",", **named) -> list[tuple[str, ...]]:
    kind = Multilabel.variant({"separator": separator})
    return [names for rows in read_examples(kind, find_sources(path), {}, **named) for names in kind.strata(rows)]


def test_lists_and_strings_of_labels_are_read(tmp_path):
    lines = [
        '{"text": "a", "labels": ["love", "joy", "joy"]}',
        '{"text": "b", "labels": []}',
        '{"text": "c", "labels": [3]}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert read(tmp_path / "a.jsonl") == [("joy", "love"), (), ("3",)]
    (tmp_path / "a.tsv").write_text('text\tlabels\na\tlove, joy\nb\t\nc\t["恐,惧"]\n', encoding="utf-8")
    assert read(tmp_path / "a.tsv") == [("joy", "love"), (), ("恐,惧",)]
    (tmp_path / "a.csv").write_text('text,labels\na,"x, y|z"\n')
    assert read(tmp_path / "a.csv", "|") == [("x, y", "z")]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("5", r"line 2: the labels are no list \(5, a int\)"),
        ('{"joy": 1}', r"line 2: the labels are no list .*a dict\)"),
        ('[["joy"]]', r"line 2: the label is \['joy'\] \(a list\)"),
        ('["joy", null]', "line 2: the label is missing"),
        ('["joy", ""]', "line 2: a label is an empty string"),
        ('"[joy"', r"line 2: the labels begin with \[ but are no JSON"),
        ("null", "line 2 has no 'labels'"),
    ],
)
def test_rows_with_malformed_labels_are_refused_by_line_and_can_be_skipped(tmp_path, labels, message):
    good = '{"text": "a", "labels": ["joy"]}'
    (tmp_path / "a.jsonl").write_text(f'{good}\n{{"text": "b", "labels": {labels}}}\n{good}\n')
    with pytest.raises(RequestError, match=message):
        read(tmp_path / "a.jsonl")
    skipped = []
    assert read(tmp_path / "a.jsonl", refuse=skipped.append) == [("joy",), ("joy",)]
    assert len(skipped) == 1


def test_a_file_without_the_column_is_refused_though_its_values_may_be_empty(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,joy\n")
    with pytest.raises(RequestError, match="line 2 has no 'labels'.*did you mean 'label'"):
        read(tmp_path / "a.csv")


def test_each_label_is_held_out_in_proportion_though_no_two_rows_have_the_same():
    rng = np.random.default_rng(0)
    shares = rng.random((1000, 20)) < np.linspace(0.02, 0.5, 20)
    answers = [tuple(f"l{i:02}" for i in np.flatnonzero(row)) for row in shares]
    strata = list(dict.fromkeys(answers))
    assert len(strata) > 900
    counts = np.array([answers.count(stratum) for stratum in strata])
    groups = dict(zip(strata, Multilabel.groups(strata, counts).tolist(), strict=True))
    _, held_out = stratified_split([groups[answer] for answer in answers], 0.2, seed=0)
    assert len(held_out) == 200
    for i in range(3):  # the rare ones, whose numbers chance would let vary by a half
        assert shares[held_out, i].sum() == pytest.approx(0.2 * shares[:, i].sum(), abs=2.5)


def test_a_threshold_is_between_scores_so_that_no_label_is_tipped():
    scores = np.array([[0.2], [0.21], [0.6], [0.61]] * 25, "float32")
    made = task(["a"])
    made.calibrate({"logits": logit(scores).astype("float32")}, {"labels": scores > 0.5}, lambda line: None)
    assert made.thresholds[0] == pytest.approx(0.405, abs=1e-3)
