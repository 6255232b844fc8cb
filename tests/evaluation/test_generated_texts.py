"""Generated texts in the report of a run."""

import pytest
import sacrebleu

from keras_ft.errors import RequestError
from keras_ft.evaluation.texts import GeneratedText, write_texts
from tests.evaluation.test_run_report import Reader, check_self_contained
from tests.planted import planted_run, predictions, report_of


def run_with(folder, records):
    planted_run(folder, predictions("ab", [0, 1], [0, 1]))
    write_texts(folder / "predictions" / "test_texts.jsonl", records)
    return folder


def record(row, text, reference, source="source", ended=True):
    return GeneratedText(row, source, reference, text, len(text), -1.0, ended)


def test_the_metrics_and_the_lengths_are_those_of_the_texts(tmp_path):
    records = [record(0, "我不知道。", "我不知道！"), record(1, "", "好"), record(2, "他来了吗", "他来了", ended=False)]
    html = report_of(run_with(tmp_path / "run", records))
    texts, references = ["我不知道。", "", "他来了吗"], ["我不知道！", "好", "他来了"]
    rows = dict(Reader(html).table("Texts of test against their references")[1:])
    assert rows["BLEU"] == f"{sacrebleu.corpus_bleu(texts, [references], tokenize='zh').score:.2f}"
    assert rows["chrF"] == f"{sacrebleu.corpus_chrf(texts, [references]).score:.2f}"
    assert "tokenizer zh" in html
    for name, value in (("empty", "33.3%"), ("cut at max_new_tokens", "33.3%"), ("mean tokens", "3.0")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in html


def test_each_sample_stands_beside_its_input_and_reference(tmp_path):
    script = "<script>alert(1)</script>"
    records = [record(0, script, "<b>", "عربي"), record(1, " ", "好", "Well.", ended=False)]
    html = report_of(run_with(tmp_path / "run", records))
    assert Reader(html).quotes == ["عربي", "<b>", script, "Well.", "好", "(empty)"]
    assert "<script>alert" not in html
    assert html.count("<dt>cut</dt>") == 1
    check_self_contained(html)


def test_of_many_texts_the_worst_the_best_and_some_between_are_shown_once_each(tmp_path):
    wanted = "abcdefghijklmnopqrstuvwxyz"
    records = [record(i, wanted[: i + 1] if i != 13 else "?", wanted, f"row {i}") for i in range(26)]
    quotes = Reader(report_of(run_with(tmp_path / "run", records))).quotes
    sources = [int(text.split()[1]) for text in quotes[::3]]
    assert len(sources) == len(set(sources)) == 20
    assert sources[10:15] == [13, 0, 1, 2, 3]
    assert sources[15:] == [25, 24, 23, 22, 21]
    assert sources[:10] == sorted(sources[:10])


def test_among_equally_good_texts_the_longest_is_shown_first(tmp_path):
    records = [record(i, "x" * (i % 23 + 1), "x" * (i % 23 + 1), f"row {i}") for i in range(23)]
    quotes = Reader(report_of(run_with(tmp_path / "run", records))).quotes
    assert "row 22" in quotes[::3][10:]


def test_texts_without_references_have_samples_and_no_metrics(tmp_path):
    html = report_of(run_with(tmp_path / "run", [record(i, f"text {i}", "") for i in range(30)]))
    reader = Reader(html)
    assert len(reader.quotes) == 2 * 20
    assert not any("against their references" in caption for caption in reader.captions)


def test_a_long_text_is_cut_and_says_how_long_it_was(tmp_path):
    html = report_of(run_with(tmp_path / "run", [record(0, "word " * 5000, "word", "字" * 9000)]))
    source, reference, text = Reader(html).quotes
    assert reference == "word"
    assert text.endswith("word … (25,000 characters)")
    assert source == f"{'字' * 600} … (9,000 characters)"


def test_a_run_without_generated_texts_has_no_such_section_and_a_damaged_file_is_refused(tmp_path):
    folder = planted_run(tmp_path / "run", predictions("ab", [0], [0]))
    assert "Generated texts" not in report_of(folder)
    (folder / "predictions" / "test_texts.jsonl").write_text("{")
    with pytest.raises(RequestError, match=r"line 1 of .*test_texts\.jsonl is damaged"):
        report_of(folder)
