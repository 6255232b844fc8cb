"""First-fit decreasing: sequences into rows of one length, many sets of sequences at a time.

Johnson et al. 1974, "Worst-case performance bounds for simple one-dimensional packing algorithms", SIAM J. Comput. 3.
"""

import numpy as np


def first_fit(lengths: np.ndarray, row_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Put each sequence into the first row of its set that has room left for it.

    Args:
        lengths: `(sets, sequences)`, falling along each set, none longer than a row; 0 where there is no sequence.
        row_length: the room in a row.

    Returns:
        `rows`, `starts`: `(sets, sequences)` int32, the row of each sequence and where in it the sequence begins.
    """
    sets, sequences = lengths.shape
    rows = np.zeros((sets, sequences), dtype=np.int32)
    starts = np.zeros((sets, sequences), dtype=np.int32)
    filled = np.zeros((sets, 8), dtype=np.int32)  # (sets, rows opened so far, and a few more)
    every = np.arange(sets)
    for number in range(sequences):
        length = lengths[:, number]
        row = np.argmax(filled + length[:, None] <= row_length, axis=1)
        rows[:, number], starts[:, number] = row, filled[every, row]
        filled[every, row] += length.astype(np.int32)
        if sets and filled[:, -1].any():
            filled = np.concatenate([filled, np.zeros_like(filled)], axis=1)
    return rows, starts


def rows_needed(lengths: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """How many rows each set takes, `(sets,)`, from what `first_fit` was given and what it returned."""
    return np.max(np.where(lengths > 0, rows + 1, 0), axis=1, initial=0)


def choose_row_counts(needed: np.ndarray, most: int) -> list[int]:
    """At most `most` numbers of rows, rising, such that rounding each of `needed` up to one of them wastes least.

    Args:
        needed: `(sets,)` rows that each set takes, at least one set.
        most: how many numbers there may be.
    """
    sizes, counts = np.unique(needed, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])  # sets among the sizes before each
    # cost[k] of covering the first k sizes; chosen[k] the sizes that do it
    cost = [0, *(int(sizes[k]) * int(before[k + 1]) for k in range(len(sizes)))]
    chosen = [[], *([int(size)] for size in sizes)]
    for _ in range(most - 1):
        wider_cost, wider = list(cost), list(chosen)
        for end in range(1, len(sizes) + 1):
            for start in range(1, end):
                total = cost[start] + int(sizes[end - 1]) * int(before[end] - before[start])
                if total < wider_cost[end]:
                    wider_cost[end], wider[end] = total, [*chosen[start], int(sizes[end - 1])]
        cost, chosen = wider_cost, wider
    return chosen[-1]
