"""Read the files of SemEval-2010 task 8, and write data/train.jsonl and data/test.jsonl.

    python pipelines/relation/prepare.py TRAIN_FILE.TXT TEST_FILE_FULL.TXT

Both are in SemEval2010_task8_all_data.zip (https://semeval2.fbk.eu/semeval2.php?location=data, Hendrickx et al. 2010):
`1<tab>"The <e1>church</e1> has six <e2>portals</e2>."`, the relation on the next line, a comment, an empty line. Files
that hold `text` and `label` (.jsonl, .csv, …) are read as well.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from keras_ft.data.readers.source import read_records
from keras_ft.errors import RequestError
from keras_ft.tasks.relation_rows import check_marked

DATA = Path(__file__).parent / "data"
SENTENCE = re.compile(r'\d+\t"?(?P<text>.*?)"?\s*')


def read(path: Path) -> Iterator[dict[str, str]]:
    if path.suffix.lower() != ".txt":
        for _, record in read_records(path):
            yield {"text": record["text"], "label": record["label"]}
        return
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    for number, line in enumerate(lines[:-1]):
        match = SENTENCE.fullmatch(line)
        if match:
            check_marked(match["text"], f"{path.name} line {number + 1}")
            yield {"text": match["text"], "label": lines[number + 1].strip()}


def main(files: list[str]) -> None:
    if len(files) != 2:
        raise RequestError("give the training file and the test file: prepare.py TRAIN_FILE.TXT TEST_FILE_FULL.TXT")
    DATA.mkdir(exist_ok=True)
    for split, name in zip(("train", "test"), files, strict=True):
        rows = list(read(Path(name)))
        if not rows:
            raise RequestError(f'{name} holds no sentences; its lines should be a number, a tab, "a sentence"')
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (DATA / f"{split}.jsonl").write_text(content, encoding="utf-8")
        print(f"{split}: {len(rows):,} sentences, {len({row['label'] for row in rows})} relations")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RequestError, OSError, KeyError) as error:
        sys.exit(str(error))
