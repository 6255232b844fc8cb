"""`.jsonl`: one JSON object a line."""

import json
from pathlib import Path

from keras_ft.data.readers.lines import lines
from keras_ft.data.readers.registry import Numbered, reads
from keras_ft.errors import RequestError


@reads(".jsonl")
def read_jsonl(path: Path) -> Numbered:
    """Read one JSON object per line; blank lines are skipped."""
    for number, line in lines(path):
        if isinstance(line, RequestError):
            yield number, line
            continue
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            problem = f"is not JSON ({error.msg}, column {error.colno})"
        except (ValueError, RecursionError) as error:  # numbers of thousands of digits, thousands of brackets
            problem = f"is not JSON ({error})"
        else:
            if isinstance(record, dict):
                yield number, record
                continue
            problem = f"holds a JSON {type(record).__name__}"
        advice = 'each line must be one object: {"text": "…", …}'
        yield number, RequestError(f"{path.name} line {number} {problem}; {advice}")
