"""A SavedModel on its turn to continue prompts, through a Session as in TF Serving; `generation.py` runs it.

    python benchmarks/generation_session.py WHOSE VERSION_FOLDER PROMPTS.jsonl

WHOSE is keras_ft, keras_ft-sample (its signature `sample`, which takes any number of tokens), keras_hub or products.
"""

import sys
from pathlib import Path

import numpy as np
from generation_turns import Prompt, Write, write_in_turn

from keras_ft.serving.models.session_model import SessionModel


def keras_ft(served: SessionModel) -> Write:
    """Strings in, texts out."""

    def write(prompts: list[Prompt], new_tokens: int) -> list[int]:
        return served.predict("serving_default", {"prompt": _strings(prompts)})["num_tokens"].tolist()

    return write


def keras_ft_sample(served: SessionModel) -> Write:
    """The same at a temperature of 0, which takes the most probable tokens too."""

    def write(prompts: list[Prompt], new_tokens: int) -> list[int]:
        rows = len(prompts)
        settings = {name: np.full(rows, -1, "int32") for name in ("top_k", "seed")}
        settings |= {"top_p": np.full(rows, -1, "float32"), "temperature": np.zeros(rows, "float32")}
        settings["max_new_tokens"] = np.full(rows, new_tokens, "int32")
        return served.predict("sample", {"prompt": _strings(prompts), **settings})["num_tokens"].tolist()

    return write


def keras_hub(served: SessionModel) -> Write:
    """Ids in, ids out; the text fills what there is room for."""
    room = served.signatures["serving_default"].inputs["token_ids"].shape[1]

    def write(prompts: list[Prompt], new_tokens: int) -> list[int]:
        token_ids, mask = np.zeros((len(prompts), room), "int32"), np.zeros((len(prompts), room), bool)
        for row, prompt in enumerate(prompts):
            token_ids[row, : len(prompt["ids"])], mask[row, : len(prompt["ids"])] = prompt["ids"], True
        written = served.predict("serving_default", {"token_ids": token_ids, "padding_mask": mask})["token_ids"]
        return [len(row) - len(prompt["ids"]) for row, prompt in zip(written, prompts, strict=True)]

    return write


def products(served: SessionModel) -> Write:
    """States instead of prompts."""
    _, length, hidden = served.signatures["serving_default"].inputs["states"].shape

    def write(prompts: list[Prompt], new_tokens: int) -> list[int]:
        served.predict("serving_default", {"states": np.ones((len(prompts), length, hidden), "float32")})
        return [new_tokens] * len(prompts)

    return write


WHOSE = {"keras_ft": keras_ft, "keras_ft-sample": keras_ft_sample, "keras_hub": keras_hub, "products": products}


def _strings(prompts: list[Prompt]) -> np.ndarray:
    return np.array([prompt["text"].encode() for prompt in prompts], object)


if __name__ == "__main__":
    whose, version, path = sys.argv[1:]
    write_in_turn(Path(path), WHOSE[whose](SessionModel(Path(version))))
