"""What `keras-ft inspect` found, as sections of a report and as a page of its own."""

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from keras_ft.evaluation.report import figures
from keras_ft.evaluation.report.page import Block, Cell, Figure, Findings, Numbers, Paragraph, Section, Table, page
from keras_ft.inspection.finding import share, writable
from keras_ft.inspection.inspect import Inspection
from keras_ft.inspection.lengths import has_tail

MOST_LABELS = 200
Found = dict[str, Any]  # what `Inspection.to_json` gives, and RUN/inspection.json holds


def inspection_sections(found: Found) -> list[Section]:
    """What is wrong with the data, and what they hold."""
    splits = {name: figures for name, figures in found["splits"].items() if name != "all"}
    made = [Section("Data", [*_findings(found), _splits(splits), _columns(splits["train"])])]
    if splits["train"]["labels"]["count"]:
        made.append(Section("Labels in the data", [_labels(splits)]))
    if splits["train"]["numbers"]:
        made.append(Section("Labels in the data", _numbers(splits)))
    if splits["train"]["length"]:
        made.append(Section("Lengths in the data", _lengths(splits["train"], found["settings"]["max_length"])))
    return made


def data_section(found: Found) -> Section:
    """The same in short, for the report of a run, which shows labels and lengths by itself."""
    splits = {name: figures for name, figures in found["splits"].items() if name != "all"}
    return Section("Data", [*_findings(found), _splits(splits)])


def write_inspection_page(inspection: Inspection, file: Path, title: str) -> None:
    """Write a page of HTML that needs no other file.

    Args:
        inspection: from `inspect`.
        file: of the page.
        title: such as the recipe's path.
    """
    settings, rows = inspection.settings, inspection.splits["all"]["rows"]
    subtitle = f"{rows:,} rows for {settings['task']} · backbone {settings['backbone']}"
    html = page(f"Inspection of {writable(title)}", inspection_sections(inspection.to_json()), subtitle)
    file.write_text(html, encoding="utf-8")


def _findings(found: Found) -> list[Block]:
    items = [
        {
            "level": finding["severity"],
            "where": finding["split"],
            "what": finding["what"],
            "advice": finding["advice"],
            "places": [(place["place"], place["shows"]) for place in finding["where"]],
        }
        for finding in found["findings"]
    ]
    blocks: list[Block] = [Findings(items) if items else Paragraph("Nothing wrong was found.")]
    if found["suggestions"]:
        header = ["setting", "now", "better", "why"]
        rows = [
            [said["setting"], "–" if said["now"] is None else str(said["now"]), str(said["suggested"]), said["reason"]]
            for said in found["suggestions"]
        ]
        blocks.append(Table("Suggestions", header, rows))
    return blocks


def _splits(splits: dict[str, Any]) -> Table:
    rows = [
        ["rows", *(f"{split['rows']:,}" for split in splits.values())],
        ["refused", *(f"{split['refused']:,}" for split in splits.values())],
        ["distinct texts", *(f"{split['distinct_texts']:,}" for split in splits.values())],
        ["labels", *(f"{split['labels']['count']:,}" for split in splits.values())],
        ["texts cut", *(share(split["truncated"]["share"], 1) for split in splits.values())],
        ["unknown tokens", *(share(split["unknown_tokens"], 1) for split in splits.values())],
        ["scripts", *(_shares(split["scripts"]) for split in splits.values())],
        ["languages", *(_shares(split["languages"]["shares"]) for split in splits.values())],
    ]
    return Table("Splits", ["", *splits], rows)


def _shares(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {share(part, 1)}" for name, part in list(parts.items())[:4])


def _columns(train: Found) -> Table:
    rows = [
        [str(name), share(column["filled"], train["records"]), ", ".join(column["types"]), column["read_as"] or "–"]
        for name, column in train["columns"].items()
    ]
    return Table("Columns of train", ["column", "filled", "types", "read as"], rows)


def _labels(splits: dict[str, Any]) -> Table:
    labels, total = splits["train"]["labels"], splits["train"]["rows"]
    names = list(labels["rows"])[:MOST_LABELS]
    counts = [[split["labels"]["rows"].get(name, 0) for split in splits.values()] for name in names]
    shares = [Cell(100 * found[0] / total, shown=share(found[0], total)) for found in counts]  # percent
    rows = [[name, *found, part] for name, found, part in zip(names, counts, shares, strict=True)]
    caption = (
        f"{labels['count']:,} labels; the most frequent is {labels['ratio']:g} times as frequent as the rarest"
        f"{f' (the first {MOST_LABELS} are shown)' if labels['count'] > MOST_LABELS else ''}"
    )
    return Table(caption, ["label", *splits, "share of train"], rows, sortable=True)


def _numbers(splits: dict[str, Any]) -> list[Block]:
    rows: list[list[Cell | str | int | float]] = [
        [name, *(split["numbers"].get(name, "–") for split in splits.values())]
        for name in ("min", "mean", "std", "median", "max")
    ]
    found = splits["train"]["numbers"]
    bars = found["histogram"]
    edges = np.array([*(bar["from"] for bar in bars), bars[-1]["to"]])
    figure = figures.bars(edges, np.array([bar["rows"] for bar in bars]), "label", "rows")
    says = f"Histogram: from {found['min']:g} to {found['max']:g}, half of them up to {found['median']:g}."
    return [Table("Labels, which are numbers", ["", *splits], rows), Figure("Labels of train", says, figure)]


def _lengths(train: Found, limit: int) -> list[Block]:
    length, bars = train["length"], train["length"]["histogram"]
    numbers = [
        ("mean tokens", f"{length['mean']:,}"),
        ("median", f"{length['median']:,}"),
        ("95% have at most", f"{length['p95']:,}"),
        ("99% have at most", f"{length['p99']:,}"),
        ("longest", f"{length['max']:,}"),
        (f"filler if padded to {limit}", share(train["padding"]["fixed_length"], 1)),
        ("to the longest of a batch", share(train["padding"]["longest_of_batch"], 1)),
        ("with keras_ft", "0 %"),
    ]
    says = f"Histogram: half of the texts have at most {length['median']} tokens, the longest {length['max']}."
    figure = _histogram(bars, limit if length["max"] >= 0.5 * limit else None)
    return [Numbers(numbers), Figure("Tokens of a text of train, special tokens included", says, figure)]


def _histogram(bars: list[dict[str, int]], limit: int | None) -> Markup:
    starts, counts = [bar["from"] for bar in bars], np.array([bar["rows"] for bar in bars])
    if not has_tail(bars):
        return figures.bars(np.array([*starts, bars[-1]["to"] + 1]), counts, "tokens", "texts", limit)
    edges = np.array([*starts, 2 * starts[-1] - starts[-2]])
    if limit is not None and limit >= starts[-1]:  # within the tail it has no place
        limit = None
    return figures.bars(edges, counts, "tokens", "texts", limit, f"{starts[-1]:,} or more")
