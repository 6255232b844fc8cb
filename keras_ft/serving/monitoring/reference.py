"""What a model's answers and texts were like on validation: bins and counts, in an export's `assets.extra/`.

    {"task": "classification", "inputs": ["text"], "examples": 1200, "of": {
       "label": {"names": ["good", "bad"], "counts": [700, 500, 0]},
       "score": {"edges": [0.71, 0.83, 0.99], "counts": [300, 290, 310, 300]},
       "characters": {…}, "unknown_tokens": {…}}}

It holds numbers and names of labels, no texts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REFERENCE_FILE = Path("assets.extra") / "reference.json"
MOST_BINS = 10
MOST_NAMES = 19  # with one more bin for all others
EXAMPLES_A_BIN = 20


@dataclass(frozen=True)
class Bins:
    """The reference's counts of one quantity.

    Attributes:
        counts: `(bins,)`.
        edges: of numbers: where bins end, rising; each edge belongs to the bin below it, the last bin has no end.
        names: of names: those with a bin of their own; the last bin is all others'.
    """

    counts: np.ndarray
    edges: np.ndarray | None = None
    names: tuple[str, ...] | None = None

    @classmethod
    def of_numbers(cls, values: np.ndarray, grain: float | None = None) -> "Bins":
        """Bins that hold about as many of the values each: at most 10, and 20 values a bin where there are as many.

        Arguments:
            values: `(values,)`.
            grain: edges are its multiples, rounded down, so that rounding of another dtype moves few values over an
                edge, and scores that are all alike (0.9998, 0.9999 …) make no bins of noise; 1 % of the range of
                values from the 1st to the 99th percentile if not given.
        """
        values = np.asarray(values, np.float64)
        bins = max(2, min(MOST_BINS, len(values) // EXAMPLES_A_BIN))
        if grain is None:
            low, high = np.quantile(values, [0.01, 0.99])
            grain = float(high - low) / 100 or max(abs(float(high)) * 0.01, 1e-9)
        edges = np.quantile(values, np.arange(1, bins) / bins)
        edges = np.unique(np.round(np.floor(edges / grain + 1e-6) * grain, 9))
        if np.all(values <= edges[0]):  # all alike: lower ones are to be told, too
            edges = np.array([edges[0] - grain, edges[0]])
        return cls(_counted(np.searchsorted(edges, values), len(edges) + 1), edges=edges)

    @classmethod
    def of_names(cls, values: Sequence[str]) -> "Bins":
        """A bin for each of the most frequent names, at most 19, and one for all others."""
        names, counts = np.unique(np.asarray(values, str), return_counts=True)
        order = np.argsort(-counts, kind="stable")[: max(2, min(MOST_NAMES, len(values) // EXAMPLES_A_BIN))]
        kept = counts[order]
        return cls(np.append(kept, len(values) - kept.sum()), names=tuple(str(name) for name in names[order]))

    def count(self, values: np.ndarray | Sequence[str]) -> np.ndarray:
        """How many of the values lie in each bin, `(bins,)` int64."""
        if self.edges is not None:
            numbers = np.asarray(values, np.float64)
            return _counted(np.searchsorted(self.edges, numbers[~np.isnan(numbers)]), len(self.counts))
        assert self.names is not None
        places = {name: i for i, name in enumerate(self.names)}
        return _counted([places.get(name, len(places)) for name in values], len(self.counts))

    def to_json(self) -> dict[str, Any]:
        """As the file holds it."""
        bins = {"names": list(self.names)} if self.names is not None else {"edges": np.asarray(self.edges).tolist()}
        return {**bins, "counts": self.counts.tolist()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Bins":
        """What `to_json` gave; raises KeyError, TypeError or ValueError where it is damaged."""
        counts = np.asarray(found["counts"], np.int64)
        if "names" in found:
            made = cls(counts, names=tuple(map(str, found["names"])))
            bins = len(found["names"]) + 1
        else:
            made = cls(counts, edges=np.asarray(found["edges"], np.float64))
            bins = len(found["edges"]) + 1
        if counts.shape != (bins,):
            raise ValueError(f"{counts.size} counts for {bins} bins")
        return made


@dataclass(frozen=True)
class Reference:
    """All of a model.

    Attributes:
        task: its name.
        inputs: the inputs of the signatures that answer as the reference did.
        examples: how many were seen.
        of: quantity (`label`, `score`, `characters`, `unknown_tokens`) → bins.
    """

    task: str
    inputs: tuple[str, ...]
    examples: int
    of: dict[str, Bins]

    def write(self, path: Path) -> None:
        """Write the file."""
        bins = {name: found.to_json() for name, found in self.of.items()}
        record = {"task": self.task, "inputs": list(self.inputs), "examples": self.examples, "of": bins}
        path.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Reference | None":
        """Read the file; None where there is none.

        Raises:
            ValueError: it is damaged.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            bins = {str(name): Bins.from_json(it) for name, it in found["of"].items()}
            return cls(str(found["task"]), tuple(map(str, found["inputs"])), int(found["examples"]), bins)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is damaged ({error!r}); export the run again") from None


def _counted(places: np.ndarray | Sequence[int], bins: int) -> np.ndarray:
    return np.bincount(np.asarray(places, np.int64), minlength=bins)
