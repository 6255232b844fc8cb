"""Drawings as inline SVG: matplotlib's, with their colours left to the page, so that they follow light and dark."""

import logging
import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import numpy as np
from markupsafe import Markup

# What matplotlib draws with → what the page calls it. No two may be alike, and none may occur otherwise.
INKS = {"#010203": "--ink", "#010204": "--faint", "#010205": "--line", "#010206": "--good", "#010207": "--bad"}
INK, FAINT, LINE, GOOD, BAD = INKS
SIZE = (5.4, 3.1)  # inches of 72 points; type of 9 points is readable on a telephone still
MOST_POINTS = 600
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": FAINT,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
Series = tuple[str, Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]  # name, x, y


def lines(series: Sequence[Series], x_label: str, y_label: str) -> Markup:
    """A curve a series, `(name, x, y)`; up to four of them."""

    def draw(axes: Any) -> None:
        looks = [(GOOD, "-"), (BAD, "-"), (FAINT, "--"), (INK, ":")]
        for (name, x, y), (color, dashes) in zip(series, looks, strict=False):
            x, y = _thinned(np.asarray(x, np.float64)), _thinned(np.asarray(y, np.float64))
            axes.plot(x, y, dashes, color=color, label=name, marker="o" if len(x) <= 20 else None, markersize=3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.ticklabel_format(axis="y", scilimits=(-3, 5))
        axes.set(xlabel=x_label, ylabel=y_label)
        if len(series) > 1:
            axes.legend(loc="best")

    return _svg(draw, f"lines {x_label} {y_label}")


def bars(
    edges: np.ndarray, counts: np.ndarray, x_label: str, y_label: str, limit: float | None = None, tail: str = ""
) -> Markup:
    """A histogram; `limit` is drawn as a line across, `tail` names the last bar where it holds all that is larger."""

    def draw(axes: Any) -> None:
        axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=GOOD, edgecolor="none")
        if limit is not None:
            axes.axvline(limit, color=BAD, linestyle="--", linewidth=1)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid(visible=False, axis="x")
        if tail:
            _name_tail(axes, edges, tail)

    return _svg(draw, f"bars {x_label} {y_label}")


def _name_tail(axes: Any, edges: np.ndarray, name: str) -> None:
    """The name under the last bar, and numbers only where they leave it room."""
    axes.xaxis.get_major_locator().set_params(integer=True)
    last, width = edges[-2], edges[-1] - edges[-2]
    ticks = [tick for tick in axes.get_xticks() if edges[0] <= tick <= last - 2 * width]
    axes.set_xticks([*ticks, last + width / 2], [*(f"{tick:,.0f}" for tick in ticks), name])


def reliability(points: Sequence[Series], counts: np.ndarray) -> Markup:
    """Accuracy against confidence, the diagonal, and the share of examples of each bin as bars of equal width."""

    def draw(axes: Any) -> None:
        edges = np.linspace(0, 1, len(counts) + 1)
        shares = counts / max(1, counts.sum())
        axes.bar(edges[:-1], shares, np.diff(edges), align="edge", color=LINE, label="share of examples")
        axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1, label="perfect")
        for (name, x, y), color in zip(points, (GOOD, BAD), strict=False):
            axes.plot(x, y, color=color, marker="o", markersize=3.5, label=name)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy")
        axes.figure.legend(loc="outside lower center", ncols=4, handlelength=1.2, columnspacing=1.2)

    return _svg(draw, "reliability")


def scatter(x: np.ndarray, y: np.ndarray, x_label: str, y_label: str) -> Markup:
    """A point an example, and the line on which both are the same."""

    def draw(axes: Any) -> None:
        low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
        axes.plot([low, high], [low, high], color=FAINT, linestyle="--", linewidth=1)
        axes.scatter(x, y, s=9, color=GOOD, alpha=0.4, linewidths=0)
        axes.set(xlabel=x_label, ylabel=y_label)

    return _svg(draw, f"scatter {x_label} {y_label}", (5.4, 4.2))


def heat_map(counts: np.ndarray, size: int, x_label: str, y_label: str) -> Markup:
    """A matrix of counts as an image, the more the denser, by the logarithm; its sides count to `size`."""

    def draw(axes: Any) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        color = (0.24, 0.53, 0.80)  # an image cannot follow the page: a blue that does on both
        shades = LinearSegmentedColormap.from_list("counts", [(*color, 0.0), (*color, 0.35), (*color, 1.0)])
        axes.imshow(np.log1p(counts), cmap=shades, interpolation="nearest", extent=(0, size, size, 0))
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid(visible=False)
        axes.spines[["top", "right"]].set_visible(True)

    return _svg(draw, f"heat map {x_label}", (5.4, 5.2))


def _svg(draw: Callable[[Any], None], name: str, size: tuple[float, float] = SIZE) -> Markup:
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of font caches
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(size, layout="constrained")
        draw(figure.add_subplot())
        text = StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=metadata)
    return Markup(_for_the_page(text.getvalue(), re.sub(r"\W+", "-", name)))  # of numbers and our own names alone


def _for_the_page(svg: str, name: str) -> str:
    """The element alone, coloured by the page, its ids unlike those of other drawings."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"|(<svg[^>]*?) height="[^"]*"', r"\1\2", svg, count=1)
    svg = re.sub(r"font(?:-family)?: [^;\"]*sans-serif[^;\"]*", _without_family, svg)
    for ink, variable in INKS.items():
        svg = svg.replace(ink, f"var({variable})")
    return re.sub(r">\s+<", "><", svg)


def _without_family(match: re.Match[str]) -> str:
    size = re.search(r"[\d.]+px", match[0])
    return f"font-size: {size[0]}" if size else "font-family: inherit"


def _thinned(values: np.ndarray) -> np.ndarray:
    """At most so many points: means of neighbours where there are more, `(points,)`."""
    if len(values) <= MOST_POINTS:
        return values
    edges = np.linspace(0, len(values), MOST_POINTS + 1).astype(int)
    return np.add.reduceat(values, edges[:-1]) / np.diff(edges)
