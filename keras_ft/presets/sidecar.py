"""`keras_ft.json`, laid beside a keras-hub preset: what our models have and keras-hub's files cannot say."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.layers.activation import INFERENCE as ACTIVATIONS
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.presets.pretrained import Pretrained
from keras_ft.text.vocabulary import read_json

FILE = "keras_ft.json"
POOLINGS = ("mean", "first", "pooler")


def write_sidecar(pretrained: Pretrained, pooling: str, scores: dict[str, float | None], folder: Path) -> None:
    """Write the arithmetic, the pooling, what the run does to its scores, and the options of the tokenizer."""
    arithmetic = asdict(pretrained.config)
    content = {**arithmetic, "pooling": pooling, **scores, "tokenizer": pretrained.tokenizer.config}
    (folder / FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_sidecar(folder: Path) -> tuple[Arithmetic, str, dict[str, Any]] | None:
    """What `write_sidecar` wrote: arithmetic, pooling, options of the tokenizer; None where there is no such file.

    Raises:
        RequestError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        arithmetic = Arithmetic(content["hidden_act"], float(content["layer_norm_epsilon"]))
        pooling, tokenizer = content["pooling"], dict(content["tokenizer"])
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(f"{path} is damaged ({error!r}); convert the run again") from None
    if arithmetic.hidden_act not in ACTIVATIONS or pooling not in POOLINGS:
        raise RequestError(f"{path} is damaged (hidden_act {arithmetic.hidden_act!r}, pooling {pooling!r})")
    return arithmetic, pooling, tokenizer
