"""Where the examples of a split came from: a digest to know them by, and their texts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_ft.data.arrays import TokenArrays
from keras_ft.data.fingerprint import fingerprint
from keras_ft.data.readers import Source
from keras_ft.data.rows import pick_rows
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import read_examples


@dataclass(frozen=True)
class Origin:
    """The rows that arrays were made from.

    Attributes:
        sources: read one behind the other.
        columns: the task's column → the file's; a column not named here has the same name in the file.
        arrays: whose `rows` are numbers over the rows of all sources.
        digest: the same for two splits if they are the same columns of the same rows of equal sources.
    """

    sources: list[Source]
    columns: dict[str, str]
    arrays: TokenArrays
    digest: str

    @classmethod
    def of(cls, sources: list[Source], columns: dict[str, str], arrays: TokenArrays) -> "Origin":
        """The origin of arrays that were made from these sources as they are now."""
        renamed = {name: column for name, column in columns.items() if name != column}
        rows = hashlib.sha256(arrays.rows.astype(np.int64).tobytes()).hexdigest()
        return cls(sources, columns, arrays, fingerprint(sources, {"columns": renamed, "rows": rows}))

    def __str__(self) -> str:
        names = ", ".join(source.name for source in self.sources)
        return f"{self.arrays.num_examples:,} rows of {names}" if self.arrays.is_selection else names

    def texts(self, task: Task, examples: Sequence[int]) -> list[dict[str, str]]:
        """The texts of some examples, by the task's column, in the order asked for.

        Args:
            task: names its text columns.
            examples: numbers within the arrays.

        Raises:
            RequestError: a file is gone, or a column or value is wrong.
        """
        rows = self.arrays.rows[list(examples)]
        found = pick_rows(read_examples(task, self.sources, self.columns), rows)
        return [{name: found[name][i] for name in task.text_columns} for i in range(len(rows))]
