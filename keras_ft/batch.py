"""TokenBatch: a batch is a flat list of tokens, so that no arithmetic is spent on padding.

Real text is short; padding every example to one length wastes most of a dense layer's work. Here the
dense layers run over `(tokens, hidden)`, and attention alone scatters its queries, keys and values to
`(sequences, longest, …)`.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from keras import ops

Tensor = Any
Axis = Literal["token", "sequence", "example"]

TOKEN_FIELDS = ("ids", "positions", "segments", "sequence", "token_weights")
SEQUENCE_FIELDS = ("example_of_sequence", "window_start")


@dataclass(frozen=True)
class TokenBatch:
    """Sequences laid one behind the other (the *ragged* layout).

    Attributes:
        ids: `(tokens,)` int32 vocabulary ids.
        positions: `(tokens,)` int32 place of a token in its own sequence, from 0.
        segments: `(tokens,)` int32 segment (0 or 1).
        sequence: `(tokens,)` int32 which sequence a token belongs to, rising.
        token_weights: `(tokens,)` float32, 0 on filler.
        example_of_sequence: `(sequences,)` int32; a long text is several sequences of one example.
        window_start: `(sequences,)` int32 where the sequence starts in its example's tokens.
        num_sequences: how many sequences there are (a Python int where shapes are static).
        num_examples: how many examples there are.
        longest: length of the longest sequence.
        features: what the task added, each along the axis that its name has in the task's `axes`.
    """

    ids: Tensor
    positions: Tensor
    segments: Tensor
    sequence: Tensor
    token_weights: Tensor
    example_of_sequence: Tensor
    window_start: Tensor
    num_sequences: Any
    num_examples: Any
    longest: Any
    features: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "TokenBatch":
        """A batch from the flat dict that the data pipeline delivers: the fields above and features.

        `num_examples` may be among them (a scalar); without it every sequence is one example.
        """
        tensors = dict(tensors)
        named = {name: tensors.pop(name) for name in TOKEN_FIELDS + SEQUENCE_FIELDS}
        num_sequences = ops.shape(named["example_of_sequence"])[0]
        return cls(
            **named,
            num_sequences=num_sequences,
            num_examples=tensors.pop("num_examples", num_sequences),
            longest=ops.max(named["positions"], initial=-1) + 1,
            features=tensors,
        )

    @classmethod
    def from_lengths(cls, ids: Tensor, lengths: Tensor, segments: Tensor | None = None) -> "TokenBatch":
        """A batch of one sequence an example.

        Args:
            ids: `(tokens,)` int32, sequence behind sequence.
            lengths: `(sequences,)` int32, each at least 1.
            segments: `(tokens,)` int32; 0 everywhere if not given.
        """
        lengths = ops.cast(lengths, "int32")
        num_sequences = ops.shape(lengths)[0]
        sequence = ops.repeat(ops.arange(num_sequences, dtype="int32"), lengths)  # (tokens,)
        starts = ops.cumsum(lengths) - lengths  # (sequences,)
        num_tokens = ops.shape(ids)[0]
        return cls(
            ids=ids,
            positions=ops.arange(num_tokens, dtype="int32") - ops.take(starts, sequence),
            segments=ops.zeros_like(ids) if segments is None else segments,
            sequence=sequence,
            token_weights=ops.ones((num_tokens,), dtype="float32"),
            example_of_sequence=ops.arange(num_sequences, dtype="int32"),
            window_start=ops.zeros_like(lengths),
            num_sequences=num_sequences,
            num_examples=num_sequences,
            longest=ops.max(lengths, initial=0),
        )

    def to_rows(self, values: Tensor) -> Tensor:
        """Scatter `(tokens, …)` to `(sequences, longest, …)`; places without a token are 0."""
        slots = ops.shape(values)[1:]
        rows = ops.scatter(self._place[:, None], values, (self.num_sequences * self.longest, *slots))
        return ops.reshape(rows, (self.num_sequences, self.longest, *slots))

    def from_rows(self, rows: Tensor) -> Tensor:
        """Gather `(sequences, longest, …)` back to `(tokens, …)`."""
        slots = ops.shape(rows)[2:]
        return ops.take(ops.reshape(rows, (self.num_sequences * self.longest, *slots)), self._place, axis=0)

    def attention_mask(self) -> Tensor:
        """`(sequences, 1, 1, longest)` bool: which keys a query of that row may look at."""
        return self.to_rows(self.token_weights)[:, None, None, :] > 0

    def first(self, hidden: Tensor) -> Tensor:
        """The first token of each sequence: `(tokens, hidden)` → `(sequences, hidden)`."""
        lengths = self._sum(ops.ones_like(self.sequence))  # (sequences,)
        return ops.take(hidden, ops.cumsum(lengths) - lengths, axis=0)

    def mean(self, hidden: Tensor) -> Tensor:
        """The weighted mean over the tokens of each sequence: `(tokens, hidden)` → `(sequences, hidden)`."""
        weights = self.token_weights[:, None]  # (tokens, 1), float32: a bfloat16 sum stands still at 256
        total = self._sum(ops.cast(hidden, "float32") * weights)
        return ops.cast(total / ops.maximum(self._sum(weights), 1e-9), hidden.dtype)

    def _sum(self, values: Tensor) -> Tensor:
        return ops.segment_sum(values, self.sequence, num_segments=self.num_sequences)

    @property
    def _place(self) -> Tensor:
        return self.sequence * self.longest + self.positions
