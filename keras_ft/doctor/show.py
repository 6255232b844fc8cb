"""Findings on a terminal: a mark, what was found, and under it what to do."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keras_ft.doctor.finding import Finding

MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "bad": ("BAD", "bold red")}
WIDEST = 100


def show(subject: str, findings: list[Finding], console: Console | None = None) -> None:
    """Print a subject's findings.

    Args:
        subject: such as `packages`.
        findings: about it.
        console: where to; stdout by default.
    """
    console = console or new_console()
    console.print(Text(subject, style="bold"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=4)
    grid.add_column(overflow="fold", ratio=1)
    for finding in findings:
        mark, style = MARKS[finding.state]
        grid.add_row(Text(mark, style=style), Text(finding.what))
        if finding.advice:
            grid.add_row("", Text(f"→ {finding.advice}", style="" if finding.state == "bad" else "dim"))
    console.print(Padding(grid, (0, 0, 1, 2)))


def summary(findings: list[dict[str, str]]) -> str:
    """The last line: how many findings there are of each state."""
    counts = {state: sum(finding["state"] == state for finding in findings) for state in MARKS}
    if counts["bad"]:
        return f"{counts['bad']} bad, {counts['note']} to note, {counts['ok']} ok"
    return f"nothing is wrong: {counts['ok']} ok, {counts['note']} to note"


def new_console() -> Console:
    """Standard output, as wide as the terminal up to what reads well; 80 columns where there is none."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDEST)
    return console
