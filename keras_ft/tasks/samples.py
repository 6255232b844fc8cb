"""A few texts kept with a model: for warm-up, and for checking that an export answers as the model does."""

import json
from pathlib import Path

import numpy as np

from keras_ft.tasks.base import Task

FILE = "samples.json"
COUNT = 32

HARD_TEXTS = [
    "",
    " ",
    "a",
    "The quick brown fox jumps over the lazy dog.",
    "I can't believe it's not… butter?! #wow @home 50% off",
    "unaffable antidisestablishmentarianism " * 3,
    "今天天气真好，我们去公园吧！",
    "Ｆｕｌｌｗｉｄｔｈ　ｔｅｘｔ ½ ﬁ ℃ ①",
    "naïve café Ångström Straße İstanbul ΑΣ",
    "각 나라의 말은 다르다",
    "नमस्ते दुनिया १२३",
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦 🇨🇳 ❤️‍🔥 ok",
    "[CLS] [SEP] [MASK] [UNK] ##ing",
    "tab\tnewline\nreturn\r null\x00 bell\x07 zero\u200bwidth\ufeff",
    "x" * 250,
    "word " * 600,
]


def choose_samples(num_examples: int) -> np.ndarray:
    """Which examples to keep, `(samples,)`: evenly spread over them."""
    return np.arange(0, num_examples, max(1, num_examples // COUNT))[:COUNT]


def write_samples(samples: dict[str, list], folder: Path) -> None:
    """Write `samples.json`."""
    (folder / FILE).write_text(json.dumps(samples, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_samples(folder: Path, task: Task) -> dict[str, list]:
    """Read `samples.json`; hard requests stand in where it is absent."""
    path = folder / FILE
    if not path.is_file():
        return hard_requests(task)
    return json.loads(path.read_text(encoding="utf-8"))


def hard_requests(task: Task) -> dict[str, list]:
    """Requests of the hard texts, by text column."""
    return task.hard_requests(HARD_TEXTS)
