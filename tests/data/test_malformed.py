import json

import pytest

from keras_ft.errors import RequestError
from keras_ft.recipe_file import load_recipe
from keras_ft.tasks.backbone import load_backbone
from keras_ft.training.prepare import prepare
from tests.tiny import sentiment_rows, write_jsonl, write_recipe


@pytest.fixture
def recipe(tmp_path):
    path = write_recipe(tmp_path)
    rows = sentiment_rows()
    rows[3] = {"text": 5, "label": "good"}
    rows[7] = {"label": "bad"}
    write_jsonl(tmp_path / "train.jsonl", rows)
    return path


def prepared(recipe, tmp_path, *changes):
    lines = []
    found = load_recipe(str(recipe), list(changes))
    return prepare(found, load_backbone(found), tmp_path / "data", lines.append), lines


def test_a_malformed_row_is_refused_by_its_line(recipe, tmp_path):
    with pytest.raises(RequestError, match=r"train\.jsonl line 4: 'text' is a number"):
        prepared(recipe, tmp_path)


def test_malformed_rows_are_left_out_and_counted_when_asked(recipe, tmp_path):
    found, lines = prepared(recipe, tmp_path, "data.malformed=skip")
    assert found.splits["train"].num_examples + found.splits["validation"].num_examples == 46
    told = "\n".join(lines)
    assert "Skipped 2 malformed rows of train" in told
    assert "train.jsonl line 4" in told
    assert "train.jsonl line 8" in told
    samples = json.loads((tmp_path / "data" / "samples.json").read_text("utf-8"))
    assert all(isinstance(text, str) for text in samples["text"])
