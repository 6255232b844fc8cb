"""The texts that the benchmarks read: SST-2 (Socher et al. 2013) and AG News (Zhang et al. 2015)."""

import json
import random
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "en_classification"
NAMES = {"sst2": "SST-2", "ag_news": "AG News"}


def path_of(name: str, split: str) -> Path:
    """The file of a split; where it is absent, the process ends with a line that says so."""
    path = FOLDER / name / f"{split}.jsonl"
    if not path.is_file():
        sys.exit(f'{path} is absent: put {NAMES[name]} there, one {{"text": …, "label": …}} a line')
    return path


def read(name: str, split: str) -> list[dict]:
    """The rows of `train`, `dev` or `test`, shuffled the same way each time: `{"text": …, "label": …}`."""
    rows = read_file(path_of(name, split))
    random.Random(0).shuffle(rows)
    return rows


def read_file(path: Path) -> list[dict]:
    """The rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_file(rows: list[dict], path: Path) -> Path:
    """Write rows as JSON lines; returns the path."""
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path
