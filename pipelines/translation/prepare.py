"""Turn English and Chinese sentences of Tatoeba into data/: files of pairs, and a vocabulary of the training pairs.

    python pipelines/translation/prepare.py cmn.txt

cmn.txt is in cmn-eng.zip of https://www.manythings.org/anki/ (Tatoeba's sentences, CC BY 2.0 FR): English, a tab,
Chinese, and whose sentence it is. Files ending in .jsonl with the columns src and tgt are read as well; several are
taken together. Pairs that differ only in case or punctuation are kept once. Pairs with the same English or the same
Chinese side are in one split, so that no test sentence was seen in training on either side.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from keras_ft.data.grouped_split import write_splits
from keras_ft.data.readers.source import read_records
from keras_ft.errors import RequestError
from keras_ft.inspection.normal_text import normalize
from keras_ft.text.learn_byte_pair import learn_byte_pair

DATA = Path(__file__).parent / "data"
HELD_OUT = {"validation": 1000, "test": 1000}
TOKENS = 8000
Pair = tuple[str, str]


def read_pairs(path: Path) -> Iterator[Pair]:
    if path.suffix == ".jsonl":
        columns = [(str(record.get("src", "")), str(record.get("tgt", ""))) for _, record in read_records(path)]
    else:
        lines = path.read_text(encoding="utf-8").split("\n")
        columns = [[*line.split("\t"), "", ""][:2] for line in lines]
    found = [(source.strip(), target.strip()) for source, target in columns if source.strip() and target.strip()]
    if not found:
        raise RequestError(f"{path} holds no pairs; lines should be English, a tab, Chinese (or JSON with src and tgt)")
    yield from found


def known_by(text: str) -> str:
    return normalize(text) or text  # punctuation alone is all there is of "……"


def main(files: list[str]) -> None:
    if not files:
        raise RequestError("name the downloaded file: python pipelines/translation/prepare.py cmn.txt")
    distinct: dict[Pair, Pair] = {}
    for name in files:
        for source, target in read_pairs(Path(name)):
            distinct.setdefault((known_by(source), known_by(target)), (source, target))
    records = [{"src": source, "tgt": target} for source, target in distinct.values()]
    keys = [[("src", source), ("tgt", target)] for source, target in distinct]
    parts = write_splits(DATA, records, keys, HELD_OUT)
    tokens = learn_byte_pair((text for record in parts["train"] for text in record.values()), TOKENS, DATA)
    print(", ".join(f"{name}: {len(part):,} pairs" for name, part in parts.items()), f"vocabulary: {tokens:,} tokens")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RequestError, OSError) as error:
        sys.exit(str(error))
