"""Tiny recipes of pair, multilabel and regression, with rows in English and Chinese."""

from pathlib import Path

from tests.tiny import BAD, GOOD, write_jsonl, write_recipe

TEXTS = [*GOOD, *BAD]


def pooled_rows(task: str, count: int) -> list[dict]:
    """Rows whose answers a tiny model can learn from the words."""
    rows = []
    for i in range(count):
        a, b = i % 12, i * 7 % 12
        same = (a < 6) == (b < 6)
        if task == "multilabel":
            labels = (["good"] if a < 6 else []) + (["中"] if a in (3, 7) else [])
            rows.append({"text": f"{TEXTS[a]} {i}", "labels": labels})
        else:
            label = ("same" if same else "other") if task == "pair" else 300.0 * same + 100.0 * (a < 6)
            rows.append({"text_a": f"{TEXTS[a]} {i}", "text_b": TEXTS[b], "label": label})
    return rows


def write_pooled_recipe(folder: Path, task: str, epochs: int = 10) -> Path:
    path = write_recipe(folder, task=task, train=f"{{epochs: {epochs}, batch_size: 8, learning_rate: 3.0e-3}}")
    write_jsonl(folder / "train.jsonl", pooled_rows(task, 64))
    write_jsonl(folder / "test.jsonl", pooled_rows(task, 24))
    return path
