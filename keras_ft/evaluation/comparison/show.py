"""A comparison on the terminal and as a page."""

from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from keras_ft.errors import RequestError
from keras_ft.evaluation.comparison.compare import Comparison
from keras_ft.evaluation.report.page import Block, Cell, Paragraph, Section, Table, page
from keras_ft.evaluation.report.sections import duration

COST = {
    "training time": lambda cost: duration(cost["seconds"]),
    "examples a second": lambda cost: f"{cost['examples_per_second']:,.0f}",
    "trainable parameters": lambda cost: f"{cost['trainable_parameters']:,}",
    "peak memory": lambda cost: f"{cost['peak_memory_bytes'] / 2**30:.2f} GiB",
}
NOTE = (
    "Significant means p < 0.05: chance alone gives such a difference less than once in twenty cases. "
    "The more pairs of runs are looked at, the sooner one of them seems so by chance."
)


def tables(found: Comparison) -> list[Table]:
    """Metrics, cost and settings, a column a run."""
    names = [run.name for run in found.runs]
    metrics = list(dict.fromkeys(name for run in found.runs for name in run.metrics))
    significant = [{test.metric for test in run.differences if test.significant} for run in found.runs]
    columns = list(zip(found.runs, significant, strict=True))
    measured = [[Cell(name), *(_metric_cell(run.metrics, name, stars) for run, stars in columns)] for name in metrics]
    costs = [[what, *(say(run.cost) for run in found.runs)] for what, say in COST.items()]
    marked = "; * differs significantly from the first" if any(significant) else ""
    made = [
        Table(f"Metrics on {found.split}{marked}", ["metric", *names], measured),
        Table("Cost of training", ["cost", *names], costs),
    ]
    if found.settings:
        settings = [[key, *values] for key, values in found.settings.items()]
        made.append(Table("Settings that differ", ["key", *names], settings))
    return made


def print_comparison(found: Comparison) -> None:
    """Print it for people."""
    console = Console(soft_wrap=False)
    for table in tables(found):
        grid = Grid(title=table.caption, title_justify="left", title_style="bold")
        for i, name in enumerate(table.header):
            grid.add_column(Text(name), justify="left" if i == 0 else "right", overflow="fold")
        for row in table.cells:
            grid.add_row(*(Text(cell.text) for cell in row))
        console.print(grid)
    for line in found.verdicts():
        console.print(Text(line), soft_wrap=True)


def write_comparison(found: Comparison, path: Path) -> None:
    """Write it as a page of its own.

    Raises:
        RequestError: `path` is a folder.
    """
    if path.is_dir():
        raise RequestError(f"--html {path} is a folder; give the name of an .html file")
    metrics, cost, *settings = tables(found)
    verdicts: list[Block] = [Paragraph(line) for line in found.verdicts()]
    same = Paragraph("The recipes are the same.")
    sections = [
        Section("Metrics", [metrics]),
        Section("Differences", [*verdicts, Paragraph(NOTE)]),
        Section("Settings", settings or [same]),
        Section("Cost", [cost]),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    title = f"{len(found.runs)} runs compared"
    path.write_text(page(title, sections, f"{found.task} · {found.split}"), encoding="utf-8")


def _metric_cell(metrics: dict[str, float], name: str, significant: set[str]) -> Cell:
    if name not in metrics:
        return Cell("–")
    return Cell(metrics[name], note=" *" if name in significant else "")
