"""Writing what `readers/json_lines.py` reads."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_ft.data.readers.registry import is_compressed


def write_jsonl(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a JSON object a line, packed where the name ends in `.gz`; equal records give equal files.

    Args:
        path: `.jsonl` or `.jsonl.gz`; its folder is made.
        records: column name → value.
    """
    content = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if is_compressed(path) else content)
