"""Where the examples of a split came from: a digest to know them by, and their texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_ft.data.arrays import Arrays, TokenArrays
from keras_ft.data.fingerprint import fingerprint
from keras_ft.data.malformed import Malformed, refusal
from keras_ft.data.readers import Source
from keras_ft.data.rows import pick_rows
from keras_ft.recipe import DataSection
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import read_examples
from keras_ft.text.load import Tokenizer


@dataclass(frozen=True)
class Origin:
    """The rows that arrays were made from.

    Attributes:
        sources: read one behind the other.
        columns: the task's column → the file's; a column not named here has the same name in the file.
        arrays: the examples; where they are rows, by their numbers over the rows of all sources.
        digest: the same for two splits if they are the same columns of the same rows of equal sources.
        malformed: what the recipe says of rows that cannot be read.
        tokenizer: tells the texts of examples that are no rows; without it they have none.
    """

    sources: list[Source]
    columns: dict[str, str]
    arrays: Arrays
    digest: str
    malformed: Malformed = "refuse"
    tokenizer: Tokenizer | None = None

    @classmethod
    def of(
        cls, sources: list[Source], data: DataSection, arrays: Arrays, tokenizer: Tokenizer | None = None
    ) -> "Origin":
        """The origin of arrays that were made from these sources as they are now, read as a recipe's `data` says."""
        renamed = {name: column for name, column in data.columns.items() if name != column}
        digest = fingerprint(sources, {"columns": renamed, **arrays.identity})
        return cls(sources, data.columns, arrays, digest, data.malformed, tokenizer)

    def __str__(self) -> str:
        names = ", ".join(source.name for source in self.sources)
        if not isinstance(self.arrays, TokenArrays):
            return f"{names} in {self.arrays.num_examples:,} blocks"
        return f"{self.arrays.num_examples:,} rows of {names}" if self.arrays.is_selection else names

    def texts(self, task: Task, examples: Sequence[int]) -> list[dict[str, str]]:
        """The texts of some examples, by the task's column, in the order asked for; of a block what its tokens say.

        Args:
            task: names its text columns.
            examples: numbers within the arrays.

        Raises:
            RequestError: a file is gone, or a column or value is wrong.
        """
        if not isinstance(self.arrays, TokenArrays):
            return self._written(self.arrays, examples)
        found = self.rows(task, examples)
        shown = [name for name in task.feature_columns if name in found]
        return [{name: _as_text(found[name][i]) for name in shown} for i in range(len(examples))]

    def rows(self, task: Task, examples: Sequence[int]) -> dict[str, list]:
        """The task's columns of some examples that are rows, in the order asked for; raises as `texts` does."""
        assert isinstance(self.arrays, TokenArrays)
        chunks = read_examples(task, self.sources, self.columns, refusal(self.malformed))
        return pick_rows(chunks, self.arrays.rows[list(examples)])

    def _written(self, arrays: Arrays, examples: Sequence[int]) -> list[dict[str, str]]:
        if self.tokenizer is None:
            return []
        batch = arrays.gather(np.array(examples))
        ids = tf.RaggedTensor.from_value_rowids(batch["ids"], batch["sequence"], nrows=len(examples))
        return [{"text": text.decode()} for text in self.tokenizer.detokenize(ids).numpy()]


def _as_text(value: str | list[str] | None) -> str:
    return "\n".join(value) if isinstance(value, list) else value or ""
