"""Learn the vocabulary of the abstracts and titles in data/, which are part of the repository.

    python pipelines/summarization/prepare.py

With files it also makes the data again: dev.tsv and test.tsv of benchmark/ts in https://github.com/ydli-ai/CSL, whose
lines are a task, an abstract and a title (files ending in .jsonl with document and summary are read as well).

    python pipelines/summarization/prepare.py dev.tsv test.tsv
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
HELD_OUT = {"validation": 100, "test": 300}
TOKENS = 6000
Paper = tuple[str, str]  # abstract, title


def read_papers(path: Path) -> Iterator[Paper]:
    if path.suffix == ".jsonl":
        columns = [[str(record.get(name, "")) for name in ("document", "summary")] for _, record in read_records(path)]
    else:
        columns = [line.split("\t")[1:] for line in path.read_text(encoding="utf-8").split("\n")]
    found = [(row[0].strip(), row[1].strip()) for row in columns if len(row) == 2 and all(map(str.strip, row))]
    if not found:
        raise RequestError(f"{path} holds no papers; lines should be a task, a tab, an abstract, a tab, a title")
    yield from found


def make_data(files: list[str]) -> None:
    distinct = {
        (normalize(paper[0]), normalize(paper[1])): paper for name in files for paper in read_papers(Path(name))
    }
    records = [{"abstract": abstract, "title": title} for abstract, title in distinct.values()]
    keys = [[("abstract", abstract), ("title", title)] for abstract, title in distinct]
    parts = write_splits(DATA, records, keys, HELD_OUT, ".jsonl.gz")
    print(", ".join(f"{name}: {len(part):,} papers" for name, part in parts.items()))


def main(files: list[str]) -> None:
    if files:
        make_data(files)
    records = (record for _, record in read_records(DATA / "train.jsonl.gz"))
    tokens = learn_byte_pair((record[name] for record in records for name in ("abstract", "title")), TOKENS, DATA)
    print(f"vocabulary: {tokens:,} tokens")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RequestError, OSError) as error:
        sys.exit(str(error))
