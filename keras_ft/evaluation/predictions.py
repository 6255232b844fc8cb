"""What a model said to each example of a split, on disk: `RUN/predictions/SPLIT.npz`.

    row      (examples,) int64: 0, 1, 2 …, the row of the split's data
    tokens   (examples,) int32: the length of what the encoder saw
    …        what the task's `record` keeps of each example
    meta     a string of JSON: the task, where the rows came from, and a digest of that

The file needs neither TensorFlow nor the model to be read.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError


@dataclass(frozen=True)
class Predictions:
    """A split's predictions, in the order of its rows.

    Attributes:
        task: as `keras_ft.tasks.registry.describe` gives it.
        source: what the rows were read from, for people.
        digest: the same for two files exactly if their rows are of the same data.
        columns: `(examples, …)` arrays by name.
    """

    task: dict[str, Any]
    source: str
    digest: str
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.columns["row"])

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        meta = json.dumps({"task": self.task, "source": self.source, "digest": self.digest}, ensure_ascii=False)
        arrays: dict[str, Any] = {"meta": np.array(meta), **self.columns}
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".writing")
        with scratch.open("wb") as file:
            np.savez_compressed(file, **arrays)
        scratch.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """Read what `write` wrote.

        Raises:
            RequestError: there is no such file, or it is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                columns = {name: file[name] for name in file.files}
            meta = json.loads(str(columns.pop("meta")))
            return cls(meta["task"], meta["source"], meta["digest"], columns)
        except FileNotFoundError:
            raise RequestError(f"{path} is missing: the run is not finished, or of an older keras_ft") from None
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise RequestError(f"{path} is damaged ({error}); restore it or train again") from None
