"""A tiny recipe for tagging: places and numbers among words, learned in a second."""

import random
from pathlib import Path

from tests.tiny import write_hugging_face, write_jsonl

FILLER = ["good", "bad", "film", "great", "the", "is", "was", "this", "very", "not", "气", "好", "."]
ENTITIES = {"PLACE": ["x y", "z", "公园"], "NUM": ["7", "3 4", "9 ."]}


def tagging_row(rng: random.Random) -> dict:
    """A text of a few words with one or two entities."""
    text, entities = "", []
    for _ in range(rng.randint(1, 2)):
        text += "".join(f"{word} " for word in rng.choices(FILLER, k=rng.randint(1, 4)))
        label = rng.choice(list(ENTITIES))
        name = rng.choice(ENTITIES[label])
        entities.append({"start": len(text), "end": len(text) + len(name), "label": label})
        text += f"{name} "
    return {"text": f"{text}{rng.choice(FILLER)}", "entities": entities}


def write_tagging_recipe(folder: Path, **changes: str) -> Path:
    """A recipe over a tiny model and data, all in `folder`; `changes` replace whole sections (YAML)."""
    rng = random.Random(0)
    write_hugging_face(folder / "bert", num_hidden_layers=1)
    write_jsonl(folder / "train.jsonl", [tagging_row(rng) for _ in range(240)])
    write_jsonl(folder / "test.jsonl", [tagging_row(rng) for _ in range(24)])
    sections = {
        "task": "tagging",
        "backbone": "bert",
        "data": "{train: train.jsonl, validation: 0.25, test: test.jsonl, max_length: 16}",
        "train": "{epochs: 10, batch_size: 8, learning_rate: 1.0e-2}",
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in sections.items()), encoding="utf-8")
    return path
