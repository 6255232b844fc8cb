"""Train, validation and test parts that share no example twice over: what prepares data splits it with this."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_ft.data.json_lines import write_jsonl
from keras_ft.data.shuffle import random_order

LARGEST = 20  # a group of more than this part of a split is left to train


def grouped_split(
    keys: Sequence[Iterable[Hashable]], held_out: Mapping[str, int], seed: int = 0
) -> dict[str, list[int]]:
    """Divide examples so that those with a key in common, or linked by a chain of them, are in one part.

    Args:
        keys: what each example is known by, such as its source and its target without case and punctuation.
        held_out: part → how many examples it should have; a little less where no group fits any more.
        seed: the same seed gives the same parts.

    Returns:
        Part → the numbers of its examples, rising; those that are left over are `train`.
    """
    groups = _groups(keys)
    parts: dict[str, list[int]] = {"train": [], **{name: [] for name in held_out}}
    for number in random_order(len(groups), seed).tolist():
        group = groups[number]
        fitting = (
            name
            for name, size in held_out.items()
            if len(parts[name]) + len(group) <= size and len(group) <= max(1, size // LARGEST)
        )
        parts[next(fitting, "train")] += group
    return {name: sorted(part) for name, part in parts.items()}


def write_splits(
    folder: Path,
    records: Sequence[dict[str, Any]],
    keys: Sequence[Iterable[Hashable]],
    held_out: Mapping[str, int],
    ending: str = ".jsonl",
) -> dict[str, list[dict[str, Any]]]:
    """Write a file a part, `train.jsonl` and so on; returns the parts.

    Args:
        folder: is made.
        records: column name → value.
        keys, held_out: as `grouped_split` has them.
        ending: of the files; `.jsonl.gz` packs them.
    """
    parts = {name: [records[i] for i in numbers] for name, numbers in grouped_split(keys, held_out).items()}
    for name, part in parts.items():
        write_jsonl(folder / f"{name}{ending}", part)
    return parts


def _groups(keys: Sequence[Iterable[Hashable]]) -> list[list[int]]:
    """The examples that belong together, each group in the order of its first example."""
    leader = list(range(len(keys)))

    def find(example: int) -> int:
        while leader[example] != example:
            leader[example] = leader[leader[example]]
            example = leader[example]
        return example

    first_with: dict[Hashable, int] = {}
    for example, found in enumerate(keys):
        for key in found:
            one, other = find(first_with.setdefault(key, example)), find(example)
            leader[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for example in range(len(keys)):
        groups.setdefault(find(example), []).append(example)
    return list(groups.values())
