"""An inspection for people on a terminal: what is wrong first, then the figures."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keras_ft.inspection.finding import SEVERITIES, Finding, counted, share
from keras_ft.inspection.inspect import Inspection
from keras_ft.inspection.lengths import has_tail

WIDTH = 80
STYLES = {"problem": "bold red", "warning": "yellow", "note": "cyan"}
BAR = 30
MOST_LABELS = 12
MOST_COLUMNS = 12


def lines(inspection: Inspection, color: bool) -> list[str]:
    """An inspection as lines of at most 80 columns, with a terminal's colours if wanted."""
    console = Console(file=StringIO(), width=WIDTH, force_terminal=color, highlight=False)
    with console.capture() as capture:
        for part in _parts(inspection):
            console.print(part)
    return [line.rstrip() for line in capture.get().splitlines()]


def _parts(inspection: Inspection) -> Iterator[RenderableType]:
    for finding in inspection.findings:
        yield _finding(finding)
    yield _summary(inspection)
    for suggestion in inspection.suggestions:
        line = Text("suggestion ", style="bold green")
        line.append(f"{suggestion.setting}: {suggestion.suggested}", style="bold not green")
        line.append(f"  ({suggestion.reason})", style="not bold not green")
        yield Padding(line, (0, 0, 1, 0), expand=False)
    splits = {name: figures for name, figures in inspection.splits.items() if name != "all"}
    yield _overview(splits)
    train = splits["train"]
    yield _columns(train)
    if train["labels"]["count"]:
        yield _labels(splits)
    if train["numbers"]:
        yield _numbers(splits)
    if train["length"]:
        yield _lengths(train, inspection.settings)


def _finding(finding: Finding) -> RenderableType:
    head = Text(finding.severity, style=STYLES[finding.severity])
    head.append(f" {finding.split}: ", style="not bold dim")
    head.append(finding.what, style=f"{'bold' if finding.severity == 'problem' else 'not bold'} default")
    lines: list[RenderableType] = [
        head,
        *(Padding(Text(str(place), style="dim"), (0, 0, 0, 4), expand=False) for place in finding.places),
    ]
    lines.append(Padding(Text(f"→ {finding.advice}"), (0, 0, 1, 2), expand=False))
    return Group(*lines)


def _summary(inspection: Inspection) -> RenderableType:
    counts = {s: sum(finding.severity == s for finding in inspection.findings) for s in SEVERITIES}
    said = ", ".join(counted(count, severity) for severity, count in counts.items() if count)
    text = Text(said or "nothing wrong was found", style="bold" if said else "bold green")
    rows = inspection.splits["all"]["rows"]
    settings = inspection.settings
    text.append(
        f" in {counted(rows, 'row')} for {settings['task']}, backbone {settings['backbone']}", style="not bold default"
    )
    return Padding(text, (0, 0, 1, 0), expand=False)


def _table(*headers: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for i, header in enumerate(headers):
        table.add_column(Text(header), justify="right" if i else "left", overflow="fold")
    return table


def _titled(title: str, table: Table) -> RenderableType:
    return Group(Text(title, style="bold"), Padding(table, (0, 0, 1, 0), expand=False))


def _overview(splits: dict[str, dict[str, Any]]) -> RenderableType:
    table = _table("", *splits)
    rows: list[tuple[str, Any]] = [
        ("rows", lambda s: f"{s['rows']:,}"),
        ("refused", lambda s: f"{s['refused']:,}"),
        ("distinct texts", lambda s: f"{s['distinct_texts']:,}"),
        ("labels", lambda s: f"{s['labels']['count']:,}"),
        ("tokens, mean", lambda s: f"{s['length']['mean']:,}"),
        ("tokens, median", lambda s: f"{s['length']['median']:,}"),
        ("tokens, 99 %", lambda s: f"{s['length']['p99']:,}"),
        ("tokens, max", lambda s: f"{s['length']['max']:,}"),
        ("texts cut", lambda s: f"{100 * s['truncated']['share']:.2g} %"),
        ("unknown tokens", lambda s: f"{100 * s['unknown_tokens']:.2g} %"),
        ("pieces of words", lambda s: f"{100 * s['continuing_tokens']:.2g} %"),
        ("scripts", lambda s: _shares(s["scripts"])),
        ("languages", lambda s: _shares({**s["languages"]["shares"], "unsure": s["languages"]["unsure"]})),
    ]
    for name, figure in rows:
        table.add_row(
            name, *(Text(figure(s)) if s["length"] or name in ("rows", "refused") else "" for s in splits.values())
        )
    return _titled("Splits", table)


def _shares(shares: dict[str, float]) -> str:
    return "\n".join(f"{name} {100 * part:.0f} %" for name, part in list(shares.items())[:4] if part >= 0.01)


def _columns(train: dict[str, Any]) -> RenderableType:
    table = _table("column", "filled", "types", "read as")
    for name, column in list(train["columns"].items())[:MOST_COLUMNS]:
        types = ", ".join(column["types"])
        table.add_row(Text(str(name)), share(column["filled"], train["records"]), types, column["read_as"] or "-")
    if len(train["columns"]) > MOST_COLUMNS:
        table.add_row(f"and {len(train['columns']) - MOST_COLUMNS} more")
    return _titled("Columns of train", table)


def _labels(splits: dict[str, dict[str, Any]]) -> RenderableType:
    labels = splits["train"]["labels"]
    title = f"Labels: {labels['count']:,}, the most frequent {labels['ratio']:g} times as frequent as the rarest"
    table = _table("label", *splits, "share of train")
    table.columns[0].max_width = 40
    names = list(labels["rows"])
    shown = names if len(names) <= MOST_LABELS else [*names[: MOST_LABELS // 2], None, *names[-MOST_LABELS // 2 :]]
    total = splits["train"]["rows"]
    for name in shown:
        if name is None:
            table.add_row(f"… {len(names) - MOST_LABELS:,} more …")
            continue
        counts = [s["labels"]["rows"].get(name, 0) for s in splits.values()]
        table.add_row(Text(name), *(f"{count:,}" for count in counts), share(counts[0], total))
    return _titled(title, table)


def _numbers(splits: dict[str, dict[str, Any]]) -> RenderableType:
    table = _table("", *splits)
    for name in ("min", "mean", "std", "median", "max"):
        table.add_row(name, *(f"{s['numbers'][name]:g}" if s["numbers"] else "" for s in splits.values()))
    return _titled("Labels, which are numbers", table)


def _lengths(train: dict[str, Any], settings: dict[str, Any]) -> RenderableType:
    table = _table("tokens", "rows", "")
    table.columns[2].justify = "left"
    bars = train["length"]["histogram"]
    most = max(bar["rows"] for bar in bars)
    for bar in bars:
        upto = f"–{bar['to']:,}" if bar["to"] > bar["from"] else ""
        if bar is bars[-1] and has_tail(bars):
            upto = " or more"
        table.add_row(
            f"{bar['from']:,}{upto}", f"{bar['rows']:,}", Text("█" * round(BAR * bar["rows"] / most), style="blue")
        )
    costs = _table("", "padding")
    costs.add_row(f"every text to {settings['max_length']} tokens", f"{100 * train['padding']['fixed_length']:.0f} %")
    costs.add_row("to the longest of a batch", f"{100 * train['padding']['longest_of_batch']:.0f} %")
    costs.add_row("keras_ft", "0 %")
    return Group(_titled("Tokens of a text of train", table), _titled("Share of padding in a batch", costs))
