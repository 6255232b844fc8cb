"""A page is a list of sections, a section a list of blocks; one template turns them into a file that needs no other.

    page("runs/intent", [Section("Data", [Paragraph("9,003 questions."), Table("Labels", ["label", "count"], rows)])])

A new part of the report is a function that returns a `Section`; it writes no HTML.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from keras_ft import __version__


@dataclass(frozen=True)
class Cell:
    """What a table holds at one place; a plain string or number does for most.

    Attributes:
        value: a string, or a number, which is set to the right.
        shade: 0 to 1, how strongly the cell is coloured.
        wrong: coloured as a mistake instead of as a success.
        mark: set off from its neighbours, such as a setting that is not the default.
        note: a sign behind the value.
        shown: what people read instead of a number, such as "0.35 %"; it begins with the number that it is sorted by.
    """

    value: str | int | float
    shade: float = 0.0
    wrong: bool = False
    mark: bool = False
    note: str = ""
    shown: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is set to the right."""
        return not isinstance(self.value, str)

    @property
    def text(self) -> str:
        """As people read it."""
        return (self.shown or (number_text(self.value) if self.is_number else str(self.value))) + self.note


@dataclass(frozen=True)
class Paragraph:
    """Prose."""

    text: str
    kind: str = field(default="paragraph", init=False)


@dataclass(frozen=True)
class Numbers:
    """A few numbers that matter: `(name, value as text)`."""

    items: Sequence[tuple[str, str]]
    kind: str = field(default="numbers", init=False)


@dataclass(frozen=True)
class Table:
    """A table; its first column names the row.

    Attributes:
        caption: says what it shows.
        header: a name a column.
        rows: a cell a column each.
        sortable: whether a reader may sort it by any column.
        upright: whether the names of the columns stand upright, to save width.
        grid: whether it is a matrix of small cells.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell | str | int | float]]
    sortable: bool = False
    upright: bool = False
    grid: bool = False
    kind: str = field(default="table", init=False)

    @property
    def cells(self) -> list[list[Cell]]:
        """All of them as `Cell`s."""
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """For each column, whether it holds numbers alone."""
        return [all(row[i].is_number for row in self.cells) for i in range(len(self.header))]


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Attributes:
        caption: stands under it.
        description: what it shows, for those who cannot see it.
        svg: from `keras_ft.evaluation.report.figures`.
    """

    caption: str
    description: str
    svg: Markup
    kind: str = field(default="figure", init=False)


@dataclass(frozen=True)
class Quotes:
    """Texts of the data, each with facts about it: `(texts by column, [(name, value)])`.

    Attributes:
        items: in their order.
        beside: whether the texts of an item stand side by side where the page is wide enough, to be compared.
    """

    items: Sequence[tuple[dict[str, str], Sequence[tuple[str, str]]]]
    beside: bool = False
    kind: str = field(default="quotes", init=False)


@dataclass(frozen=True)
class Findings:
    """What is wrong, each a dict: `level` (problem, warning, note), `where`, `what`, `advice`, and `places`, a list of
    `(place, text there)`."""

    items: Sequence[dict[str, Any]]
    kind: str = field(default="findings", init=False)


Block = Paragraph | Numbers | Table | Figure | Quotes | Findings


@dataclass(frozen=True)
class Section:
    """A part of a page under its own heading."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """What a link to it ends with."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


def page(title: str, sections: Sequence[Section], subtitle: str = "") -> str:
    """One HTML file without references to any other.

    Args:
        title: of the page, plain text; everything is escaped.
        sections: in their order.
        subtitle: a line under the title.
    """
    template = _environment().get_template("page.html")
    return template.render(title=title, subtitle=subtitle, sections=sections, version=__version__)


def number_text(value: Any) -> str:
    """A count with separators, a fraction with four digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"


@cache
def _environment() -> Environment:
    loader = PackageLoader("keras_ft.evaluation.report", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
