"""The messages that the troubleshooting page explains are those that users get."""

import re
import sys
from pathlib import Path

import pytest

from keras_ft.cli import main
from keras_ft.recipe_file import load_recipe
from keras_ft.run_folder import RunFolder
from tests.pages import ROOT
from tests.tiny import tiny_byte_pair

HEADER = "comment,category\n"
ROWS = ["I like it,good\n", "I hate it,bad\n"] * 8
RECIPE = """\
task: classification
backbone: minilm_l6_en_uncased
data:
  train: comments.csv
  columns: {text: comment, label: category}
train:
  epochs: 8
"""


def explained() -> list[str]:
    """The terms of the page's definition lists that are messages of the command line."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^`([^`{}\"]+)`\n: ", page, re.MULTILINE)


def with_row(number: int, row: str) -> list[str]:
    return [*ROWS[: number - 2], row, *ROWS[number - 2 :]]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(RECIPE)
    Path("comments.csv").write_text(HEADER + "".join(ROWS))
    with RunFolder("runs/comments").claimed(load_recipe("recipe.yaml")):
        pass
    return tmp_path


TRAIN = ("train", "recipe.yaml", "--out", "runs/new")
WRITES = (*TRAIN, "--set", "task=causal_lm", "--set", "data.columns={text: comment}")
LONG_TEMPLATE = "{name: text2text, template: '§§§§§§§§§§§§§§§§§§§§{source}'}"  # 40 bytes that no merge joins
PAIRS = "{train: talks.jsonl, max_length: 64, columns: {source: said, target: said}}"
TEMPLATE = (*TRAIN, "--set", f"task={LONG_TEMPLATE}", "--set", f"data={PAIRS}")
TALKS = """\
task: dialogue
backbone: {family: gpt2, vocabulary: vocab.json, merges: merges.txt, num_layers: 1, num_heads: 1, hidden_dim: 8}
data: {train: talks.jsonl}
"""


@pytest.mark.parametrize(
    ("beginning", "data", "recipe", "command"),
    [
        ("comments.csv line 2 has no 'text'", None, RECIPE.replace("  columns", "  # columns"), TRAIN),
        ("comments.csv line 17 is not UTF-8", HEADER + "".join(with_row(17, "caf\xe9,bad\n")), None, TRAIN),
        ("comments.csv line 9 has 3 columns", HEADER + "".join(with_row(9, "Bad, bad,bad\n")), None, TRAIN),
        ("comments.csv line 5 has no 'category'", HEADER + "".join(with_row(5, "So so,\n")), None, TRAIN),
        ("the training data has one label", HEADER + ROWS[0] * 9, None, TRAIN),
        ("test.jsonl line 9: ", None, RECIPE.replace("  columns", "  test: test.jsonl\n  columns"), TRAIN),
        ("recipe.yaml line 7: unknown key", None, RECIPE.replace("epochs", "epoch"), TRAIN),
        ("recipe.yaml is not valid YAML", None, RECIPE.replace("  epochs", "\tepochs"), TRAIN),
        ("data.max_length is 600", None, None, (*TRAIN, "--set", "data.max_length=600")),
        ("talks.jsonl line 3: ", None, TALKS, TRAIN),
        ("task causal_lm needs", None, None, WRITES),
        ("task text2text: the template alone", None, TALKS, TEMPLATE),
        ("backbone bert_base_zhh", None, RECIPE.replace("minilm_l6_en_uncased", "bert_base_zhh"), TRAIN),
        ("runs/comments belongs", None, RECIPE.replace("8", "10"), ("train", "recipe.yaml", "--out", "runs/comments")),
        ("models/5 should end", None, None, ("export", "runs/comments", "--to", "models/5")),
        ("runs/comments is a run", None, None, ("serve", "runs/comments")),
    ],
)
def test_a_message_is_as_the_page_has_it(folder, capsys, monkeypatch, beginning, data, recipe, command):
    rows = [f'{{"comment": "so so", "category": "{"neutral" if i == 8 else "good"}"}}\n' for i in range(9)]
    Path("test.jsonl").write_text("".join(rows))
    tiny_byte_pair(folder)
    Path("talks.jsonl").write_text(
        '{"turns": ["hi", "hello"], "said": "hi"}\n' * 2 + '{"turns": ["hi", ""], "said": "hi"}\n'
    )
    if data is not None:
        Path("comments.csv").write_text(data, encoding="latin-1")
    if recipe is not None:
        Path("recipe.yaml").write_text(recipe)
    monkeypatch.setattr(sys, "argv", ["keras-ft", *command])
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr().err.replace(f"{folder}/", "")
    (term,) = [term for term in explained() if term.startswith(beginning)]
    assert term.removesuffix("…").strip() in printed
