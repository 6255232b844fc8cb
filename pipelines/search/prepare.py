"""Turn the bank customers' questions of pipelines/intent into data/: each with the title of what it asks about.

    python pipelines/search/prepare.py

Writes train.jsonl, validation.jsonl, test.jsonl (text_a a question, text_b its title), and to be searched titles.jsonl
(the 77 titles) and questions.jsonl (the questions of training, each with an id of its own).
"""

from pathlib import Path
from typing import Any

from keras_ft.data.json_lines import write_jsonl
from keras_ft.data.readers.source import read_records

QUESTIONS = Path(__file__).parents[1] / "intent" / "data"
DATA = Path(__file__).parent / "data"
Record = dict[str, Any]


def title(label: str) -> str:
    """The words of a label: `Refund_not_showing_up` → `refund not showing up`."""
    return label.replace("_", " ").replace("?", "").lower()


def main() -> None:
    found: dict[str, list[Record]] = {}
    for split in ("train", "validation", "test"):
        found[split] = [record for _, record in read_records(QUESTIONS / f"{split}.jsonl")]
        pairs = [{"text_a": record["text"], "text_b": title(record["label"])} for record in found[split]]
        write_jsonl(DATA / f"{split}.jsonl", pairs)
        print(f"{split}: {len(pairs):,} pairs")
    labels = sorted({record["label"] for record in found["train"]})
    write_jsonl(DATA / "titles.jsonl", [{"id": label, "text": title(label)} for label in labels])
    questions = [
        {"id": f"{record['label']}/{number}", "text": record["text"]} for number, record in enumerate(found["train"])
    ]
    write_jsonl(DATA / "questions.jsonl", questions)
    print(f"to be searched: {len(labels)} titles, {len(questions):,} questions")


if __name__ == "__main__":
    main()
