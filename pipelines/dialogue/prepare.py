"""Learn the vocabulary of the dialogues in data/, which are part of the repository.

    python pipelines/dialogue/prepare.py

With files it also makes the data again: the .yml files of chatterbot_corpus/data/english and /chinese in
https://github.com/gunthercox/chatterbot-corpus (files ending in .jsonl with category and turns are read as well).

    python pipelines/dialogue/prepare.py english/*.yml chinese/*.yml

In some files what follows a question are several answers to it, not a conversation: each becomes a dialogue of its own.
All dialogues that begin alike are in one split.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from keras_ft.data.grouped_split import write_splits
from keras_ft.data.readers.source import read_records
from keras_ft.errors import RequestError
from keras_ft.inspection.normal_text import normalize
from keras_ft.text.learn_byte_pair import learn_byte_pair

DATA = Path(__file__).parent / "data"
HELD_OUT = {"validation": 120, "test": 120}
TOKENS = 3000
SEVERAL_ANSWERS = ("ai", "computers", "emotion")
Dialogue = tuple[str, ...]


def read_conversations(path: Path) -> Iterator[tuple[str, list]]:
    """The category and the turns of each."""
    if path.suffix == ".jsonl":
        for _, record in read_records(path):
            yield record.get("category", ""), record.get("turns", [])
        return
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RequestError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("conversations"), list):
        raise RequestError(f"{path} holds no 'conversations'; it should be a file of the chatterbot corpus")
    for turns in content["conversations"]:
        yield path.stem, turns


def dialogues(path: Path) -> Iterator[Dialogue]:
    for category, found in read_conversations(path):
        if not isinstance(found, list):
            continue  # a line of the corpus that lacks its dash
        turns = tuple(" ".join(str(turn).split()) for turn in found)
        if len(turns) < 2 or not all(turns):
            continue
        if category in SEVERAL_ANSWERS:
            yield from ((turns[0], answer) for answer in turns[1:])
        else:
            yield turns


def make_data(files: list[str]) -> None:
    distinct = {tuple(map(normalize, turns)): turns for name in files for turns in dialogues(Path(name))}
    records = [{"turns": list(turns)} for turns in distinct.values()]
    parts = write_splits(DATA, records, [turns[:1] for turns in distinct], HELD_OUT)
    print(", ".join(f"{name}: {len(part):,} dialogues" for name, part in parts.items()))


def main(files: list[str]) -> None:
    if files:
        make_data(files)
    turns = (turn for _, record in read_records(DATA / "train.jsonl") for turn in record["turns"])
    print(f"vocabulary: {learn_byte_pair(turns, TOKENS, DATA):,} tokens")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RequestError, OSError) as error:
        sys.exit(str(error))
