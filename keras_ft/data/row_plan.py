"""The steps of a run in the rows layout: few static shapes, and little filler in them.

With `batch_size`, every batch takes one example from each of `batch_size` length classes, so that all batches hold
about as many tokens and one or a few shapes fit them all. With `tokens_per_batch`, rows are filled first and batches
are made of rows. Either way a plan is a pure function of lengths, seed and epoch.
"""

import numpy as np

from keras_ft.data.packing import choose_row_counts, first_fit, rows_needed
from keras_ft.data.shuffle import random_order
from keras_ft.data.steps import Part, RowShape, Step, part_of_rank

MOST_SHAPES = 3  # of training; evaluation has one more
WINDOW = 2048  # examples that are laid into rows together, where batches are made of rows
SAMPLE = 64  # batches that the length of a row is chosen by
PLANNED_EXAMPLES = 20_000_000  # so many are looked at, over all epochs, to choose the shapes,
PLANNED_EPOCHS = 64  # and no more epochs than these
ATTENTION_COST = 1 / 3000  # of a slot for each slot of its row; a dense layer's cost per slot is 1


class BatchRows:
    """Steps of exactly `batch_size` examples, but for an epoch's last.

    Args:
        lengths: `(examples,)` tokens of each example, at least one example.
        seed: of the shuffling.
        epochs: how many the run has at most.
        batch_size: examples in a step.
        parts: how many a step is divided into.
        most_shapes: how many shapes there may be.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        seed: int,
        epochs: int,
        batch_size: int,
        parts: int = 1,
        most_shapes: int = MOST_SHAPES,
    ):
        batch_size = min(batch_size, len(lengths))
        self.lengths, self.seed, self.batch_size, self.parts = lengths, seed, batch_size, parts
        self._owner = part_of_rank(batch_size, parts)
        self._slots = int(np.bincount(self._owner).max())
        sample = self._lengths_of(self._examples(0)[: SAMPLE * parts])
        self.row_length = _best_row_length(sample, int(lengths.max()))
        needed = np.concatenate([self._rows_of_steps(epoch) for epoch in _looked_at(epochs, lengths)])
        self.row_counts = choose_row_counts(needed, most_shapes)

    def steps(self, epoch: int) -> list[Step]:
        """The steps of an epoch."""
        examples = self._examples(epoch)
        lengths = self._lengths_of(examples)
        rows, starts = first_fit(lengths, self.row_length)
        needed = rows_needed(lengths, rows).reshape(-1, self.parts).max(axis=1)
        return [
            Step(
                tuple(self._part(part, examples, lengths, rows, starts) for part in self._numbers(step)),
                int(lengths[self._numbers(step)].sum()),
                RowShape(self._round_up(int(needed[step])), self.row_length, self._slots),
            )
            for step in range(len(needed))
        ]

    def count(self, epoch: int) -> int:
        """How many steps the epoch has."""
        return -(-len(self.lengths) // self.batch_size)

    def _numbers(self, step: int) -> range:
        return range(step * self.parts, (step + 1) * self.parts)

    def _examples(self, epoch: int) -> np.ndarray:
        """`(steps * parts, sequences)` indices, −1 where there is none, the longest of each part first."""
        order = random_order(len(self.lengths), self.seed, epoch=epoch)
        whole = len(order) - len(order) % self.batch_size
        falling = order[:whole][np.argsort(-self.lengths[order[:whole]], kind="stable")]
        classes = falling.reshape(self.batch_size, -1)  # (length classes, whole batches)
        shuffled = [row[random_order(len(row), self.seed, epoch=epoch, stream=2 + k)] for k, row in enumerate(classes)]
        batches = np.stack(shuffled, axis=1) if whole else np.zeros((0, self.batch_size), np.int64)
        if whole < len(order):
            last = np.full((1, self.batch_size), -1, dtype=np.int64)
            rest = order[whole:]
            last[0, : len(rest)] = rest[np.argsort(-self.lengths[rest], kind="stable")]
            batches = np.concatenate([batches, last])
        parts = np.full((len(batches), self.parts, self._slots), -1, dtype=np.int64)
        for number in range(self.parts):
            mine = batches[:, self._owner == number]
            parts[:, number, : mine.shape[1]] = mine
        return parts.reshape(-1, self._slots)

    def _lengths_of(self, examples: np.ndarray) -> np.ndarray:
        """0 where there is no example."""
        return np.where(examples >= 0, self.lengths[examples], 0)

    def _rows_of_steps(self, epoch: int) -> np.ndarray:
        lengths = self._lengths_of(self._examples(epoch))
        needed = rows_needed(lengths, first_fit(lengths, self.row_length)[0])
        return needed.reshape(-1, self.parts).max(axis=1)

    def _round_up(self, needed: int) -> int:
        """To the next number of rows; beyond them in large steps, in an epoch that was not looked at."""
        largest = self.row_counts[-1]
        stride = max(1, largest // 8)
        beyond = largest + -(-(needed - largest) // stride) * stride
        return next((count for count in self.row_counts if count >= needed), beyond)

    def _part(
        self, number: int, examples: np.ndarray, lengths: np.ndarray, rows: np.ndarray, starts: np.ndarray
    ) -> Part:
        real = int(np.count_nonzero(lengths[number]))
        return Part(examples[number, :real], real, rows[number, :real] * self.row_length + starts[number, :real])


class TokenRows:
    """Steps of a fixed number of rows, whatever the number of examples in them; one shape for the whole run.

    Args:
        lengths: `(examples,)` tokens of each example, at least one example.
        seed: of the shuffling.
        epochs: how many the run has at most.
        tokens_per_batch: the most slots of a step.
        parts: how many a step is divided into.

    Raises:
        ValueError: the longest example does not fit into a part.
    """

    def __init__(self, lengths: np.ndarray, seed: int, epochs: int, tokens_per_batch: int, parts: int = 1):
        self.lengths, self.seed, self.parts = lengths, seed, parts
        room, longest = tokens_per_batch // parts, int(lengths.max())
        if room < longest:
            raise ValueError(f"the longest example has {longest} tokens, a part has room for {room}")
        self.row_length = _best_row_length(_windows(random_order(len(lengths), 0)[:WINDOW], lengths)[1], longest, room)
        rows = [self._laid(epoch)[1] for epoch in _looked_at(epochs, lengths)]
        self._counts = [int(of_epoch.max()) + 1 for of_epoch in rows]
        self.num_rows = min(room // self.row_length, -(-max(self._counts) // parts))  # few examples need no more
        self.num_examples = max(_most_in_a_part(of_epoch, self.num_rows) for of_epoch in rows)

    def steps(self, epoch: int) -> list[Step]:
        """The steps of an epoch."""
        examples, rows, starts = self._laid(epoch)
        shape = RowShape(self.num_rows, self.row_length, max(self.num_examples, _most_in_a_part(rows, self.num_rows)))
        ends = np.searchsorted(rows, np.arange(self.num_rows, rows[-1] + 1, self.num_rows))
        parts = [
            Part(examples[mine], len(mine), rows[mine] % self.num_rows * self.row_length + starts[mine])
            for mine in np.split(np.arange(len(rows)), ends)
        ]
        parts += [Part(examples[:0], 0, starts[:0])] * (-len(parts) % self.parts)
        steps = [tuple(parts[first : first + self.parts]) for first in range(0, len(parts), self.parts)]
        return [Step(step, sum(int(self.lengths[part.examples].sum()) for part in step), shape) for step in steps]

    def count(self, epoch: int) -> int:
        """How many steps the epoch has."""
        known = epoch < len(self._counts)
        rows = self._counts[epoch] if known else int(self._laid(epoch)[1].max()) + 1
        return -(-rows // (self.num_rows * self.parts))

    def _laid(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Examples, their rows (rising, over the whole epoch) and their starts, `(examples,)` each."""
        order = random_order(len(self.lengths), self.seed, epoch=epoch)
        examples, lengths = _windows(order, self.lengths)
        rows, starts = first_fit(lengths, self.row_length)
        counts = rows_needed(lengths, rows)
        rows = rows + (np.cumsum(counts) - counts)[:, None]
        there = examples >= 0
        examples, rows, starts = examples[there], rows[there], starts[there]
        rows = random_order(int(counts.sum()), self.seed, epoch=epoch, stream=1)[rows]
        by_row = np.argsort(rows, kind="stable")
        return examples[by_row], rows[by_row], starts[by_row]


def _looked_at(epochs: int, lengths: np.ndarray) -> range:
    """The epochs that shapes are chosen by."""
    return range(min(epochs, PLANNED_EPOCHS, max(1, PLANNED_EXAMPLES // len(lengths))))


def _windows(order: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Examples, −1 where there is none, and their lengths, `(windows, examples)`, falling along each window."""
    size = min(WINDOW, len(order))
    examples = np.full((-(-len(order) // size), size), -1, dtype=np.int64)
    examples.reshape(-1)[: len(order)] = order
    found = np.where(examples >= 0, lengths[examples], 0)
    falling = np.argsort(-found, axis=1, kind="stable")
    return np.take_along_axis(examples, falling, axis=1), np.take_along_axis(found, falling, axis=1)


def _most_in_a_part(rows: np.ndarray, num_rows: int) -> int:
    """The most sequences in a part of so many rows, rounded up to 8: compilers like it, and it seldom changes."""
    return -(-int(np.bincount(rows // num_rows).max()) // 8) * 8


def _best_row_length(lengths: np.ndarray, longest: int, most: int | None = None) -> int:
    """The length of a row that wastes least on filler and on attention.

    Args:
        lengths: `(sets, sequences)`, as `first_fit` takes them.
        longest: no row is shorter than the longest sequence.
        most: no row is longer than this, if given.
    """
    shortest = -(-longest // 8) * 8
    most = max(most or 0, longest) if most else max(4 * shortest, 512)
    candidates = list(range(shortest, min(4 * shortest, 1024, most) + 1, 8)) or [longest]

    def cost(row_length: int) -> float:
        needed = rows_needed(lengths, first_fit(lengths, row_length)[0])
        slots = np.array(choose_row_counts(needed, MOST_SHAPES))
        taken = slots[np.searchsorted(slots, needed)].sum() * row_length
        return float(taken * (1 + ATTENTION_COST * row_length))

    return min(candidates, key=cost)
