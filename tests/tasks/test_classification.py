import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.registry import load_task, save_task, task_class

LABELS = ["angry", "bored", "calm"]


def task(labels=LABELS) -> Classification:
    return Classification(labels, "mean", 16)


def test_loss_is_keras_cross_entropy():
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    label = np.array([0, 2, 1, 1, 0], "int32")
    batch = TokenBatch.from_lengths(np.zeros(5, "int32"), np.ones(5, "int32"))
    batch.features["label"] = label
    losses, weights = task().loss({"logits": logits}, batch)
    expected = keras.losses.sparse_categorical_crossentropy(label, logits, from_logits=True)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert float(task().divisor(batch)) == float(tf.reduce_sum(weights)) == 5


def test_answer_lists_labels_best_first_with_their_probabilities():
    answer = task().answer({"logits": tf.constant([[0.0, 3.0, 1.0], [5.0, 0.0, 0.0]])})
    assert answer["label"].numpy().tolist() == [b"bored", b"angry"]
    assert answer["labels"].numpy()[0].tolist() == [b"bored", b"calm", b"angry"]
    np.testing.assert_allclose(tf.reduce_sum(answer["scores"], axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(answer["score"], answer["scores"][:, 0])


@pytest.mark.parametrize(("labels", "top_k", "listed"), [(20, None, 20), (21, None, 5), (21, 7, 7), (3, 9, 3)])
def test_all_labels_are_listed_up_to_twenty_else_five(labels, top_k, listed):
    answer = task([str(i) for i in range(labels)]).answer({"logits": tf.zeros((2, labels))}, top_k)
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
