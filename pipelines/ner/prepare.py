"""Turn CoNLL-2003 into data/english, or CLUENER 2020 into data/chinese; neither is part of this repository.

    python pipelines/ner/prepare.py english conll2003
    python pipelines/ner/prepare.py chinese cluener

English: a folder with train, valid (or dev, testa) and test (or testb) of CoNLL-2003 (Tjong Kim Sang and De Meulder
2003), as .txt, .conll or .jsonl with tokens and tags. The texts are Reuters', to be had from NIST for research.
Chinese: a folder with train and dev of CLUENER 2020 (Xu et al. 2020, arXiv:2001.04351), as .json with `text` and
`label` or .jsonl with `text` and `spans`; its test set has no labels, so dev is for the test, and a part of train for
validation.

Sentences of validation or test that training has too are taken out of training. For Chinese, the vocabulary is learned:
the characters of the training texts.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_ft.data.grouped_split import grouped_split
from keras_ft.data.json_lines import write_jsonl
from keras_ft.data.readers.conll import read_conll
from keras_ft.data.readers.source import read_records
from keras_ft.errors import RequestError
from keras_ft.text.learn_characters import learn_characters

DATA = Path(__file__).parent / "data"
NAMES = {"train": ("train",), "validation": ("valid", "dev", "testa"), "test": ("test", "testb")}
HELD_OUT = {"validation": 1000}
Row = dict[str, Any]


def find(folder: Path, names: tuple[str, ...], endings: tuple[str, ...]) -> Path:
    paths = [folder / f"{name}{ending}" for name in names for ending in endings]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise RequestError(
            f"{folder} holds none of {', '.join(path.name for path in paths)}; give the folder of the data"
        )
    return found


def english(folder: Path) -> dict[str, list[Row]]:
    parts = {}
    for part, names in NAMES.items():
        path = find(folder, names, (".jsonl", ".conll", ".txt"))
        records = read_records(path) if path.suffix == ".jsonl" else _raised(read_conll(path))
        parts[part] = [{"tokens": record["tokens"], "tags": record["tags"]} for _, record in records]
    return parts


def _raised(records: Any) -> Iterator[tuple[int, Row]]:
    for number, record in records:
        if isinstance(record, RequestError):
            raise record
        yield number, record


def chinese(folder: Path) -> dict[str, list[Row]]:
    train, test = (
        [_with_entities(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for path in (find(folder, (name,), (".jsonl", ".json")) for name in ("train", "dev"))
    )
    numbers = grouped_split([[row["text"]] for row in train], HELD_OUT)
    return {**{part: [train[i] for i in found] for part, found in numbers.items()}, "test": test}


def _with_entities(record: Row) -> Row:
    """CLUENER's own label → text → [[first, last]], or spans; where entities overlap, the longest is kept."""
    if "spans" in record:
        found = [(span["start"], span["end"], span["type"]) for span in record["spans"]]
    else:
        places = ((label, place) for label, names in record["label"].items() for p in names.values() for place in p)
        found = [(first, last + 1, label) for label, (first, last) in places]
    kept: list[tuple[int, int, str]] = []
    for start, end, label in sorted(found, key=lambda entity: entity[0] - entity[1]):
        if all(end <= other[0] or other[1] <= start for other in kept):
            kept.append((start, end, label))
    return {"text": record["text"], "entities": [list(entity) for entity in sorted(kept)]}


def main(arguments: list[str]) -> None:
    if len(arguments) != 2 or arguments[0] not in ("english", "chinese"):
        raise RequestError("say which language, and name the folder of its data: prepare.py english conll2003")
    language, folder = arguments[0], Path(arguments[1])
    parts = english(folder) if language == "english" else chinese(folder)
    measured = {_text(row) for part in ("validation", "test") for row in parts[part]}
    parts["train"] = [row for row in parts["train"] if _text(row) not in measured]
    for part, rows in parts.items():
        write_jsonl(DATA / language / f"{part}.jsonl", rows)
    if language == "chinese":
        count = learn_characters((row["text"] for row in parts["train"]), DATA / language / "vocab.txt")
        print(f"vocabulary: {count:,} tokens")
    print(", ".join(f"{part}: {len(rows):,} texts" for part, rows in parts.items()))


def _text(row: Row) -> str:
    return row.get("text") or " ".join(row["tokens"])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RequestError, OSError) as error:
        sys.exit(str(error))
