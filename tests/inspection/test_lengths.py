"""Histograms of lengths, of which one may be far from the others."""

import numpy as np
import pytest

from keras_ft.evaluation.report import figures
from keras_ft.evaluation.report.inspection import inspection_sections
from keras_ft.inspection.lengths import distribution, has_tail
from keras_ft.inspection.terminal import lines
from tests.inspection.planted import clean, inspected, write

FAR = np.array([5] * 99 + [5000])


@pytest.fixture
def drawn(monkeypatch):
    """What `figures.bars` is given."""
    calls = []
    bars = figures.bars
    monkeypatch.setattr(figures, "bars", lambda *given: calls.append(given) or bars(*given))
    return calls


@pytest.mark.parametrize(
    ("lengths", "tail"), [(FAR, True), (np.array([7]), False), (np.arange(24), False), (np.array([1, 2, 9]), False)]
)
def test_a_last_bar_of_other_width_is_a_tail(lengths, tail):
    histogram = distribution(lengths)["histogram"]
    assert sum(bar["rows"] for bar in histogram) == len(lengths)
    assert has_tail(histogram) == tail


def test_one_long_text_leaves_the_others_their_room(tmp_path, drawn):
    inspection = inspected(write(clean(), tmp_path))
    inspection.splits["train"]["length"] = distribution(FAR)
    sections = inspection_sections(inspection.to_json())
    (edges, counts, *_, limit, name) = drawn[0]
    assert np.diff(edges).tolist() == [1] * 12
    assert counts.tolist() == [99, *[0] * 10, 1]
    assert limit is None  # 64 lies somewhere in the tail
    assert name == "16 or more"
    figure = next(s for s in sections if s.title == "Lengths in the data").blocks[1]
    assert ">16 or more<" in figure.svg
    assert any("16 or more" in line for line in lines(inspection, color=False))


def test_the_limit_stays_where_it_has_a_place(tmp_path, drawn):
    inspection = inspected(write(clean(), tmp_path))
    inspection.splits["train"]["length"] = distribution(np.array([*range(20, 1020), 50_000]))
    inspection_sections(inspection.to_json())
    edges, *_, limit, name = drawn[0]
    assert len(set(np.diff(edges))) == 1
    assert (limit, name) == (64, f"{edges[-2]:,} or more")
