"""What prepare.py of similarity and multilabel makes of raw data."""

import json

import pytest

from keras_ft.errors import RequestError
from tests.test_text_pipelines import ROOT, load, words


@pytest.fixture
def prepare(request, tmp_path, monkeypatch):
    module = load(ROOT / "pipelines" / request.param / "prepare.py", f"prepare_{request.param}")
    monkeypatch.setattr(module, "DATA", tmp_path / "data")
    return module


def rows_of(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("prepare", ["similarity"], indirect=True)
def test_english_pairs_of_the_test_are_not_trained_on_in_either_order(prepare, tmp_path):
    def line(a, b, score):
        return f"main-news\theadlines\t2014\t0001\t{score}\t{a}\t{b}"

    train = [
        line("A man sings.", "A man plays.", 2.5),
        line("A dog runs.", "The cat sat", 0.2),
        line('Say "no', "No", 4),
    ]
    (tmp_path / "sts-train.csv").write_text("\n".join([*train, ""]), encoding="utf-8")
    (tmp_path / "test.jsonl").write_text('{"text_a": "the cat sat.", "text_b": "a dog runs", "label": 0.4}\n')
    prepare.main(["english", str(tmp_path / "sts-train.csv"), str(tmp_path / "test.jsonl")])
    assert rows_of(tmp_path / "data" / "english" / "train.jsonl") == [
        {"text_a": "A man sings.", "text_b": "A man plays.", "label": 2.5},
        {"text_a": 'Say "no', "text_b": "No", "label": 4.0},
    ]
    assert [row["label"] for row in rows_of(tmp_path / "data" / "english" / "test.jsonl")] == [0.4]


@pytest.mark.parametrize("prepare", ["similarity"], indirect=True)
def test_chinese_questions_are_in_one_part_each_with_a_vocabulary_of_the_training_part(prepare, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "HELD_OUT", {"validation": 8, "test": 8})
    lines = [f"问{words(i % 40)}在哪\t{words(i)}在哪里？\t{i % 2}" for i in range(60)]
    (tmp_path / "dev.txt").write_text("\n".join([*lines, lines[3], ""]), encoding="utf-8")
    prepare.main(["chinese", str(tmp_path / "dev.txt")])
    folder = tmp_path / "data" / "chinese"
    parts = {name: rows_of(folder / f"{name}.jsonl") for name in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == 60
    assert len(parts["test"]) in (7, 8)
    seen = [{row["text_a"] for row in part} for part in parts.values()]
    assert sum(map(len, seen)) == 40
    assert {row["label"] for row in parts["train"]} == {"0", "1"}
    tokens = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert {"在", "哪", "e", "##e"} <= set(tokens)


@pytest.mark.parametrize("prepare", ["multilabel"], indirect=True)
def test_numbers_of_emotions_become_names_and_measured_comments_are_not_trained_on(prepare, tmp_path):
    (tmp_path / "emotions.txt").write_text("admiration\njoy\nneutral\n")
    (tmp_path / "train.tsv").write_text("Great!\t0,1\tx\nok then\t2\ty\n", encoding="utf-8")
    (tmp_path / "dev.tsv").write_text("OK, then.\t2\tz\n")
    (tmp_path / "test.jsonl").write_text('{"id": 1, "text": "Wow", "labels": ["joy"]}\n')
    prepare.main([str(tmp_path)])
    assert rows_of(tmp_path / "data" / "train.jsonl") == [{"text": "Great!", "labels": ["admiration", "joy"]}]
    assert rows_of(tmp_path / "data" / "validation.jsonl") == [{"text": "OK, then.", "labels": ["neutral"]}]
    assert rows_of(tmp_path / "data" / "test.jsonl") == [{"text": "Wow", "labels": ["joy"]}]


@pytest.mark.parametrize(
    ("prepare", "arguments", "message"),
    [
        ("similarity", ["english", "a.txt"], "english wants two files"),
        ("similarity", ["german", "a.txt"], "name a language and the downloaded files"),
        ("similarity", ["chinese", "{}/empty.txt"], "empty.txt holds no pairs"),
        ("multilabel", [], "name the folder of the data"),
        ("multilabel", ["{}"], "holds neither train.tsv nor train.jsonl"),
    ],
    indirect=["prepare"],
)
def test_wrong_files_are_named_with_what_would_be_right(prepare, arguments, message, tmp_path):
    (tmp_path / "empty.txt").write_text("no tabs\n")
    with pytest.raises(RequestError, match=message):
        prepare.main([argument.format(tmp_path) for argument in arguments])
