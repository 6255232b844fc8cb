"""SST-2, the sentences of film reviews that every benchmark here reads (Socher et al. 2013)."""

import json
import random
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "en_classification" / "sst2"


def read(split: str) -> list[dict]:
    """The rows of `train`, `dev` or `test`, shuffled the same way each time: `{"text": …, "label": 0 or 1}`.

    Where the file is absent, the process ends with a line that says so.
    """
    path = FOLDER / f"{split}.jsonl"
    if not path.is_file():
        sys.exit(f'{path} is absent: put SST-2 there, one {{"text": …, "label": 0 or 1}} a line')
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    random.Random(0).shuffle(rows)
    return rows
