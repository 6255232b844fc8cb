"""What callbacks know, kept in checkpoints, so that a resumed run goes on as one that was never stopped.

A callback with `get_state()` and `set_state(state)` says itself what is kept. Of any other, the attributes that
changed since `on_train_begin` are: numbers, strings, None, arrays, and lists, tuples, sets and dicts of these. They are
set again after `on_train_begin` of the resumed run.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_ft.errors import RequestError

Arrays = dict[str, np.ndarray]
PREFIX = "callbacks/"
KERAS_OWN = ("params", "_model", "min_delta")  # whose sign Keras turns when it first looks at what is monitored


class _NotPlain(Exception):
    """A value that a checkpoint cannot hold."""


@dataclass
class Kept:
    """The callbacks' part of a checkpoint.

    Attributes:
        states: by callback; JSON can hold it.
        arrays: those that `states` names, for the file of the weights.
    """

    states: dict[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)

    @classmethod
    def of(cls, states: dict[str, Any], state: Arrays) -> "Kept":
        """From a checkpoint that was read."""
        return cls(states, {name: array for name, array in state.items() if name.startswith(PREFIX)})


class CallbackStates:
    """Takes and gives back the states of some callbacks.

    Args:
        callbacks: each is known by its class, and by its place among those of the same class.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]):
        seen: Counter[str] = Counter()
        self._callbacks: dict[str, keras.callbacks.Callback] = {}
        for callback in callbacks:
            name = f"{type(callback).__module__}:{type(callback).__qualname__}"
            self._callbacks[f"{name} {seen[name]}"] = callback
            seen[name] += 1
        self._before: dict[str, dict[str, Any]] = {}

    def begin(self, kept: Kept) -> None:
        """Note how the callbacks are before the first step, and give back what an earlier process kept of them."""
        for name, callback in self._callbacks.items():
            self._before[name] = {} if _keeps_itself(callback) else _plain_attributes(callback, {})
        self.give_back(kept)

    def give_back(self, kept: Kept) -> None:
        """Let the callbacks know again what an earlier process kept of them."""
        for name, callback in self._callbacks.items():
            if name not in kept.states:
                continue
            state = _decoded(kept.states[name], kept.arrays)
            if _keeps_itself(callback):
                callback.set_state(state)
            else:
                vars(callback).update(state)

    def collect(self) -> Kept:
        """What a checkpoint must hold of them now.

        Raises:
            RequestError: a `get_state` returned what a checkpoint cannot hold.
        """
        kept = Kept()
        for name, callback in self._callbacks.items():
            if _keeps_itself(callback):
                try:
                    kept.states[name] = _encoded(callback.get_state(), kept.arrays)
                except _NotPlain as error:
                    kind = type(callback).__name__
                    raise RequestError(f"{kind}.get_state() should return what JSON can hold, not {error}") from None
                continue
            arrays: Arrays = {}
            now, before = _plain_attributes(callback, arrays), self._before[name]
            changed = {key: value for key, value in now.items() if key not in before or before[key] != value}
            kept.states[name] = {"dict": [[key, value] for key, value in changed.items()]}
            named = json.dumps(changed)
            kept.arrays |= {key: array for key, array in arrays.items() if key in named}
        return kept


def _keeps_itself(callback: Any) -> bool:
    return callable(getattr(callback, "get_state", None)) and callable(getattr(callback, "set_state", None))


def _plain_attributes(callback: Any, arrays: Arrays) -> dict[str, Any]:
    """Every attribute that a checkpoint can hold, encoded; its arrays are added to `arrays`."""
    plain = {}
    for key, value in vars(callback).items():
        found: Arrays = {}
        with suppress(_NotPlain):
            if key not in KERAS_OWN:
                plain[key] = _encoded(value, found)
                arrays |= found
    return plain


def _encoded(value: Any, arrays: Arrays) -> Any:
    """JSON-able: a container becomes a dict whose one key is its kind, an array the digest that names it."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return {"array" if isinstance(value, np.ndarray) else "number": _stored(np.array(value), arrays)}
    if type(value) is dict:
        return {"dict": [[_encoded(k, arrays), _encoded(v, arrays)] for k, v in value.items()]}
    for kind in (list, tuple, set):
        if type(value) is kind:
            return {kind.__name__: [_encoded(item, arrays) for item in value]}
    raise _NotPlain(type(value).__name__)


def _stored(array: np.ndarray, arrays: Arrays) -> str:
    if array.dtype.kind not in "biuf":
        raise _NotPlain(f"an array of {array.dtype}")
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode() + array.tobytes()).hexdigest()[:32]
    arrays[PREFIX + digest] = array
    return PREFIX + digest


def _decoded(value: Any, arrays: Arrays) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return np.array(arrays[content])
    if kind == "number":
        return arrays[content][()]
    items = [_decoded(item, arrays) if kind != "dict" else tuple(_decoded(x, arrays) for x in item) for item in content]
    return {"dict": dict, "list": list, "tuple": tuple, "set": set}[kind](items)
