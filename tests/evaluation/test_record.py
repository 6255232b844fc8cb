"""What a run leaves of its predictions."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.readers import find_sources
from keras_ft.errors import RequestError
from keras_ft.evaluation.evaluate_run import evaluate_run
from keras_ft.evaluation.origin import Origin
from keras_ft.evaluation.predict import predict
from keras_ft.evaluation.predictions import Predictions
from keras_ft.evaluation.record import CHARACTERS, worst_mistakes
from keras_ft.recipe import DataSection
from keras_ft.tasks.registry import load_task
from tests.tiny import sentiment_rows, write_jsonl


def test_predictions_are_those_of_predict_in_the_order_of_the_rows(tiny_run):
    found = Predictions.read(tiny_run / "predictions" / "test.npz")
    rows = sentiment_rows(12)
    answers = list(predict(tiny_run, [], tiny_run.parent / "test.jsonl"))
    labels = found.task["labels"]
    assert found.columns["row"].tolist() == list(range(12))
    assert [labels[i] for i in found.columns["label"]] == [row["label"] for row in rows]
    assert [labels[i] for i in found.columns["predicted"]] == [answer["label"] for answer in answers]
    assert found.columns["score"] == pytest.approx([answer["score"] for answer in answers], abs=1e-5)
    assert found.columns["loss"] == pytest.approx(-np.log(found.columns["label_score"]), abs=1e-4)
    texts = [len(row["text"].replace(" ", "")) + 2 for row in rows]
    assert all(3 <= tokens <= most for tokens, most in zip(found.columns["tokens"], texts, strict=True))


def test_metrics_are_those_of_the_predictions(tiny_run):
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    for split in ("validation", "test"):
        columns = Predictions.read(tiny_run / "predictions" / f"{split}.npz").columns
        pair = columns["label"], columns["predicted"]
        assert metrics[split]["accuracy"] == accuracy_score(*pair)
        assert metrics[split]["macro_f1"] == f1_score(*pair, average="macro")
        assert metrics[split]["loss"] == pytest.approx(columns["loss"].mean(), rel=1e-5)


def test_texts_of_validation_are_those_of_its_rows_though_it_is_a_part_of_train(tiny_run):
    found = Predictions.read(tiny_run / "predictions" / "validation.npz")
    rows = np.load(tiny_run / "data" / "validation_rows.npy")
    origin = origin_of(tiny_run.parent / "train.jsonl", tiny_run, 48, rows=rows)
    label_of = {row["text"]: row["label"] for row in sentiment_rows()}
    texts = origin.texts(load_task(tiny_run / "model"), list(range(len(found)))[::-1])
    assert len(texts) == 12
    expected = [found.task["labels"][i] for i in found.columns["label"]][::-1]
    assert [label_of[text["text"]] for text in texts] == expected
    assert found.digest == origin.digest
    assert found.source == "12 rows of train.jsonl"


def origin_of(path, folder, count: int, columns=None, rows=None) -> Origin:
    """Rows of a file; what their tokens are does not matter."""
    tokens = {"ids": np.zeros(count, np.int32), "lengths": np.ones(count, np.int64)}
    arrays = write_arrays(folder / f"arrays-{path.name}", "f", lambda _: [tokens])
    data = DataSection(train=[str(path)], columns=columns or {})
    return Origin.of(find_sources(path), data, arrays if rows is None else arrays.select(rows))


def planted_mistake(tiny_run) -> tuple[Predictions, np.ndarray]:
    found = Predictions.read(tiny_run / "predictions" / "test.npz")
    predicted = found.columns["label"].copy()
    predicted[[7, 3]] = 1 - predicted[[7, 3]]
    loss = np.zeros(12, np.float32)
    loss[7], loss[3] = 5, 9
    return Predictions(found.task, "", "", {**found.columns, "predicted": predicted, "loss": loss}), predicted


def test_worst_mistakes_come_with_the_texts_of_their_rows(tiny_run, tmp_path):
    task = load_task(tiny_run / "model")
    rows = sentiment_rows(12)
    rows[7]["text"] = "电" * 5000
    origin = origin_of(write_jsonl(tmp_path / "test.jsonl", rows), tmp_path, 12)
    found = worst_mistakes(task, origin, planted_mistake(tiny_run)[0], print)
    assert [mistake["row"] for mistake in found] == [3, 7]
    assert found[0]["texts"] == {"text": rows[3]["text"]}
    assert len(found[1]["texts"]["text"]) < CHARACTERS + 30
    assert "5,000 characters" in found[1]["texts"]["text"]


def test_a_run_is_not_lost_when_its_data_are_gone_at_the_end(tiny_run, tmp_path):
    task, told = load_task(tiny_run / "model"), []
    path = write_jsonl(tmp_path / "test.jsonl", sentiment_rows(12))
    origin = origin_of(path, tmp_path, 12)
    path.unlink()
    assert worst_mistakes(task, origin, planted_mistake(tiny_run)[0], told.append) == []
    assert "test.jsonl" in told[0]


def test_the_digest_changes_with_contents_columns_and_rows_but_not_with_the_name(tmp_path):
    one, same = (write_jsonl(tmp_path / f"{name}.jsonl", sentiment_rows(12)) for name in ("one", "same"))
    other = write_jsonl(tmp_path / "other.jsonl", sentiment_rows(13))
    digest = origin_of(one, tmp_path, 12).digest
    assert digest == origin_of(same, tmp_path, 12, {"text": "text"}).digest
    assert digest != origin_of(other, tmp_path, 13).digest
    assert digest != origin_of(one, tmp_path, 12, {"text": "label"}).digest
    assert digest != origin_of(one, tmp_path, 12, rows=np.array([3, 4])).digest


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"x" * 50), lambda path: path.unlink()])
def test_a_damaged_or_missing_file_is_named(tmp_path, spoil):
    path = tmp_path / "test.npz"
    Predictions({"name": "classification"}, "", "", {"row": np.arange(3)}).write(path)
    spoil(path)
    with pytest.raises(RequestError, match=r"test\.npz"):
        Predictions.read(path)


def test_evaluate_writes_a_page_about_other_data(tiny_run, tmp_path):
    rows = sentiment_rows(9)
    rows[4]["label"] = "good" if rows[4]["label"] == "bad" else "bad"
    data = write_jsonl(tmp_path / "other.jsonl", rows)
    evaluate_run(tiny_run, data, tmp_path / "pages" / "other.html")
    html = (tmp_path / "pages" / "other.html").read_text()
    assert "run on other.jsonl" in html
    assert rows[4]["text"] in html
    with pytest.raises(RequestError, match="is a folder"):
        evaluate_run(tiny_run, data, tmp_path)
