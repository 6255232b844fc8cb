"""Every planted defect is found, with its count and lines; clean data have none."""

import json
import re

import pytest

from tests.inspection.planted import Planted, clean, planted, write
from tests.inspection.planted import inspected as inspected_recipe


def inspected(data: Planted, folder, *overrides):
    return inspected_recipe(write(data, folder), *overrides)


def lines_of(findings) -> list[int]:
    return [int(re.search(r"(?:line|row) (\d+)", place.where)[1]) for f in findings for place in f.places]


def found(inspection, kind: str, split: str = "train"):
    return [f for f in inspection.findings if (f.kind, f.split) == (kind, split)]


def test_clean_data_in_two_languages_raise_no_alarm(tmp_path):
    inspection = inspected(clean(), tmp_path)
    assert [(f.kind, f.split, f.what) for f in inspection.findings] == []
    assert inspection.suggestions == []
    assert not inspection.has_problem


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory):
    data = planted()
    return data, inspected(data, tmp_path_factory.mktemp("planted"))


def test_every_planted_defect_is_found_at_its_line_and_nothing_else(spoiled):
    data, inspection = spoiled
    expected = {key: (count, sorted(lines)) for key, (count, lines) in data.expected.items()}
    assert len({kind for kind, _ in expected}) >= 20
    seen = {}
    for finding in inspection.findings:
        count, lines = seen.get((finding.kind, finding.split), (0, []))
        seen[finding.kind, finding.split] = (count + finding.count, sorted([*lines, *lines_of([finding])]))
    assert seen == expected


def test_refused_rows_are_counted_by_reason(spoiled):
    _, inspection = spoiled
    reasons = sorted(f.what for f in found(inspection, "refused"))
    assert len(reasons) == 5
    assert any("has no 'text': it is empty" in reason and reason.startswith("2 rows") for reason in reasons)
    assert inspection.splits["train"]["refused"] == 6
    assert inspection.findings[0].severity == "problem"


def test_what_is_shown_of_a_row_makes_the_invisible_visible(spoiled):
    _, inspection = spoiled
    (finding,) = found(inspection, "invisible_character", "validation")
    assert finding.places[0].shows == "the teacher sold a\\u200b book"


@pytest.mark.parametrize(
    ("override", "kind", "split", "says"),
    [
        (
            "data.max_length=300",
            "beyond_positions",
            "recipe",
            "max_length is 300; backbone from scratch has 256 positions",
        ),
        ("data.columns.text=body", "refused", "train", "160 rows would be refused: has no 'body'"),
    ],
)
def test_a_wrong_setting_is_a_finding(tmp_path, override, kind, split, says):
    (finding,) = found(inspected(clean(), tmp_path, override), kind, split)
    assert finding.severity == "problem"
    assert says in finding.what


def test_files_without_a_single_good_row_are_reported_not_raised(tmp_path):
    data = clean()
    data.lines["train"] = [b"nothing"]
    data.lines["test"] = [b""]
    inspection = inspected(data, tmp_path)
    assert found(inspection, "refused")[0].count == 1
    assert "holds no records" in found(inspection, "unreadable", "test")[0].what
    assert json.dumps(inspection.to_json())


def test_one_label_alone_is_a_problem(tmp_path):
    data = clean()
    data.lines["train"] = [line.replace(b"positive", b"negative") for line in data.lines["train"]]
    assert found(inspected(data, tmp_path), "one_label")[0].count == 160


def test_a_label_that_is_never_measured_is_noted(tmp_path):
    data = clean()
    data.lines["test"] = [line for line in data.lines["test"] if b"positive" in line]
    (finding,) = found(inspected(data, tmp_path), "absent_label", "test")
    assert "'negative'" in finding.what


def test_free_text_taken_for_labels_is_a_problem(tmp_path):
    (finding,) = found(inspected(clean(), tmp_path, "data.columns={text: label, label: text}"), "label_of_each_row")
    assert (finding.count, finding.severity) == (160, "problem")
    assert "each row has its own" in finding.what


@pytest.mark.parametrize(
    ("labels", "severities"), [(150, ["problem"]), (140, ["warning"]), (81, ["warning"]), (80, [])]
)
def test_few_rows_a_label_are_a_warning_and_a_problem_only_if_nearly_each_row_has_its_own(tmp_path, labels, severities):
    data = clean()
    rows = [json.loads(line) for line in data.lines["train"]]
    data.lines["train"] = [json.dumps({**row, "label": f"l{i % labels}"}).encode() for i, row in enumerate(rows)]
    findings = found(inspected(data, tmp_path), "label_of_each_row")
    assert [finding.severity for finding in findings] == severities
    assert all(("nearly each row" in f.what) == (f.severity == "problem") for f in findings)


def test_imbalance_asks_for_class_weights(tmp_path):
    data = clean()
    rows = [json.loads(line) for line in data.lines["train"]]
    for i, row in enumerate(rows):
        row["label"] = "positive" if i < 12 else "negative"
    data.lines["train"] = [json.dumps(row).encode() for row in rows]
    inspection = inspected(data, tmp_path)
    assert "12 times as many" in found(inspection, "imbalance")[0].what
    assert [(s.setting, s.suggested) for s in inspection.suggestions] == [("task.class_weight", "balanced")]


def test_duplicates_of_train_leak_into_a_fraction_cut_from_it(tmp_path):
    data = clean()
    data.lines["train"] += data.lines["train"][:40]
    inspection = inspected(data, tmp_path, "data.validation=0.25", "data.test=null")
    (finding,) = found(inspection, "leaking_fraction", "validation")
    assert finding.count == 15  # 80 rows are of a pair: 80 * 0.25 are held out, 0.75 of these have their twin in train
    assert finding.severity == "warning"
    assert "data.validation" in [s.setting for s in inspection.suggestions]


def test_a_tokenizer_of_another_language_shows(tmp_path):
    data = clean()
    greek = [
        json.dumps({"text": f"καλημέρα κόσμε {chr(0x3B1 + i % 17) * (i + 1)}", "label": "ab"[i % 2]}).encode()
        for i in range(60)
    ]
    data.lines["train"] = greek
    inspection = inspected(data, tmp_path)
    assert found(inspection, "unknown_tokens")[0].severity == "problem"
    assert found(inspection, "unknown_text")[0].count == len(greek)


def test_a_test_in_another_language_than_train_is_noticed(tmp_path):
    data = clean()
    data.lines["train"] = [line for line in data.lines["train"] if line.isascii()]
    german = "Der Lehrer hat gestern das kaputte Buch im alten Hotel an der Straße Nummer {} verkauft"
    data.lines["test"] = [json.dumps({"text": german.format(i), "label": "positive"}).encode() for i in range(40)]
    inspection = inspected(data, tmp_path)
    assert "'de'" in found(inspection, "other_language", "test")[0].what
    assert found(inspection, "words_in_pieces", "test")


def test_small_letters_for_a_cased_backbone_are_noted(tmp_path):
    assert found(inspected(clean(), tmp_path, "backbone.lowercase=false"), "case_mismatch")[0].count == 0


@pytest.mark.parametrize("labels", [("-1", "0", "1"), ("C", "C#", "C++"), (".5", "5", "-.5"), ("-1000", "0", "1000")])
def test_labels_that_differ_in_a_sign_are_no_variants(tmp_path, labels):
    data = clean()
    for split, lines in data.lines.items():
        rows = [json.loads(line) for line in lines]
        for i, row in enumerate(rows):
            row["label"] = labels[0] if i < 4 else labels[1 + i % 2]
        data.lines[split] = [json.dumps(row).encode() for row in rows]
    inspection = inspected(data, tmp_path)
    assert not found(inspection, "label_variant") + found(inspection, "label_typo")


@pytest.mark.parametrize("emoticons", [(":)", ":("), ("👍", "👎"), ("C++", "C"), ("C#", "C"), ("-5", "5"), ("5%", "5")])
def test_texts_that_symbols_tell_apart_are_no_conflict(tmp_path, emoticons):
    data = clean()
    for i, sign in enumerate(emoticons):
        data.row("train", f"the doctor saw that film {sign}", ("positive", "negative")[i])
    findings = {f.kind for f in inspected(data, tmp_path).findings}
    assert not findings & {"conflict", "duplicate", "near_duplicate"}


def test_a_longer_limit_is_suggested_up_to_the_positions(tmp_path):
    data = clean()
    inspection = inspected(data, tmp_path, "data.max_length=8")
    (suggestion,) = inspection.suggestions
    longest = inspection.splits["train"]["length"]["p99"]
    assert suggestion.setting == "data.max_length"
    assert longest <= suggestion.suggested < longest + 8
    assert inspection.splits["train"]["truncated"]["texts"] == found(inspection, "truncated")[0].count > 100


def test_figures_of_clean_data(tmp_path):
    train = inspected(clean(), tmp_path).splits["train"]
    assert train["rows"] == train["records"] == train["distinct_texts"] == 160
    assert train["columns"]["text"] == {"filled": 160, "types": {"text": 160}, "read_as": "text"}
    assert train["labels"]["rows"] == {"negative": 80, "positive": 80}
    assert set(train["scripts"]) == {"Latin", "Han"}
    assert {"en", "zh"} <= set(train["languages"]["shares"])
    assert sum(bar["rows"] for bar in train["length"]["histogram"]) == 160
    assert train["padding"]["keras_ft"] == 0 < train["padding"]["longest_of_batch"] < train["padding"]["fixed_length"]
