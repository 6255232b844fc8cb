"""Questions and contexts for a tiny model, and what an answer should be, said plainly in numpy."""

import random
from pathlib import Path

import numpy as np

from tests.tiny import write_hugging_face, write_jsonl

WORDS = ["good", "bad", "film", "great", "awful", "the", "is", "was", "this", "very", "not", "今天", "公园", "电影很差"]


def question_rows(count: int, seed: int = 0, longest: int = 60) -> list[dict]:
    """Contexts of words with one number in them, which is asked for, or with none (one of four)."""
    draw, rows = random.Random(seed), []
    for i in range(count):
        words = [draw.choice(WORDS) for _ in range(draw.choice([6, 20, longest]))]
        number, answerable = str(draw.randrange(100, 999)), i % 4 != 3
        if answerable:
            words[draw.randrange(len(words))] = number
        context = " ".join(words)
        answers = [{"text": number, "answer_start": context.find(number)}] if answerable else []
        rows.append({"question": "which number?", "context": context, "answers": answers})
    return rows


def write_qa_recipe(folder: Path, **changes: str) -> Path:
    """A recipe over a tiny model and data, all in `folder`; `changes` replace whole sections (YAML)."""
    write_hugging_face(folder / "bert", num_hidden_layers=1)
    write_jsonl(folder / "train.jsonl", question_rows(64))
    write_jsonl(folder / "test.jsonl", question_rows(24, seed=1))
    sections = {
        "task": "{name: span_qa, stride: 8, max_answer_length: 5}",
        "backbone": "bert",
        "data": "{train: train.jsonl, validation: 0.25, test: test.jsonl, max_length: 32}",
        "train": "{epochs: 2, batch_size: 8, learning_rate: 3.0e-3}",
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in sections.items()), encoding="utf-8")
    return path


def best_of(windows: list[tuple[np.ndarray, np.ndarray]], longest: int) -> dict:
    """The best answer of an example, by looking at every span of every window.

    Args:
        windows: of each the logits `(tokens, 2)`, and where each token begins and ends `(tokens, 2)`, −1 outside the
            context.
        longest: tokens of an answer.
    """
    none = min(float(logits[0].sum()) for logits, _ in windows)
    best = {"start": -1, "end": -1, "score": 0.0, "no_answer_score": 1e9, "total": -np.inf}
    for logits, places in windows:
        scaled = np.exp(logits - logits.max(axis=0))
        probability = scaled / scaled.sum(axis=0)
        inside = np.flatnonzero(places[:, 0] >= 0)
        for first in inside:
            for last in inside[(inside >= first) & (inside < first + longest)]:
                total = float(logits[first, 0] + logits[last, 1])
                if total > best["total"]:
                    best = {
                        "start": int(places[first, 0]),
                        "end": int(places[last, 1]),
                        "score": float(probability[first, 0] * probability[last, 1]),
                        "no_answer_score": none - total,
                        "total": total,
                    }
    return best
