"""Turn GoEmotions into data/; it is not part of this repository.

    python pipelines/multilabel/prepare.py goemotions/data

The folder holds train.tsv, dev.tsv, test.tsv and emotions.txt of goemotions/data in
https://github.com/google-research/google-research (Demszky et al. 2020, Apache-2.0): a comment, the numbers of its
emotions with commas between them, and an id. Files ending in .jsonl with text and labels are read as well. Comments
of validation or test that training has too are taken out of training.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_ft.data.json_lines import write_jsonl
from keras_ft.data.readers.source import read_records
from keras_ft.errors import RequestError
from keras_ft.inspection.normal_text import normalize

DATA = Path(__file__).parent / "data"
FILES = {"train": "train", "validation": "dev", "test": "test"}
Comment = dict[str, Any]


def read_comments(folder: Path, name: str) -> Iterator[Comment]:
    packed = folder / f"{name}.jsonl"
    if packed.is_file():
        yield from ({"text": record["text"], "labels": record["labels"]} for _, record in read_records(packed))
        return
    path = folder / f"{name}.tsv"
    if not path.is_file():
        raise RequestError(f"{folder} holds neither {name}.tsv nor {name}.jsonl; give the folder of GoEmotions' data")
    emotions = (folder / "emotions.txt").read_text(encoding="utf-8").split()
    for line in path.read_text(encoding="utf-8").splitlines():
        text, numbers, *_ = line.split("\t")
        yield {"text": text, "labels": [emotions[int(number)] for number in numbers.split(",")]}


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        raise RequestError("name the folder of the data: python pipelines/multilabel/prepare.py goemotions/data")
    parts = {part: list(read_comments(Path(arguments[0]), name)) for part, name in FILES.items()}
    measured = {normalize(comment["text"]) for part in ("validation", "test") for comment in parts[part]}
    parts["train"] = [comment for comment in parts["train"] if normalize(comment["text"]) not in measured]
    for part, comments in parts.items():
        write_jsonl(DATA / f"{part}.jsonl", comments)
    print(", ".join(f"{part}: {len(comments):,} comments" for part, comments in parts.items()))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RequestError, OSError) as error:
        sys.exit(str(error))
