"""Vocabularies learned from text, read by the reference."""

import json
import subprocess
import sys

import pytest
from tokenizers import ByteLevelBPETokenizer

from keras_ft.errors import RequestError
from keras_ft.text.learn_byte_pair import END, learn_byte_pair

TEXTS = ["Where is my parcel?", "The parcel is lost.", "包裹还没有到。", "包裹丢了，包裹在哪里？", "पार्सल कहाँ है"] * 3


def test_the_reference_reads_it_and_any_text_comes_back(tmp_path):
    size = learn_byte_pair(TEXTS, 330, tmp_path / "new")
    files = [str(tmp_path / "new" / name) for name in ("vocab.json", "merges.txt")]
    tokenizer = ByteLevelBPETokenizer(*files)
    assert size == tokenizer.get_vocab_size() == 330
    assert len(tokenizer.encode("包裹").ids) < len("包裹".encode())
    for text in [*TEXTS, "Ünseen 😀 \t\n  字\x00"]:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_ids_are_0_1_2_and_the_end_is_the_last(tmp_path):
    size = learn_byte_pair(TEXTS, 300, tmp_path)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert sorted(vocabulary.values()) == list(range(size))
    assert vocabulary[END] == size - 1
    merges = (tmp_path / "merges.txt").read_text(encoding="utf-8").splitlines()
    assert merges[0].startswith("#version")
    assert len(merges) - 1 == size - 257
    assert all(merge.replace(" ", "") in vocabulary for merge in merges[1:])


def test_every_process_learns_the_same(tmp_path):
    code = "import sys; from pathlib import Path; from keras_ft.text.learn_byte_pair import learn_byte_pair;"
    code += f"learn_byte_pair({TEXTS!r}, 320, Path(sys.argv[1]))"
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_few_texts_give_fewer_tokens(tmp_path):
    assert learn_byte_pair(["ab ab"], 5000, tmp_path) == 258
    assert learn_byte_pair([], 5000, tmp_path) == 257


def test_a_size_without_room_for_the_bytes_and_a_missing_package_are_refused(tmp_path, monkeypatch):
    with pytest.raises(RequestError, match="at least 257 tokens"):
        learn_byte_pair(TEXTS, 256, tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RequestError, match="pip install tokenizers"):
        learn_byte_pair(TEXTS, 300, tmp_path)
