"""What prepare.py of the pipelines that generate text makes of raw data."""

import importlib.util
import json
from pathlib import Path

import pytest

from keras_ft.data.readers.source import read_records
from keras_ft.errors import RequestError
from keras_ft.evaluation.texts import GeneratedText, write_texts

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
ROOT = Path(__file__).resolve().parents[1]


def load(path: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def prepare(request, tmp_path, monkeypatch):
    module = load(ROOT / "pipelines" / request.param / "prepare.py", f"prepare_{request.param}")
    monkeypatch.setattr(module, "DATA", tmp_path / "data")
    monkeypatch.setattr(module, "HELD_OUT", {"validation": 8, "test": 8})
    monkeypatch.setattr(module, "TOKENS", 300)
    return module


def parts_of(folder: Path, ending: str = ".jsonl") -> dict[str, list[dict]]:
    names = ("train", "validation", "test")
    return {name: [record for _, record in read_records(folder / f"{name}{ending}")] for name in names}


def words(number: int) -> str:
    return " ".join(DIGITS[int(digit)] for digit in str(number))


@pytest.mark.parametrize("prepare", ["translation"], indirect=True)
def test_translation_keeps_all_pairs_of_a_sentence_in_one_split(prepare, tmp_path):
    lines = [f"Say {words(i)}.\t说{i}。\tCC-BY 2.0 (France) Attribution: x" for i in range(60)]
    lines += [f"say {words(i)}!\t再说{i}" for i in range(0, 60, 3)]  # the same English, but for case and punctuation
    lines += [f"Do say {words(i)}.\t说{i}" for i in range(0, 60, 4)]  # the same Chinese, but for punctuation
    lines += ["Say zero.\t说0！", "", "no tab", "\t空", "……\t……"]  # a repeated pair, and lines that are none
    (tmp_path / "cmn.txt").write_text("\n".join(lines), encoding="utf-8")
    prepare.main([str(tmp_path / "cmn.txt")])
    parts = parts_of(tmp_path / "data")
    assert {name: len(part) for name, part in parts.items()} == {"train": 80, "validation": 8, "test": 8}
    for column in ("src", "tgt"):
        seen = [{prepare.known_by(record[column]) for record in part} for part in parts.values()]
        assert sum(map(len, seen)) == len(set.union(*seen))
    assert len(json.loads((tmp_path / "data" / "vocab.json").read_text(encoding="utf-8"))) == 300


@pytest.mark.parametrize("prepare", ["translation"], indirect=True)
def test_translation_reads_json_lines_and_refuses_what_holds_no_pairs(prepare, tmp_path):
    lines = [json.dumps({"src": f"Say {words(i)}.", "tgt": f"说{i}。"}) for i in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert len(list(prepare.read_pairs(tmp_path / "a.jsonl"))) == 40
    (tmp_path / "b.txt").write_text("no tabs\n", encoding="utf-8")
    with pytest.raises(RequestError, match=r"b\.txt holds no pairs"):
        prepare.main([str(tmp_path / "b.txt")])
    with pytest.raises(RequestError, match=r"prepare\.py cmn\.txt"):
        prepare.main([])


@pytest.mark.parametrize("prepare", ["summarization"], indirect=True)
def test_summarization_keeps_a_paper_once_and_reads_its_own_files_again(prepare, tmp_path):
    lines = [f"to title\t 本文研究{words(i)}\u2028问题。\t{words(i)}研究" for i in range(50)]
    (tmp_path / "dev.tsv").write_text("\n".join([*lines, lines[0], "to title\t没有标题\t"]), encoding="utf-8")
    prepare.main([str(tmp_path / "dev.tsv")])
    parts = parts_of(tmp_path / "data", ".jsonl.gz")
    assert {name: len(part) for name, part in parts.items()} == {"train": 34, "validation": 8, "test": 8}
    assert len({record["abstract"] for part in parts.values() for record in part}) == 50
    before = (tmp_path / "data" / "vocab.json").read_bytes()
    prepare.main([])
    assert (tmp_path / "data" / "vocab.json").read_bytes() == before


CORPUS = """
categories: [x]
conversations:
- - What is it?
  - An answer.
  - Another  answer.
- a line without its dash
- - what is it
  - An answer
- - Only a question?
- - 你好
  - ''
- - 你好
  - 你好！
"""


@pytest.mark.parametrize("prepare", ["dialogue"], indirect=True)
def test_several_answers_are_several_dialogues_and_turns_stay_turns(prepare, tmp_path):
    for name in ("emotion", "conversations"):
        (tmp_path / f"{name}.yml").write_text(CORPUS, encoding="utf-8")
    several = list(prepare.dialogues(tmp_path / "emotion.yml"))
    assert several[:2] == [("What is it?", "An answer."), ("What is it?", "Another answer.")]
    assert len(several) == 4
    turns = list(prepare.dialogues(tmp_path / "conversations.yml"))
    assert turns[0] == ("What is it?", "An answer.", "Another answer.")
    assert turns[-1] == ("你好", "你好！")


@pytest.mark.parametrize("prepare", ["dialogue"], indirect=True)
def test_dialogues_that_begin_alike_are_in_one_split(prepare, tmp_path):
    asked = [{"category": "food", "turns": [f"Tell me {words(i % 40)}", f"It is {words(i)}"]} for i in range(50)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, [*asked, asked[0]])), encoding="utf-8")
    prepare.main([str(tmp_path / "a.jsonl")])
    parts = parts_of(tmp_path / "data")
    assert sum(map(len, parts.values())) == 50
    seen = [{record["turns"][0] for record in part} for part in parts.values()]
    assert sum(map(len, seen)) == 40


@pytest.mark.parametrize("prepare", ["dialogue"], indirect=True)
def test_a_file_that_is_not_of_the_corpus_is_refused(prepare, tmp_path):
    for content in ("- a\n", "a: [\n"):
        (tmp_path / "a.yml").write_text(content)
        with pytest.raises(RequestError, match=r"a\.yml"):
            prepare.main([str(tmp_path / "a.yml")])


@pytest.mark.parametrize(
    ("pipeline", "columns", "ending"),
    [("summarization", ("abstract", "title"), ".jsonl.gz"), ("dialogue", ("turns",), ".jsonl")],
)
def test_the_data_in_the_repository_share_nothing_between_splits(pipeline, columns, ending):
    parts = parts_of(ROOT / "pipelines" / pipeline / "data", ending)
    for column in columns:
        values = [[record[column] for record in part] for part in parts.values()]
        firsts = [{value if isinstance(value, str) else value[0] for value in part} for part in values]
        assert sum(map(len, firsts)) == len(set.union(*firsts))
    assert (ROOT / "pipelines" / pipeline / "data" / "NOTICE.md").is_file()


def test_the_benchmark_measures_copying_beside_the_run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = load(ROOT / "benchmarks" / "translation.py", "benchmark_translation")
    published = []
    monkeypatch.setattr(benchmark, "publish", lambda *found: published.append(found))
    for name, text in (("run", "我不知道他在哪里。"), ("untrained", "的的的")):
        record = GeneratedText(0, "I don't know.", "我不知道他在哪里。", text, 5, -1.0, True)
        write_texts(tmp_path / name / "predictions" / "test_texts.jsonl", [record])
    benchmark.main(tmp_path / "run", tmp_path / "untrained")
    _, title, rows, (bar,), _ = published[0]
    assert "tokenizer zh" in title
    assert [row["texts"] for row in rows] == ["the run", "copying the input", "untrained"]
    assert bar.found == pytest.approx(100)
    with pytest.raises(SystemExit, match=r"has no predictions/test_texts\.jsonl"):
        benchmark.main(tmp_path / "nowhere", None)
