"""What a training step computes: its examples, divided among replicas and micro-batches, and where each token lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from keras_ft.batch_fields import AXIS_OF_FIELD
from keras_ft.data.arrays import Arrays


@dataclass(frozen=True)
class RowShape:
    """The static shape of a part in the rows layout.

    Attributes:
        num_rows, row_length: slots for tokens.
        num_examples: slots for examples; those that hold none weigh 0.
    """

    num_rows: int
    row_length: int
    num_examples: int


@dataclass(frozen=True)
class Part:
    """What one replica computes at once.

    Attributes:
        examples: `(examples,)` int64 indices.
        real: how many of them count; the others fill up and weigh 0.
        slots: `(examples,)` in the rows layout: the slot where each begins, counted over all rows.
    """

    examples: np.ndarray
    real: int
    slots: np.ndarray | None = None


@dataclass(frozen=True)
class Step:
    """One update of the weights.

    Attributes:
        parts: micro-batch behind micro-batch, in each one part a replica.
        num_tokens: real tokens of all parts.
        shape: of every part in the rows layout, else None.
    """

    parts: tuple[Part, ...]
    num_tokens: int
    shape: RowShape | None = None

    @property
    def num_examples(self) -> int:
        """Examples that count."""
        return sum(part.real for part in self.parts)

    @property
    def num_slots(self) -> int:
        """Tokens that are computed, filler included."""
        if self.shape is None:
            return self.num_tokens
        return len(self.parts) * self.shape.num_rows * self.shape.row_length


def ragged_steps(batch_plan: Sequence[np.ndarray], lengths: np.ndarray, parts: int = 1) -> list[Step]:
    """The steps of a plan in the ragged layout.

    Args:
        batch_plan: for each step the indices of its examples.
        lengths: `(examples,)` tokens of each example.
        parts: how many a step is divided into, about as many examples and tokens in each.
    """
    return [Step(tuple(_shared(batch, lengths, parts)), int(lengths[batch].sum())) for batch in batch_plan]


def _shared(batch: np.ndarray, lengths: np.ndarray, parts: int) -> Iterator[Part]:
    if parts == 1:
        yield Part(batch, len(batch))
        return
    falling = batch[np.argsort(-lengths[batch], kind="stable")]
    owner = part_of_rank(len(batch), parts)
    for number in range(parts):
        examples = falling[owner == number]
        yield Part(examples, len(examples)) if len(examples) else Part(falling[-1:], 0)


def part_of_rank(count: int, parts: int) -> np.ndarray:
    """Which part gets the k-th longest example, `(count,)`: back and forth, so that tokens come out even."""
    forth = np.arange(parts)
    return np.resize(np.concatenate([forth, forth[::-1]]), count)


def assemble(arrays: Arrays, part: Part, shape: RowShape | None) -> dict[str, np.ndarray]:
    """The fields of a part's TokenBatch and its features, and `indices` `(examples,)`, −1 where one only fills up.

    Args:
        arrays: the tokenized examples.
        part: which of them.
        shape: where it has one, fields of tokens are `(num_rows, row_length)`, those of examples `(num_examples, …)`,
            and those of sequences so many times longer as an example of the arrays has sequences at most. The
            sequences of an example lie in one row.
    """
    batch = arrays.gather(part.examples)
    batch["indices"] = part.examples.astype(np.int64)
    batch["indices"][part.real :] = -1
    batch["example_weights"][part.real :] = 0.0
    if shape is None or part.slots is None:
        return batch
    return _in_rows(batch, part.slots, shape, shape.num_examples * arrays.most_sequences, arrays.axes)


def _in_rows(
    batch: dict[str, np.ndarray], slots: np.ndarray, shape: RowShape, num_sequences: int, axes: dict[str, str]
) -> dict[str, np.ndarray]:
    sizes = {
        "token": shape.num_rows * shape.row_length,
        "sequence": num_sequences,
        "example": shape.num_examples,
    }
    example, first_token = batch["example_of_sequence"], batch["first_token"]
    first_of_example = first_token[np.searchsorted(example, np.arange(len(slots)))]  # (examples,)
    batch = {**batch, "first_token": (first_token + (slots - first_of_example)[example]).astype(np.int32)}
    places = batch["first_token"][batch["sequence"]] + batch["positions"]  # (tokens,)
    axis_of: dict[str, str] = {**AXIS_OF_FIELD, **axes}
    packed = {}
    for name, values in batch.items():
        axis = axis_of.get(name, "example")
        filler = {"sequence": num_sequences, "indices": -1}.get(name, 0)
        packed[name] = np.full((sizes[axis], *values.shape[1:]), filler, values.dtype)
        packed[name][places if axis == "token" else slice(0, len(values))] = values
        if axis == "token":
            packed[name] = packed[name].reshape(shape.num_rows, shape.row_length, *values.shape[1:])
    return packed
