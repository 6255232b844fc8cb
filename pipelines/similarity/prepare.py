"""Turn pairs of sentences into data/english and data/chinese; neither is part of this repository.

    python pipelines/similarity/prepare.py english sts-train.csv sts-dev.csv
    python pipelines/similarity/prepare.py chinese train.txt dev.txt test.txt

English: the STS benchmark (Cer et al. 2017), http://ixa2.si.ehu.eus/stswiki; the first file is for training, the second
for the test. Pairs of the test, in either order, are taken out of training. Chinese: LCQMC (Liu et al. 2018), lines of
two questions and 1 or 0 with tabs between them. Its files are taken together and divided anew, so that no question is
in two parts; of the training part the vocabulary is made. Files ending in .jsonl with text_a, text_b and label are
read as well.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_ft.data.grouped_split import write_splits
from keras_ft.data.json_lines import write_jsonl
from keras_ft.data.readers.source import read_records
from keras_ft.errors import RequestError
from keras_ft.inspection.normal_text import normalize
from keras_ft.text.learn_characters import learn_characters

DATA = Path(__file__).parent / "data"
HELD_OUT = {"validation": 1000, "test": 2000}
STS, LCQMC = (5, 6, 4), (0, 1, 2)  # where text_a, text_b and the label stand in a line
Pair = dict[str, Any]


def read_pairs(path: Path, places: tuple[int, int, int]) -> Iterator[Pair]:
    if path.suffix == ".jsonl":
        lines = [[record.get(name) for name in ("text_a", "text_b", "label")] for _, record in read_records(path)]
        places = (0, 1, 2)
    else:
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")]
    found = [[line[place] for place in places] for line in lines if len(line) > max(places) and all(line[:2])]
    if not found:
        raise RequestError(f"{path} holds no pairs; its lines should be columns with tabs between them (or JSON)")
    for text_a, text_b, label in found:
        yield {"text_a": str(text_a).strip(), "text_b": str(text_b).strip(), "label": label}


def known_by(pair: Pair) -> frozenset[str]:
    """The same for two pairs that differ only in case, punctuation or order."""
    return frozenset(normalize(pair[name]) or pair[name] for name in ("text_a", "text_b"))


def english(files: list[Path]) -> None:
    if len(files) != 2:
        raise RequestError("english wants two files, of which the second is the test: sts-train.csv sts-dev.csv")
    train, test = ({known_by(pair): pair for pair in read_pairs(file, STS)} for file in files)
    parts = {"train": [pair for key, pair in train.items() if key not in test], "test": list(test.values())}
    for name, part in parts.items():
        write_jsonl(DATA / "english" / f"{name}.jsonl", [{**pair, "label": float(pair["label"])} for pair in part])
    print(", ".join(f"{name}: {len(part):,} pairs" for name, part in parts.items()))


def chinese(files: list[Path]) -> None:
    distinct = {known_by(pair): pair for file in files for pair in read_pairs(file, LCQMC)}
    records = [{**pair, "label": str(pair["label"]).strip()} for pair in distinct.values()]
    parts = write_splits(DATA / "chinese", records, list(distinct), HELD_OUT)
    texts = (pair[name] for pair in parts["train"] for name in ("text_a", "text_b"))
    tokens = learn_characters(texts, DATA / "chinese" / "vocab.txt")
    print(", ".join(f"{name}: {len(part):,} pairs" for name, part in parts.items()), f"vocabulary: {tokens:,} tokens")


LANGUAGES = {"english": english, "chinese": chinese}


def main(arguments: list[str]) -> None:
    if len(arguments) < 2 or arguments[0] not in LANGUAGES:
        raise RequestError("name a language and the downloaded files: prepare.py english sts-train.csv sts-dev.csv")
    LANGUAGES[arguments[0]](list(map(Path, arguments[1:])))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RequestError, OSError) as error:
        sys.exit(str(error))
