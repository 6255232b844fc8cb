"""What people see of an inspection: lines of 80 columns, a page, JSON, exit codes."""

import json
import os
import re
import sys
from importlib.resources import files

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from keras_ft.cli import app, main
from keras_ft.evaluation.report.inspection import inspection_sections, write_inspection_page
from keras_ft.inspection.files import write_json
from keras_ft.inspection.terminal import lines
from tests.inspection.planted import clean, inspected, planted, write


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return write(planted(), tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def inspection(recipe):
    return inspected(recipe)


def test_lines_fit_80_columns_and_begin_with_the_problems(inspection):
    shown = lines(inspection, color=False)
    assert max(map(cell_len, shown)) <= 80
    assert shown[0].startswith("problem ")
    assert any("validation.jsonl line 165: the doctor bought <br/> a camera" in line for line in shown)
    text = "\n".join(shown)
    assert "\x1b" not in text
    assert "\x08" not in text
    for finding in inspection.findings:
        assert finding.severity in text


def test_data_with_nothing_in_them_can_be_shown(tmp_path):
    data = clean()
    data.lines["train"] = [b"nothing"]
    empty = inspected(write(data, tmp_path))
    assert "problem train: 1 row would be refused: is not JSON" in lines(empty, color=False)
    assert "is not JSON" in page_of(empty, "empty", tmp_path)


def page_of(inspection, title, folder) -> str:
    write_inspection_page(inspection, folder / "page.html", title)
    return (folder / "page.html").read_text(encoding="utf-8")


def test_the_page_shows_texts_as_texts_and_loads_nothing(inspection, tmp_path):
    text = page_of(inspection, "<recipe>", tmp_path)
    assert "the doctor bought &lt;br/&gt; a camera" in text
    assert "&lt;recipe&gt;" in text
    assert not re.search(r"(src|href)=\"[^#]", text)
    assert len(re.findall(r'<li class="(problem|warning|note)"', text)) == len(inspection.findings)


def test_shares_of_labels_are_sorted_as_numbers(inspection):
    sections = inspection_sections(inspection.to_json())
    (table,) = next(section.blocks for section in sections if section.title == "Labels in the data")
    assert table.sortable
    assert table.numeric == [False, True, True, True, True]
    parts = [row[-1] for row in table.cells]
    assert all(
        part.text.endswith(" %") and float(part.text[:-2]) == pytest.approx(part.value, abs=0.5) for part in parts
    )
    assert len({len(part.text) for part in parts}) > 1  # as texts they sort otherwise
    script = files("keras_ft.evaluation.report").joinpath("page.js").read_text("utf-8")
    assert 'parseFloat(key(row).replaceAll(",", ""))' in script  # "0.35 %" alone is not a number to JavaScript


def test_strict_exits_with_1_only_if_there_is_a_problem(recipe, tmp_path):
    run = CliRunner().invoke
    out, html = tmp_path / "inspection.json", tmp_path / "page.html"
    result = run(app, ["inspect", str(recipe), "--json", "--out", str(out), "--html", str(html)])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(out.read_text("utf-8"))
    assert html.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert run(app, ["inspect", str(recipe), "--strict"]).exit_code == 1
    assert run(app, ["inspect", str(write(clean(), tmp_path)), "--strict"]).exit_code == 0


def test_names_that_utf8_cannot_hold_are_escaped_wherever_they_are_shown(tmp_path):
    data = clean()
    data.lines["train"] += [b'{"text\\ud800": 1, "label": "positive"}', b'{"text": "good & bad", "label": ""}']
    recipe = write(data, tmp_path)
    train = tmp_path / os.fsdecode(b"train\xff.jsonl")
    (tmp_path / "train.jsonl").rename(train)
    recipe.write_text(recipe.read_text("utf-8").replace("train.jsonl", "train*.jsonl"), encoding="utf-8")
    inspection = inspected(recipe)
    write_json(inspection.to_json(), tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert "text\\ud800" in found["splits"]["train"]["columns"]
    assert any(f["where"][0]["place"].startswith("train\ufffd.jsonl line 1") for f in found["findings"])
    for shown in (page_of(inspection, str(train), tmp_path), "\n".join(lines(inspection, color=False))):
        assert "text\\ud800" in shown
        assert "train\ufffd.jsonl line 1" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--html", "nowhere/page.html"], "there is no folder nowhere"),
        (["--out", "."], ". is a folder"),
        (["--set", "data.train=trian.jsonl"], "did you mean 'train.jsonl'"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(recipe, capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["keras-ft", "inspect", str(recipe), *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
