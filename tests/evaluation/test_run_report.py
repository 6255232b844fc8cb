"""The report of runs whose predictions are known."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from keras_ft.cli import app
from keras_ft.errors import RequestError
from keras_ft.evaluation.calibration import expected_calibration_error
from keras_ft.evaluation.report.page import Paragraph, Section, Table, page
from tests.planted import planted_run, predictions, report_of


class Reader(HTMLParser):
    """Rows of the tables by caption, every attribute, the texts, and whether tags are closed as they were opened."""

    VOID = ("meta",)

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.captions: list[str] = []
        self.headings: list[str] = []
        self.quotes: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in self.VOID:
            return
        self.open.append(tag)
        if tag == "tr":
            self.tables[self.captions[-1]].append([])
        if tag in ("td", "th"):
            self.tables[self.captions[-1]][-1].append("")
        if tag in ("h1", "h2"):
            self.headings.append("")
        if tag == "blockquote":
            self.quotes.append("")

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "caption" in self.open:
            self.captions.append(data)
            self.tables[data] = []
        elif "h1" in self.open or "h2" in self.open:
            self.headings[-1] += data.strip()
        elif "blockquote" in self.open:
            self.quotes[-1] += data
        elif "td" in self.open or "th" in self.open:
            self.tables[self.captions[-1]][-1][-1] += data

    def table(self, caption: str) -> list[list[str]]:
        return next(rows for name, rows in self.tables.items() if caption in name)


def random_pair(labels: int, count: int, seed: int = 0):
    random = np.random.default_rng(seed)
    label = random.integers(0, labels, count)
    return label, np.where(random.random(count) < 0.7, label, random.integers(0, labels, count))


def test_the_numbers_of_each_label_are_those_of_scikit_learn(tmp_path):
    label, predicted = random_pair(5, 400)
    rows = Reader(report_of(planted_run(tmp_path / "run", predictions("abcde", label, predicted)))).table("5 labels")
    expected = np.array(precision_recall_fscore_support(label, predicted)).T
    for name, *values, times in rows[1:]:
        number = "abcde".index(name)
        assert np.array(values, float) == pytest.approx(expected[number], abs=5e-5)
        assert int(times) == np.sum(predicted == number)
    f1 = [float(row[3]) for row in rows[1:]]
    assert f1 == sorted(f1)


def test_the_confusion_matrix_counts_every_example_once(tmp_path):
    label, predicted = random_pair(3, 200)
    rows = Reader(report_of(planted_run(tmp_path / "run", predictions("abc", label, predicted)))).table("colour is")
    counts = np.array([row[1:] for row in rows[1:]], int)
    assert counts.tolist() == [[int(np.sum((label == i) & (predicted == j))) for j in range(3)] for i in range(3)]


def test_of_many_labels_the_most_confused_pair_comes_first(tmp_path):
    label, predicted = random_pair(77, 3000)
    label[:60], predicted[:60] = 11, 42
    names = [f"intent_{i}" for i in range(77)]
    reader = Reader(report_of(planted_run(tmp_path / "run", predictions(names, label, predicted))))
    first = reader.table("most confused pairs")[1]
    times = int(np.sum((label == 11) & (predicted == 42)))
    assert first[:3] == ["intent_11", "intent_42", str(times)]
    assert float(first[3]) == pytest.approx(times / np.sum(label == 11), abs=5e-5)
    assert not any("colour is" in caption for caption in reader.captions)


def test_the_calibration_error_is_that_of_the_scores(tmp_path):
    label, predicted = random_pair(2, 500)
    score = np.random.default_rng(1).uniform(0.5, 1, 500).astype(np.float32)
    html = report_of(planted_run(tmp_path / "run", predictions("ab", label, predicted, score)))
    assert f">{expected_calibration_error(score, label == predicted):.4f}<" in html


def test_scores_before_temperature_scaling_are_shown_beside_those_after(tmp_path):
    label, predicted = random_pair(2, 100)
    found = predictions("ab", label, predicted)
    found.columns["raw_score"] = np.full(100, 0.99, np.float32)
    html = report_of(planted_run(tmp_path / "run", found))
    right = label == predicted
    for score in (0.8, 0.99):
        assert f">{expected_calibration_error(np.full(100, score), right):.4f}<" in html
    assert "ECE before" in html


def test_texts_and_labels_can_be_anything(tmp_path):
    script = "<script>alert('x')</script> & \"quoted\" </blockquote>"
    labels = ["<b>bold</b>", "负面 & 情绪", "عربي"]
    texts = {0: script, 1: "这部电影很差。\n第二行", 2: "كان الفيلم رائعا"}
    folder = planted_run(tmp_path / "<i>run", predictions(labels, [0, 1, 2, 0], [1, 2, 0, 0]), texts)
    html = report_of(folder)
    reader = Reader(html)
    assert "<script>alert" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert reader.quotes == list(texts.values())
    assert {row[0] for row in reader.table("colour is")[1:]} == set(labels)
    assert ("dir", "auto") in reader.attributes


def check_self_contained(html: str) -> None:
    for name, value in Reader(html).attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert value.startswith(("#", "data:image/png")), (name, value[:80])
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


@pytest.mark.parametrize(("labels", "size"), [(2, 150_000), (20, 250_000), (77, 400_000), (5000, 1_000_000)])
def test_the_page_needs_no_other_file_and_stays_small(tmp_path, labels, size):
    found = predictions([f"a label of some length, {i}" for i in range(labels)], *random_pair(labels, 20_000))
    html = report_of(planted_run(tmp_path / "run", found, dict.fromkeys(range(50), "text " * 400)))
    check_self_contained(html)
    assert len(html.encode()) < size + 50 * 2000


def test_the_page_can_be_read_by_a_screen_reader(tmp_path):
    reader = Reader(report_of(planted_run(tmp_path / "run", predictions("ab", *random_pair(2, 50)))))
    assert ("lang", "en") in reader.attributes
    assert reader.headings[:2] == ["run", "Results"]
    figures = [value for name, value in reader.attributes if name == "aria-label" and "." in value]
    assert any(text.startswith("Loss: training goes from 0.5 to 0.025") for text in figures)
    assert any("expected calibration error is" in text for text in figures)
    ids = [value for name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_same_run_gives_the_same_page(tmp_path):
    folder = planted_run(tmp_path / "run", predictions("abc", *random_pair(3, 90)))
    assert report_of(folder) == report_of(folder)


@pytest.mark.parametrize(
    ("label", "predicted", "split", "says"),
    [
        ([1], [0], "test", "Their texts were not kept."),
        ([0, 1, 2], [0, 1, 2], "test", "No answer on test is wrong."),
        ([0, 1, 2], [0, 1, 1], "validation", "those of validation: 3 examples"),
    ],
)
def test_small_and_perfect_runs_have_a_report_too(tmp_path, label, predicted, split, says):
    assert says in report_of(planted_run(tmp_path / "run", predictions("abc", label, predicted), split=split))


def test_settings_that_are_no_defaults_are_marked(tmp_path):
    folder = planted_run(tmp_path / "run", predictions("ab", [0], [0]), train={"learning_rate": 0.0003, "epochs": 3})
    rows = {row[0]: row[1:] for row in Reader(report_of(folder)).table("recipe")[1:]}
    assert rows["train.learning_rate"] == ["0.0003", "set"]
    assert rows["train.epochs"] == ["3", "default"]
    assert rows["train.checkpoint.every"] == ["300 seconds", "default"]
    assert rows["data.test"] == ["test.jsonl", "set"]


def test_a_long_log_is_thinned(tmp_path):
    folder = planted_run(tmp_path / "run", predictions("ab", [0, 1], [0, 1]))
    rows = "".join(f"{step},{1 / step:.6f},0.0001,1,50,,\n" for step in range(10, 1_000_000, 10))
    header = (folder / "log.csv").read_text().splitlines()[0]
    (folder / "log.csv").write_text(f"{header}\n{rows}")
    assert len(report_of(folder)) < 150_000


def test_an_unfinished_run_and_an_older_one_are_refused(tmp_path):
    folder = planted_run(tmp_path / "run", predictions("ab", [0], [0]))
    (folder / "predictions" / "test.npz").unlink()
    with pytest.raises(RequestError, match="older keras_ft"):
        report_of(folder)
    (folder / "metrics.json").unlink()
    with pytest.raises(RequestError, match="not finished"):
        report_of(folder)
    with pytest.raises(RequestError, match="not a run folder"):
        report_of(tmp_path)


def test_training_writes_the_report_and_the_verb_writes_the_same_again(tiny_run):
    from typer.testing import CliRunner

    path = tiny_run / "report.html"
    before = path.read_text()
    path.unlink()
    result = CliRunner().invoke(app, ["report", str(tiny_run), "--json"])
    assert result.exit_code == 0
    assert path.read_text() == before
    check_self_contained(before)


def test_a_section_of_ones_own_is_blocks_without_html():
    html = page("t", [Section("My & data", [Paragraph("a < b"), Table("counts", ["what", "n"], [["x", 1234]])])])
    reader = Reader(html)
    assert reader.table("counts") == [["what", "n"], ["x", "1,234"]]
    assert "a &lt; b" in html
    assert 'id="my-data"' in html
