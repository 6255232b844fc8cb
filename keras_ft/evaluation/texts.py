"""What a model wrote for the examples of a split, beside what was wanted: `RUN/predictions/SPLIT_texts.jsonl`.

One JSON object a line: {"row": 0, "source": "Hi.", "reference": "你好。", "text": "嗨。", "num_tokens": 3,
"score": -1.2, "ended": true}. Reports and comparisons read it; no model is needed.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.paths import write_whole


@dataclass(frozen=True)
class GeneratedText:
    """What was written for one example.

    Attributes:
        row: of the split's data, from 0.
        source: what the model was given, for people to read.
        reference: what was wanted.
        text: what it wrote.
        num_tokens: of `text`.
        score: log-likelihood of `text`, NaN where it is not known.
        ended: whether it came to an end by itself; False where it was cut at `max_new_tokens`.
    """

    row: int
    source: str
    reference: str
    text: str
    num_tokens: int
    score: float
    ended: bool


KINDS: dict[str, type | tuple[type, ...]] = {
    "row": int,
    "source": str,
    "reference": str,
    "text": str,
    "num_tokens": int,
    "score": (int, float),
    "ended": bool,
}


def write_texts(path: Path, records: Iterable[GeneratedText]) -> None:
    """Write the file, whole or not at all; its folder is made."""
    lines = []
    for record in records:
        score = record.score if math.isfinite(record.score) else None  # JSON has no NaN
        lines.append(json.dumps({**asdict(record), "score": score}, ensure_ascii=False) + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(lines))


def read_texts(path: Path) -> list[GeneratedText]:
    """Read the file; an absent one holds none.

    Raises:
        RequestError: the file is damaged.
    """
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            found.append(_record(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            problem = f"line {number} of {path} is damaged ({error!r})"
            raise RequestError(f"{problem}; delete the file, and the report has no samples") from None
    return found


def _record(values: Any) -> GeneratedText:
    if values["score"] is None:
        values["score"] = math.nan
    for name, kind in KINDS.items():
        if not isinstance(values[name], kind):
            raise TypeError(f"'{name}' is {values[name]!r}")
    return GeneratedText(**{name: values[name] for name in KINDS})
