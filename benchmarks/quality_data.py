"""The sets of `quality.py`: what each side is given, row for row, and how it learns from them.

Standard library alone: the Python with torch imports it too.
"""

import json
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MOST_TRAINING_ROWS = 4000
BATCH_SIZE = 32
WARMUP, WEIGHT_DECAY, CLIP_NORM, DROPOUT = 0.1, 0.01, 1.0, 0.1
MARKERS = ("<e1>", "</e1>", "<e2>", "</e2>")
WINDOW_STRIDE, N_BEST, MOST_ANSWER_TOKENS = 128, 20, 30
OUT_OF_SCOPE = "oos"

Row = dict[str, Any]


@dataclass(frozen=True)
class QualitySet:
    """A data set, and how both sides learn from it.

    Attributes:
        title: in the table.
        folder: under the data.
        task: keras_ft's name of it.
        columns: of a row that are read.
        epochs, learning_rate: of both sides.
        max_length: tokens of a text, or of a window.
        compared: the metrics that the bars are on.
        seeds: so many runs of each side.
        train_file, test_file: without .jsonl.
        validation: a file; a number is so many training rows behind those that are trained on.
        evenly: whether the training rows are taken evenly from the whole file rather than from its beginning; for
            files sorted by label.
        every_label: whether labels that are first met behind the training rows get a row there, in place of the last:
            keras_ft refuses test rows with a label that no training row has.
        options: of keras_ft's task, where not the default.
        rival: the set whose results of transformers are compared with; its own where None.
    """

    title: str
    folder: str
    task: str
    columns: tuple[str, ...]
    epochs: int
    learning_rate: float
    max_length: int
    compared: tuple[str, ...]
    seeds: int = 1
    train_file: str = "train"
    test_file: str = "test"
    validation: str | int = "dev"
    evenly: bool = False
    every_label: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    rival: str | None = None


SETS = {
    "clinc150": QualitySet(
        "CLINC150", "en_intent/clinc150", "classification", ("text", "label"),
        epochs=5, learning_rate=2e-4, max_length=64, compared=("accuracy", "oos_recall"), evenly=True,
    ),
    "goemotions": QualitySet(
        "GoEmotions", "multilabel/goemotions", "multilabel", ("text", "labels"),
        epochs=5, learning_rate=3e-4, max_length=128, compared=("micro_f1", "macro_f1"),
    ),
    "conll2003": QualitySet(
        "CoNLL-2003", "ner/conll2003_en", "tagging", ("tokens", "tags"),
        epochs=3, learning_rate=1e-4, max_length=256, compared=("f1",), train_file="train_noleak",
    ),
    "stsb": QualitySet(
        "STS-B", "pairs/stsb", "regression", ("text_a", "text_b", "label"),
        epochs=3, learning_rate=1e-4, max_length=128, compared=("spearman",), seeds=3,
        train_file="train_noleak", test_file="dev", validation=500,
    ),
    "mrpc": QualitySet(
        "MRPC", "pairs/mrpc", "pair", ("text_a", "text_b", "label"),
        epochs=3, learning_rate=1e-4, max_length=128, compared=("accuracy", "f1"), seeds=3,
    ),
    "semeval": QualitySet(
        "SemEval-2010 task 8", "relation_extraction/semeval2010_task8", "relation", ("text", "label"),
        epochs=5, learning_rate=3e-4, max_length=128, compared=("macro_f1",), seeds=3, every_label=True,
    ),
    "squad": QualitySet(
        "SQuAD 2.0, half", "qa_extractive/squad_v2_devhalf_en", "span_qa",
        ("id", "title", "context", "question", "answers", "is_impossible"),
        epochs=3, learning_rate=3e-4, max_length=384, compared=("exact_match", "f1"),
        options={"stride": WINDOW_STRIDE},
    ),
}  # fmt: skip
SETS["conll2003_crf"] = replace(  # transformers has no such head
    SETS["conll2003"], title="CoNLL-2003, CRF", options={"crf": True}, rival="conll2003"
)


def settings_of(name: str, seed: int) -> dict[str, Any]:
    """What a result hangs on, as its file records it; a result with other settings is void."""
    shared = {
        "training_rows": MOST_TRAINING_ROWS,
        "batch_size": BATCH_SIZE,
        "schedule": "linear",
        "warmup": WARMUP,
        "weight_decay": WEIGHT_DECAY,
        "clip_norm": CLIP_NORM,
        "dropout": DROPOUT,
        "precision": "float32",
        "backbone": "minilm_l6_en_uncased",
    }
    dropped = ["title", "compared", "seeds", "every_label", "rival", *([] if SETS[name].options else ["options"])]
    described = {key: value for key, value in asdict(SETS[name]).items() if key not in dropped}
    return json.loads(json.dumps({"seed": seed, **described, **shared}))


def rows_of(name: str, split: str) -> list[Row]:
    """The rows of `train`, `validation` or `test` that both sides see, with the columns that matter alone."""
    it = SETS[name]
    if split == "test":
        rows = _read(it.folder, it.test_file)
    elif split == "validation" and isinstance(it.validation, str):
        rows = _read(it.folder, it.validation)
    elif split == "validation":
        assert not it.evenly  # the rows behind the training rows would be among them
        rows = _read(it.folder, it.train_file)[MOST_TRAINING_ROWS : MOST_TRAINING_ROWS + it.validation]
    else:
        rows = _read(it.folder, it.train_file)
        behind = rows[MOST_TRAINING_ROWS:] if it.every_label else []
        rows = _spread(rows, MOST_TRAINING_ROWS) if it.evenly else rows[:MOST_TRAINING_ROWS]
        late = _of_new_labels(behind, {row["label"] for row in rows}) if behind else []
        rows = rows[: len(rows) - len(late)] + late
    return [{column: row[column] for column in it.columns} for row in rows]


def write_rows(rows: list[Row], path: Path) -> Path:
    """Write rows as JSON lines; returns the path."""
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def labels_of(rows: list[Row]) -> list[str]:
    """The labels of training rows, sorted."""
    return sorted({str(row["label"]) for row in rows})


def _of_new_labels(rows: list[Row], known: set[str]) -> list[Row]:
    """The first row of each label that is not among those known."""
    first = {row["label"]: row for row in reversed(rows)}
    return [row for label, row in first.items() if label not in known]


def _spread(rows: list[Row], count: int) -> list[Row]:
    """So many rows, evenly from beginning to end, so that each label of a sorted file keeps its share."""
    return [rows[i * len(rows) // count] for i in range(count)] if len(rows) > count else rows


def _read(folder: str, file: str) -> list[Row]:
    path = DATA / folder / f"{file}.jsonl"
    if not path.is_file():
        sys.exit(f"{path} is absent: it should hold one JSON object a line")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
