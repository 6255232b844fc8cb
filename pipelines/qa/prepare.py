"""Turn question-answering data into data/english or data/chinese.

    python pipelines/qa/prepare.py english dev-v2.0.json
    python pipelines/qa/prepare.py chinese cmrc2018_dev.json

English: data/dev-v2.0.json of https://github.com/chrischute/squad, which is half of the development set of SQuAD 2.0
(CC BY-SA 4.0), 16 articles; two of them are for validation, three for the test. Chinese: a file of squad-style-data in
https://github.com/ymcui/cmrc2018 (CC BY-SA 4.0); all questions of a context are in one split. Rows as .jsonl with the
columns title, context, question and answers are read as well; several files are taken together.

Answers that do not stand where they say are left out and counted, and with them questions that lose their only answer.
For Chinese, the vocabulary is learned too: the characters of the training contexts and questions.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_ft.data.grouped_split import grouped_split
from keras_ft.data.json_lines import write_jsonl
from keras_ft.data.readers.source import read_records
from keras_ft.errors import RequestError

DATA = Path(__file__).parent / "data"
COLUMNS = ("id", "title", "context", "question")
ARTICLES = {
    "validation": {"1973_oil_crisis", "French_and_Indian_War"},
    "test": {"Huguenot", "Scottish_Parliament", "Yuan_dynasty"},
}
HELD_OUT = {"validation": 300, "test": 500}
Row = dict[str, Any]


def read_questions(path: Path) -> Iterator[tuple[Row, int]]:
    """Each question with the answers that stand where they say, and how many do not."""
    for _, record in read_records(path):
        answers = record["answers"]
        if isinstance(answers, dict):
            pairs = zip(answers["text"], answers["answer_start"], strict=True)
            answers = [{"text": text, "answer_start": start} for text, start in pairs]
        right = [a for a in answers if a["answer_start"] >= 0 and _stands(record["context"], a)]
        wrong = len(answers) - len(right)
        if right or not answers:
            yield {**{name: record.get(name, "") for name in COLUMNS}, "answers": right}, wrong
        else:
            print(f"left out: question {record.get('id')}, none of whose answers stands where it says")


def _stands(context: str, answer: Row) -> bool:
    return context.startswith(answer["text"], answer["answer_start"])


def by_article(rows: list[Row]) -> dict[str, list[Row]]:
    parts: dict[str, list[Row]] = {"train": [], **{name: [] for name in ARTICLES}}
    for row in rows:
        title = row["title"].replace(" ", "_")
        parts[next((name for name, titles in ARTICLES.items() if title in titles), "train")].append(row)
    return parts


def by_context(rows: list[Row]) -> dict[str, list[Row]]:
    numbers = grouped_split([[row["context"]] for row in rows], HELD_OUT)
    return {name: [rows[i] for i in part] for name, part in numbers.items()}


def write_vocabulary(path: Path, rows: list[Row]) -> int:
    """BERT's special tokens, every character that occurs twice at least, and Latin letters and digits in words."""
    texts = [text for row in rows for text in (row["context"], row["question"])]
    counts = Counter(character for text in texts for character in text.lower() if not character.isspace())
    characters = [character for character, count in counts.most_common() if count > 1]
    inner = [f"##{character}" for character in characters if character.isascii() and character.isalnum()]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *inner]
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    return len(tokens)


def main(arguments: list[str]) -> None:
    if len(arguments) < 2 or arguments[0] not in ("english", "chinese"):
        raise RequestError("say which language, and name its files: prepare.py english dev-v2.0.json")
    language, *files = arguments
    found = [question for name in files for question in read_questions(Path(name))]
    rows = [row for row, _ in found]
    print(f"answers left out that do not stand where they say: {sum(wrong for _, wrong in found):,}")
    parts = by_article(rows) if language == "english" else by_context(rows)
    if not all(parts.values()):
        titles = ", ".join(sorted({row["title"] for row in rows})[:5])
        raise RequestError(f"no questions are left for a split; the articles are {titles}, not those of dev-v2.0.json")
    for name, part in parts.items():
        write_jsonl(DATA / language / f"{name}.jsonl", part)
        print(f"{language} {name}: {len(part):,} questions, {sum(not row['answers'] for row in part):,} without answer")
    if language == "chinese":
        print(f"vocabulary: {write_vocabulary(DATA / language / 'vocab.txt', parts['train']):,} tokens")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RequestError, OSError, KeyError, TypeError) as error:
        sys.exit(f"{type(error).__name__}: {error}" if isinstance(error, KeyError | TypeError) else str(error))
