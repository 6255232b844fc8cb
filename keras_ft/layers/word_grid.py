"""The words of a batch laid out for what goes from word to word: lanes of examples, one word a step."""

from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch

Tensor = Any


@dataclass(frozen=True)
class WordGrid:
    """Words in lanes, each from its first step on without a gap; the words of an example stand one behind the other.

    A lane is an example in the ragged layout, also where that is several windows, and a row with all its examples in
    the rows layout.

    Attributes:
        place: `(tokens,)` int32, where each word's token lies in the flat grid; `lanes * steps` for other tokens.
        lanes, steps: the grid's size.
        is_word: `(lanes, steps)` bool.
        begins: `(lanes, steps)` bool, on the first word of each example.
        ends: `(lanes, steps)` bool, on the last word of each example.
    """

    place: Tensor
    lanes: Any
    steps: Any
    is_word: Tensor
    begins: Tensor
    ends: Tensor

    @classmethod
    def of(cls, batch: TokenBatch, is_word: Tensor) -> "WordGrid":
        """The grid of a batch.

        Args:
            batch: in either layout.
            is_word: `(tokens,)` bool, on the token that stands for a word; not on filler.
        """
        ones = ops.cast(is_word, "int32")
        example = batch.example_of_token()
        if batch.num_rows is None:
            counts = batch.sum_of_examples(batch.sum_of_sequences(ones))  # (examples,)
            lanes, steps = batch.num_examples, ops.max(counts, initial=1)
            lane, before = example, ops.take(ops.cumsum(counts) - counts, example)
            step = ops.cumsum(ones) - 1 - before
        else:
            lanes, steps = batch.num_rows, batch.longest
            in_rows = batch.to_rows(ones)
            step = ops.reshape(ops.cumsum(in_rows, axis=1) - 1, (-1,))
            lane = ops.repeat(ops.arange(lanes, dtype="int32"), steps)
        place = ops.where(is_word, lane * steps + step, lanes * steps)
        number = _laid_out(
            place, (example + 1) * ones, lanes, steps
        )  # (lanes, steps) 1 for the first example, 0 for none
        before = ops.pad(number[:, :-1], ((0, 0), (1, 0)))
        behind = ops.pad(number[:, 1:], ((0, 0), (0, 1)))
        found = number > 0
        changes = [ops.logical_and(found, ops.not_equal(number, other)) for other in (before, behind)]
        return cls(place, lanes, steps, found, *changes)

    def laid_out(self, values: Tensor) -> Tensor:
        """`(tokens, …)` → `(lanes, steps, …)`, 0 where there is no word."""
        return _laid_out(self.place, values, self.lanes, self.steps)

    def of_tokens(self, values: Tensor) -> Tensor:
        """`(lanes, steps, …)` → `(tokens, …)`, 0 on tokens that stand for no word."""
        rest = ops.shape(values)[2:]
        flat = ops.reshape(values, (self.lanes * self.steps, *rest))
        flat = ops.pad(flat, ((0, 1), *(((0, 0),) * len(rest))))
        return ops.take(flat, self.place, axis=0)


def _laid_out(place: Tensor, values: Tensor, lanes: Any, steps: Any) -> Tensor:
    rest = ops.shape(values)[1:]
    flat = ops.scatter(place[:, None], values, (lanes * steps + 1, *rest))[:-1]  # the last gathers what is no word
    return ops.reshape(flat, (lanes, steps, *rest))
