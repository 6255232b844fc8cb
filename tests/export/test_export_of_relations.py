"""Exports of relations: a signature for marked texts and one for offsets, both verified, warmed up and served."""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_ft.evaluation.predict import predict
from keras_ft.export.export import export
from keras_ft.export.verify import EXPECTED_FILE
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client
from keras_ft.serving.session_model import SessionModel
from keras_ft.tasks.relation import OFFSETS, Relation
from tests.tiny_relations import marked_texts

OUTPUTS = {"label", "score", "labels", "scores", "truncated"}


@pytest.fixture(scope="module")
def exported(relation_run, tmp_path_factory) -> Path:
    return Path(export(relation_run, tmp_path_factory.mktemp("models") / "relations")[0])


def test_both_signatures_run_through_a_session(exported):
    model = SessionModel(exported)
    assert set(model.signatures) == {"serving_default", "relation", "spans"}
    assert {name: spec.dtype for name, spec in model.signatures["serving_default"].inputs.items()} == {"text": "string"}
    spans = model.signatures["spans"]
    assert {name: spec.dtype for name, spec in spans.inputs.items()} == {
        "text": "string",
        **dict.fromkeys(OFFSETS, "int32"),
    }
    assert set(spans.outputs) == set(model.signatures["relation"].outputs) == OUTPUTS
    assert model.warm_up() == 6
    text = np.array([f"the box has a cat {i}".encode() for i in range(3)], object)
    offsets = dict(zip(OFFSETS, np.array([[4, 14, 3], [7, 17, 3], [14, 4, 7], [17, 7, 10]], np.int32), strict=True))
    found = model.predict("spans", {"text": text, **offsets})
    assert found["label"].tolist()[:2] == [b"Whole(e1,e2)", b"Whole(e2,e1)"]
    assert found["label"][2] == b""
    empty = model.predict("spans", {"text": text[:0], **{name: values[:0] for name, values in offsets.items()}})
    assert empty["labels"].shape == (0, 3)


def test_what_is_verified_holds_relations_and_requests_without_any(exported):
    record = json.loads((exported / EXPECTED_FILE).read_text())
    labels = record["answers"]["spans"]["label"]
    assert labels == record["answers"]["serving_default"]["label"]
    assert 10 < labels.count("") < len(labels) - 10
    assert record["requests"]["spans"]["text"][0] == Relation.without_marks(record["requests"]["relation"]["text"][0])


def test_the_server_answers_both_as_predict_does(exported, relation_run, tmp_path):
    texts = [text for text, _ in marked_texts()]
    data = tmp_path / "texts.jsonl"
    data.write_text("\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts), encoding="utf-8")
    python = list(predict(relation_run, [], data))
    task = json.loads((relation_run / "model" / "task.json").read_text())
    assert task["labels"] == ["Other", "Whole(e1,e2)", "Whole(e2,e1)"]
    rows = Relation([], "markers", 8).as_other_requests("spans", {"text": texts})
    spans = [{name: values[i] for name, values in rows.items()} for i in range(len(texts))]
    wrong = {**spans[0], "head_end": 99}
    with BackgroundServer([exported.parent]) as server:
        client = Client(server.url)
        marked = client.predict("relations", instances=[*texts, "no entities"])
        spanned = client.predict("relations", instances=[*spans, wrong], signature_name="spans")
    assert (
        marked[-1]
        == spanned[-1]
        == {"label": "", "score": 0, "labels": [""] * 3, "scores": [0] * 3, "truncated": False}
    )
    for mine, one, other in zip(python, marked, spanned, strict=False):
        assert mine["labels"] == one["labels"] == other["labels"]
        np.testing.assert_allclose(one["scores"], mine["scores"], atol=1e-5)
        np.testing.assert_allclose(other["scores"], mine["scores"], atol=1e-5)
