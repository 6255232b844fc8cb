"""What prepare.py of the relation pipeline makes of the files of SemEval-2010 task 8."""

import importlib.util
import json
from pathlib import Path

import pytest

from keras_ft.errors import RequestError

ROOT = Path(__file__).resolve().parents[1]
OFFICIAL = """\
1\t"The system has its greatest application in an arrayed <e1>configuration</e1> of antenna <e2>elements</e2>."
Component-Whole(e2,e1)
Comment: Not a collection: there is structure here, organisation.

2\t"The <e1>child</e1> said "no" to the <e2>cradle</e2>."
Other
Comment:

"""


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("prepare_relation", ROOT / "pipelines" / "relation" / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DATA", tmp_path / "data")
    return module


def test_the_official_files_are_read_and_so_are_rows(prepare, tmp_path):
    (tmp_path / "TRAIN_FILE.TXT").write_text(OFFICIAL, encoding="utf-8")
    row = {"text": "<e1>a</e1> in <e2>b</e2>", "label": "Other", "e1": "a"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row), encoding="utf-8")
    prepare.main([str(tmp_path / "TRAIN_FILE.TXT"), str(tmp_path / "test.jsonl")])
    rows = [json.loads(line) for line in (tmp_path / "data" / "train.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == ["Component-Whole(e2,e1)", "Other"]
    assert rows[1]["text"] == 'The <e1>child</e1> said "no" to the <e2>cradle</e2>.'
    assert json.loads((tmp_path / "data" / "test.jsonl").read_text()) == {"text": row["text"], "label": "Other"}


def test_files_without_sentences_are_refused(prepare, tmp_path):
    (tmp_path / "a.txt").write_text("nothing\n")
    with pytest.raises(RequestError, match="holds no sentences"):
        prepare.main([str(tmp_path / "a.txt")] * 2)
    with pytest.raises(RequestError, match="give the training file and the test file"):
        prepare.main([])
    (tmp_path / "b.txt").write_text('1\t"no <e1>marker</e1>"\nOther\n')
    with pytest.raises(RequestError, match=r"b.txt line 1: <e2> stands nowhere"):
        prepare.main([str(tmp_path / "b.txt")] * 2)
