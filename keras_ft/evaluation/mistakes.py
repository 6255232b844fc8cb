"""The worst mistakes on a split with their texts: `RUN/predictions/SPLIT_mistakes.json`.

A list of `{"row": …, "texts": {column: text}}`, so that a report can be made without the data files.
"""

import json
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError

Mistakes = list[dict[str, Any]]


def write_mistakes(mistakes: Mistakes, path: Path) -> None:
    """Write the file."""
    path.write_text(json.dumps(mistakes, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_mistakes(path: Path) -> Mistakes:
    """Read the file; an absent one holds none.

    Raises:
        RequestError: the file is damaged.
    """
    if not path.is_file():
        return []
    try:
        return [{"row": int(found["row"]), "texts": dict(found["texts"])} for found in json.loads(path.read_bytes())]
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{path} is damaged ({error!r}); delete it, and the report has no texts") from None
