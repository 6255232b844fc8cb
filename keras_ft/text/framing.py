"""What stands before, between and behind texts in a sequence, which each vocabulary knows for its models."""

from typing import Protocol


class Framing(Protocol):
    """A vocabulary as `assemble` asks it: BERT says [CLS] a [SEP] b [SEP], RoBERTa <s> a </s> </s> b </s>."""

    @property
    def begin_ids(self) -> list[int]:
        """The ids before a text, or before the first of a pair."""

    @property
    def between_ids(self) -> list[int]:
        """The ids between the texts of a pair, of the first one's segment."""

    @property
    def end_ids(self) -> list[int]:
        """The ids behind a text, or behind the second of a pair."""

    @property
    def second_segment(self) -> int:
        """The segment of the second text of a pair and of what is behind it; the first one's is 0."""
