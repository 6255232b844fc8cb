"""Sentences with two entities, in English and Chinese, for every test of relations."""

from pathlib import Path

from tests.tiny import TOKENS, write_hugging_face, write_jsonl

MARKERS = [f"[unused{number}]" for number in range(1, 5)]
WORDS = [
    "the",
    "in",
    "has",
    "a",
    "of",
    "cat",
    "dog",
    "box",
    "wheel",
    "car",
    "bed",
    "room",
    "works",
    "at",
    "old",
    "new",
    "今",
    "天",
    "在",
    "工",
    "作",
    "的",
    "有",
    "猫",
    "狗",
    "盒",
    "子",
    "车",
    "里",
]
PARTS = [("car", "wheel"), ("room", "bed"), ("box", "cat")]
PLACES = [("猫", "盒子"), ("狗", "车")]


def marked_texts() -> list[tuple[str, str]]:
    """Text and label: a whole before its part, the other way round, and nothing of the kind."""
    rows = []
    for whole, part in PARTS:
        rows.append((f"the <e1>{whole}</e1> has a <e2>{part}</e2>", "Whole(e1,e2)"))
        rows.append((f"the <e2> {whole} </e2> has a new <e1> {part} </e1>.", "Whole(e2,e1)"))
        rows.append((f"a <e1>{part}</e1> works at the old <e2>{whole}</e2>!", "Other"))
    for part, whole in PLACES:
        rows.append((f"<e1>{part}</e1>在<e2>{whole}</e2>里", "Whole(e2,e1)"))
        rows.append((f"<e2>{part}</e2>在今天的<e1>{whole}</e1>里", "Whole(e1,e2)"))
        rows.append((f"{whole}<e1>{whole}</e1>工作，<e2>{part}</e2>。", "Other"))
    return rows


def relation_rows(count: int = 60) -> list[dict]:
    texts = marked_texts()
    return [
        {"text": f"{text} {i // len(texts)}", "label": label}
        for i in range(count)
        for text, label in [texts[i % len(texts)]]
    ]


def write_relation_recipe(folder: Path, **changes: str) -> Path:
    """A recipe over a tiny model whose vocabulary has [unused1] to [unused4]."""
    tokens = list(dict.fromkeys([*TOKENS, *MARKERS, *WORDS]))
    write_hugging_face(folder / "bert", vocab_size=len(tokens), num_hidden_layers=1)
    (folder / "bert" / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    write_jsonl(folder / "train.jsonl", relation_rows())
    write_jsonl(folder / "test.jsonl", relation_rows(15))
    sections = {
        "task": "relation",
        "backbone": "bert",
        "data": "{train: train.jsonl, validation: 0.25, test: test.jsonl, max_length: 32}",
        "train": "{epochs: 12, batch_size: 8, learning_rate: 3.0e-3}",
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in sections.items()), encoding="utf-8")
    return path
