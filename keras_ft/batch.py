"""TokenBatch: a batch is a flat list of tokens, so that no arithmetic is spent on padding.

Real text is short; padding every example to one length wastes most of a dense layer's work. Here the dense layers run
over `(tokens, hidden)` and attention alone sees rows. There are two layouts:

- *ragged*: sequences lie one behind the other, shapes are dynamic, and attention lays its queries, keys and values out
  as `(sequences, heads, longest, …)`. For CPUs, GPUs and every SavedModel.
- *rows*: `(num_rows, row_length)` slots of a static shape, several sequences to a row, which a block mask keeps apart;
  slots left over hold filler of weight 0. For compilers that want static shapes.

Heads and losses see neither: they get `(tokens, hidden)` and call `first` or `mean`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from keras import ops

from keras_ft.batch_fields import FIELDS, TOKEN_FIELDS, Axis

Tensor = Any
# From which size on a size is rounded up to a multiple of what; see in_few_shapes.
TOKEN_STEPS = {0: 8, 256: 16, 512: 32}
ROW_STEPS = {0: 1, 5: 2, 17: 4}
SHORT = 64  # tokens of a text that alone keeps its shape


@dataclass(frozen=True)
class TokenBatch:
    """Sequences of tokens, in either layout; `tokens` below is `num_rows * row_length` in the rows layout.

    Attributes:
        ids: `(tokens,)` int32 vocabulary ids.
        positions: `(tokens,)` int32 place of a token in its own sequence, from 0.
        segments: `(tokens,)` int32 segment (0 or 1).
        sequence: `(tokens,)` int32 which sequence a token belongs to; `num_sequences` on filler.
        token_weights: `(tokens,)` float32, 0 on filler.
        example_of_sequence: `(sequences,)` int32; a long text is several sequences of one example.
        window_start: `(sequences,)` int32 where the sequence starts in its example's tokens.
        first_token: `(sequences,)` int32 where the sequence's first token lies among the tokens.
        example_weights: `(examples,)` float32, 0 on examples that only fill a batch up.
        num_sequences: how many sequences there are (a Python int where shapes are static).
        num_examples: how many examples there are.
        longest: length of the longest sequence, or of a row.
        num_rows: how many rows there are; None in the ragged layout.
        features: what the task added, each along the axis that its name has in the task's `axes`.
    """

    ids: Tensor
    positions: Tensor
    segments: Tensor
    sequence: Tensor
    token_weights: Tensor
    example_of_sequence: Tensor
    window_start: Tensor
    first_token: Tensor
    example_weights: Tensor
    num_sequences: Any
    num_examples: Any
    longest: Any
    num_rows: Any = None
    features: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], axes: Mapping[str, Axis]) -> "TokenBatch":
        """A batch from the dict that the data pipeline delivers: the fields above and features.

        Args:
            tensors: fields of tokens are `(tokens,)` in the ragged layout, `(num_rows, row_length)` in the rows layout.
            axes: the axis of each feature, as the task names them.
        """
        tensors = dict(tensors)
        num_rows = row_length = None
        if len(tensors["ids"].shape) == 2:
            num_rows, row_length = ops.shape(tensors["ids"])
            for name in [*TOKEN_FIELDS, *(name for name, axis in axes.items() if axis == "token" and name in tensors)]:
                rest = ops.shape(tensors[name])[2:]
                tensors[name] = ops.reshape(tensors[name], (num_rows * row_length, *rest))
        named = {name: tensors.pop(name) for name in FIELDS}
        return cls(
            **named,
            num_sequences=ops.shape(named["example_of_sequence"])[0],
            num_examples=ops.shape(named["example_weights"])[0],
            longest=ops.max(named["positions"], initial=-1) + 1 if row_length is None else row_length,
            num_rows=num_rows,
            features=tensors,
        )

    @classmethod
    def from_lengths(
        cls,
        ids: Tensor,
        lengths: Tensor,
        segments: Tensor | None = None,
        counts: Tensor | None = None,
        window_start: Tensor | None = None,
        features: Mapping[str, Tensor] | None = None,
    ) -> "TokenBatch":
        """A ragged batch.

        Args:
            ids: `(tokens,)` int32, sequence behind sequence.
            lengths: `(sequences,)` int32, each at least 1.
            segments: `(tokens,)` int32; 0 everywhere if not given.
            counts: `(examples,)` int32, the sequences of each example; one each if not given.
            window_start: `(sequences,)` int32; 0 everywhere if not given.
            features: by name.
        """
        lengths = ops.cast(lengths, "int32")
        num_sequences = ops.shape(lengths)[0]
        sequence = ops.repeat(ops.arange(num_sequences, dtype="int32"), lengths)  # (tokens,)
        starts = ops.cumsum(lengths) - lengths  # (sequences,)
        num_tokens = ops.shape(ids)[0]
        counts = ops.ones_like(lengths) if counts is None else ops.cast(counts, "int32")
        num_examples = ops.shape(counts)[0]
        return cls(
            ids=ids,
            positions=ops.arange(num_tokens, dtype="int32") - ops.take(starts, sequence),
            segments=ops.zeros_like(ids) if segments is None else segments,
            sequence=sequence,
            token_weights=ops.ones((num_tokens,), dtype="float32"),
            example_of_sequence=ops.repeat(ops.arange(num_examples, dtype="int32"), counts),
            window_start=ops.zeros_like(lengths) if window_start is None else window_start,
            first_token=starts,
            example_weights=ops.ones((num_examples,), dtype="float32"),
            num_sequences=num_sequences,
            num_examples=num_examples,
            longest=ops.max(lengths, initial=0),
            features=dict(features or {}),
        )

    def in_few_shapes(self) -> "TokenBatch":
        """The batch as layers see it at inference: numbers of tokens and rows, and lengths of rows, of few sizes.

        oneDNN makes a kernel for each shape it meets, and keeps it: a server that met every count of tokens would grow
        for days. What fills the tokens up are copies of the last one behind it, which no other token sees; a sequence
        more holds none. One short text alone stays as it is: a few tokens more would be felt, and it has few lengths.
        Rows laid out already have their shape.
        """
        if self.num_rows is not None:
            return self
        tokens = ops.shape(self.ids)[0]
        alone = ops.logical_and(ops.equal(self.num_sequences, 1), ops.less_equal(tokens, SHORT))
        kept = ops.minimum(ops.arange(ops.where(alone, tokens, _rounded_up(tokens, TOKEN_STEPS))), tokens - 1)
        rows = _rounded_up(self.num_sequences, ROW_STEPS)
        kept_rows = ops.minimum(ops.arange(rows), self.num_sequences - 1)
        return replace(
            self,
            **{name: ops.take(getattr(self, name), kept, axis=0) for name in TOKEN_FIELDS},
            first_token=ops.take(self.first_token, kept_rows, axis=0),
            num_sequences=rows,
            longest=ops.where(alone, self.longest, _rounded_up(self.longest, TOKEN_STEPS)),
        )

    def to_rows(self, values: Tensor) -> Tensor:
        """`(tokens, …)` → `(sequences, longest, …)` or `(num_rows, row_length, …)`; places without a token are 0."""
        slots = ops.shape(values)[1:]
        if self.num_rows is not None:
            return ops.reshape(values, (self.num_rows, self.longest, *slots))
        place = self.sequence * self.longest + self.positions
        rows = ops.scatter(place[:, None], values, (self.num_sequences * self.longest, *slots))
        return ops.reshape(rows, (self.num_sequences, self.longest, *slots))

    def attention_mask(self, causal: bool = False) -> Tensor:
        """`(rows, 1, queries, keys)` bool, 1 for dimensions along which it is all alike: which keys a query looks at.

        Args:
            causal: whether a query looks at no key behind its own place.
        """
        if self.num_rows is not None:
            sequence = self.to_rows(self.sequence)
            allowed = ops.equal(sequence[:, None, :, None], sequence[:, None, None, :])  # filler looks at filler
            return ops.logical_and(allowed, self._up_to_own_place()) if causal else allowed
        if causal:
            return self._up_to_own_place()  # what fills a row up stands behind its tokens
        return self.to_rows(self.token_weights)[:, None, None, :] > 0

    def _up_to_own_place(self) -> Tensor:
        place = ops.arange(self.longest)
        return (place[:, None] >= place[None, :])[None, None]

    def first(self, hidden: Tensor) -> Tensor:
        """The first token of each sequence: `(tokens, hidden)` → `(sequences, hidden)`."""
        return ops.take(hidden, self.first_token, axis=0)

    def at(self, hidden: Tensor, place: Tensor) -> Tensor:
        """Tokens by their places in each sequence: `(tokens, hidden)`, `(sequences, k)` → `(sequences, k, hidden)`."""
        return ops.take(hidden, self.first_token[:, None] + place, axis=0)

    def mean(self, hidden: Tensor) -> Tensor:
        """The weighted mean over the tokens of each sequence: `(tokens, hidden)` → `(sequences, hidden)`."""
        weights = self.token_weights[:, None]  # (tokens, 1), float32: a bfloat16 sum stands still at 256
        total = self._sum(ops.cast(hidden, "float32") * weights)
        return ops.cast(total / ops.maximum(self._sum(weights), 1e-9), hidden.dtype)

    def example_of_token(self, filler: Any = 0) -> Tensor:
        """`(tokens,)` int32 which example each token belongs to; `filler` on filler."""
        if self.num_rows is None:
            return ops.take(self.example_of_sequence, self.sequence, axis=0)
        found = ops.take(self.example_of_sequence, ops.minimum(self.sequence, self.num_sequences - 1), axis=0)
        return ops.where(self.token_weights > 0, found, filler)

    def sum_of_sequences(self, values: Tensor) -> Tensor:
        """Summed over the tokens of each sequence: `(tokens, …)` → `(sequences, …)`; filler does not count."""
        return self._sum(values)

    def sum_of_examples(self, values: Tensor) -> Tensor:
        """Summed over the sequences of each example: `(sequences, …)` → `(examples, …)`; empty slots do not count."""
        if self.num_rows is not None:
            used = self._sum(self.token_weights) > 0  # (sequences,)
            shape = (-1, *([1] * (len(values.shape) - 1)))
            values = ops.where(ops.reshape(used, shape), values, ops.zeros_like(values))
        return ops.segment_sum(values, self.example_of_sequence, num_segments=self.num_examples)

    def weights_of_sequences(self) -> Tensor:
        """`(sequences,)` float32: the weight of each one's example, 0 in empty slots."""
        weights = ops.take(self.example_weights, self.example_of_sequence, axis=0)
        if self.num_rows is None:
            return weights
        return weights * ops.cast(self._sum(self.token_weights) > 0, "float32")

    def weights_of_tokens(self) -> Tensor:
        """`(tokens,)` float32: the weight of each one's example, 0 on filler."""
        return self.token_weights * ops.take(self.example_weights, self.example_of_token(), axis=0)

    def _sum(self, values: Tensor) -> Tensor:
        if self.num_rows is None:
            return ops.segment_sum(values, self.sequence, num_segments=self.num_sequences)
        return ops.segment_sum(values, self.sequence, num_segments=self.num_sequences + 1)[:-1]  # without filler


def _rounded_up(size: Any, steps: Mapping[int, int]) -> Any:
    step = 1
    for least, larger in steps.items():
        step = ops.where(size >= least, larger, step)
    return (size + step - 1) // step * step
