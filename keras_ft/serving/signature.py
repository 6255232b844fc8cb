"""What a served model takes and gives, free of HTTP and of TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

DEFAULT_SIGNATURE = "serving_default"
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class TensorSpec:
    """One named input or output: the graph tensor behind it, its dtype as TensorFlow spells it (`float`, `int64`,
    `string`, …) and its shape (`None` for an unknown dimension, or for an unknown rank as a whole)."""

    tensor: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    """A named entry point of a model; `method` is `tensorflow/serving/predict`, `…/classify` or `…/regress`."""

    name: str
    method: str
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


class Predictor(Protocol):
    """Whatever answers requests for one model version: the model itself, or something in front of it (a batcher)."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The signatures by name."""

    @property
    def signature_defs(self) -> Mapping[str, Any]:
        """The same signatures as `SignatureDef` protos, for the metadata request."""

    def predict(self, signature_name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one signature on named arrays; raises `StatusError`. Called from several threads at once."""

    def close(self) -> None:
        """Free what the model holds."""
