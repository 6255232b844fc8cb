import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.layers.cross_entropy import cross_entropy
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.registry import load_task, save_task, task_class

LABELS = ["angry", "bored", "calm"]


def task(labels=LABELS, **settings) -> Classification:
    return Classification(labels, "mean", 16, **settings)


def labelled(label: list[int]) -> TokenBatch:
    batch = TokenBatch.from_lengths(np.zeros(len(label), "int32"), np.ones(len(label), "int32"))
    batch.features["label"] = np.array(label, "int32")
    return batch


def validation(count: int = 200, wrong: int = 20) -> tuple[dict, dict]:
    """Outputs and targets of a model that is surer than it should be; the surest are right."""
    label = np.arange(count) % 3
    logits = np.linspace(2, 9, count)[:, None] * np.eye(3)[label]
    label[:wrong] = (label[:wrong] + 1) % 3
    return {"logits": logits.astype("float32")}, {"label": label.astype("int32")}


def test_loss_is_keras_cross_entropy():
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    batch = labelled([0, 2, 1, 1, 0])
    losses, weights = task().loss({"logits": logits}, batch)
    expected = keras.losses.sparse_categorical_crossentropy(batch.features["label"], logits, from_logits=True)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert float(task().divisor(batch)) == float(tf.reduce_sum(weights)) == 5


def test_examples_weigh_what_their_label_weighs_and_the_divisor_is_their_sum():
    weighted = task(class_weight=[0.5, 1.0, 4.0])
    batch = labelled([0, 2, 1, 1, 0])
    _, weights = weighted.loss({"logits": np.zeros((5, 3), "float32")}, batch)
    assert np.array(weights).tolist() == [0.5, 4.0, 1.0, 1.0, 0.5]
    assert float(weighted.divisor(batch)) == 7


def test_the_loss_of_validation_is_plain_whatever_training_minimizes():
    logits = np.random.default_rng(0).normal(size=(3, 3)).astype("float32")
    fancy = task(class_weight=[0.5, 1.0, 4.0], label_smoothing=0.1, focal_gamma=2.0, temperature=2.0)
    batch = labelled([0, 1, 2])
    losses, weights = fancy.evaluation_loss({"logits": logits}, batch)
    np.testing.assert_allclose(losses, cross_entropy(logits / 2, batch.features["label"]), rtol=1e-6)
    assert np.array(weights).tolist() == [1, 1, 1]
    smoothed, _ = fancy.loss({"logits": logits}, batch)
    np.testing.assert_allclose(smoothed, cross_entropy(logits, batch.features["label"], 0.1, 2.0), rtol=1e-6)


def test_a_temperature_changes_scores_and_no_rank_not_even_between_near_ties():
    near = np.nextafter(np.float32(3), np.float32(4))  # rounding makes it 3 again once it is divided
    logits = tf.constant([[0.0, 3.0, near], [5.0, 0.0, -1.0]])
    cold, hot = task().answer({"logits": logits}), task(temperature=3.7).answer({"logits": logits})
    assert hot["label"].numpy().tolist() == [b"calm", b"angry"]
    assert hot["labels"].numpy().tolist() == cold["labels"].numpy().tolist()
    expected = np.sort(tf.nn.softmax(logits / 3.7).numpy(), axis=-1)[:, ::-1]
    np.testing.assert_allclose(hot["scores"], expected, rtol=1e-6)


def test_below_the_threshold_the_label_is_empty_and_all_else_stays():
    logits = {"logits": tf.constant([[0.0, 3.0, 1.0], [1.0, 0.9, 0.8]])}
    plain, shy = task().answer(logits), task(abstain=0.5).answer(logits)
    assert shy["label"].numpy().tolist() == [b"bored", b""]
    for name in ("score", "labels", "scores"):
        np.testing.assert_array_equal(shy[name], plain[name])


def test_calibration_finds_a_temperature_and_then_a_threshold_on_its_scores():
    made, told = task(temperature="auto", abstain={"accuracy": 0.98}), []
    outputs, targets = validation()
    assert made.wants_calibration
    before = made.answer(outputs)
    found = made.calibrate(outputs, targets, told.append)
    assert not made.wants_calibration
    assert found["temperature"] == made.temperature > 1.2
    assert found["loss"] < found["loss_uncalibrated"]
    answer = made.answer(outputs)
    assert answer["labels"].numpy().tolist() == before["labels"].numpy().tolist()
    answered = answer["label"].numpy() != b""
    right = np.argmax(outputs["logits"], -1) == targets["label"]
    assert right[answered].mean() == found["answered_accuracy"] >= 0.98
    assert answered.mean() == found["coverage"] < 1
    assert Classification(**made.to_json()).to_json() == made.to_json()
    assert [line.split()[0] for line in told] == ["Temperature", "Abstaining"]


@pytest.mark.parametrize("wanted", [0.9, 0.99])
def test_a_very_confident_model_is_answered_as_calibration_says(wanted):
    rng = np.random.default_rng(0)
    gap = rng.uniform(10, 30, 2000)  # above about 17, the score is 1 in float32
    outputs = {"logits": np.stack([gap, 0 * gap, 0 * gap], axis=1).astype("float32")}
    wrong = rng.random(2000) < np.where(gap > 20, 0.005, 0.3)
    made = task(abstain={"accuracy": wanted})
    found = made.calibrate(outputs, {"label": wrong.astype("int32")}, lambda line: None)
    answered = made.answer(outputs)["label"].numpy() != b""
    assert answered.mean() == found["coverage"] < 1
    assert (~wrong)[answered].mean() == found["answered_accuracy"]


@pytest.mark.parametrize(("sample", "why"), [((60, 6), "60 validation examples are too few"), ((200, 0), "is wrong")])
def test_where_validation_tells_nothing_the_temperature_stays_one(sample, why):
    made, told = task(temperature="auto"), []
    assert made.calibrate(*validation(*sample), told.append)["temperature"] == made.temperature == 1.0
    assert why in told[0]


def test_an_accuracy_that_no_threshold_reaches_is_told_with_what_was_reached():
    made, told = task(abstain={"accuracy": 0.9}), []
    outputs, targets = validation()
    found = made.calibrate(outputs, {"label": (targets["label"] + 1) % 3}, told.append)
    assert "an accuracy of 90.0% is not reached" in told[0]
    assert f"{found['answered_accuracy']:.1%} of them right" in told[0]


def test_settings_given_as_numbers_need_no_calibration():
    assert not task(temperature=1.5, abstain=0.7).wants_calibration


def test_what_an_earlier_version_wrote_answers_as_it_did(tmp_path):
    text = '{"name": "classification", "labels": ["no", "yes"], "pooling": "mean", "max_length": 16}'
    (tmp_path / "task.json").write_text(text)
    old = load_task(tmp_path)
    logits = np.array([[1.0, 2.0]], "float32")
    np.testing.assert_allclose(old.answer({"logits": logits})["scores"][0], tf.nn.softmax(logits[0, ::-1]), rtol=1e-6)
    assert not old.wants_calibration


def test_answer_lists_labels_best_first_with_their_probabilities():
    answer = task().answer({"logits": tf.constant([[0.0, 3.0, 1.0], [5.0, 0.0, 0.0]])})
    assert answer["label"].numpy().tolist() == [b"bored", b"angry"]
    assert answer["labels"].numpy()[0].tolist() == [b"bored", b"calm", b"angry"]
    np.testing.assert_allclose(tf.reduce_sum(answer["scores"], axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(answer["score"], answer["scores"][:, 0])


@pytest.mark.parametrize(("labels", "top_k", "listed"), [(20, None, 20), (21, None, 5), (21, 7, 7), (3, 9, 3)])
def test_all_labels_are_listed_up_to_twenty_else_five(labels, top_k, listed):
    answer = task([str(i) for i in range(labels)]).answer({"logits": tf.zeros((2, labels))}, top_k=top_k)
    assert answer["labels"].shape == (2, listed)


def answers(best: list[bytes]) -> dict[str, np.ndarray]:
    return {"label": np.array(best), "labels": np.array(best)[:, None]}


def test_metrics_are_over_all_examples_not_a_mean_of_batches():
    metrics = task().metrics()
    metrics.update(answers([b"angry", b"bored", b"calm"]), {"label": np.array([0, 1, 1])})
    metrics.update(answers([b"angry"]), {"label": np.array([0])})
    result = metrics.result()
    assert result["accuracy"] == result["micro_f1"] == 0.75
    assert set(result) == set(metrics.names)


def test_an_abstaining_model_is_also_measured_on_what_it_answers():
    metrics = task(abstain=0.5).metrics()
    found = answers([b"angry", b"bored", b"calm", b"angry"]) | {"label": np.array([b"angry", b"", b"calm", b""])}
    metrics.update(found, {"label": np.array([0, 1, 1, 1])})
    result = metrics.result()
    assert (result["accuracy"], result["coverage"], result["answered_accuracy"]) == (0.5, 0.5, 0.5)
    assert set(result) == set(metrics.names)
    silent = task(abstain=1.0).metrics()
    silent.update(found | {"label": np.array([b""] * 4)}, {"label": np.array([0, 1, 1, 1])})
    assert silent.result()["coverage"] == silent.result()["answered_accuracy"] == 0


def test_labels_are_discovered_and_a_new_one_later_is_refused_with_its_line(tmp_path):
    train = Rows({"text": ["a", "b"], "label": ["yes", "no"]}, [1, 2], "train.jsonl")
    made = Classification.from_data([train], Classification.Options(), "first", 16)
    assert made.labels.names == ["no", "yes"]
    with pytest.raises(RequestError, match=r"test.jsonl line 9.*'maybe'"):
        made.targets(Rows({"text": ["c"], "label": ["maybe"]}, [9], "test.jsonl"))


def test_a_task_is_rebuilt_from_its_json(tmp_path):
    save_task(task(["好", "坏"]), tmp_path)
    again = load_task(tmp_path)
    assert again.to_json() == task(["好", "坏"]).to_json()


@pytest.mark.parametrize("text", ["{", '{"name": "classification"}', '{"name": "juggling"}', "[]"])
def test_a_damaged_task_file_is_named(tmp_path, text):
    (tmp_path / "task.json").write_text(text)
    with pytest.raises(RequestError):
        load_task(tmp_path)


def test_an_unknown_task_suggests_the_nearest():
    with pytest.raises(RequestError, match="did you mean 'classification'"):
        task_class("clasification")


def test_balanced_weights_come_from_the_training_rows():
    rows = Rows({"text": ["a"] * 4, "label": ["yes", "no", "yes", "yes"]}, [1, 2, 3, 4], "train.jsonl")
    made = Classification.from_data([rows], Classification.Options(class_weight="balanced"), "mean", 16)
    np.testing.assert_allclose(made.class_weight, [2, 2 / 3])


def test_abstaining_is_refused_where_a_label_is_the_empty_string():
    rows = Rows({"text": ["a", "b"], "label": ["", "no"]}, [1, 2], "train.jsonl")
    with pytest.raises(RequestError, match="abstain leaves 'label' empty"):
        Classification.from_data([rows], Classification.Options(abstain=0.5), "mean", 16)
