"""A quick start of the command: Keras and TensorFlow do without packages that they would support and no verb needs.

Importing those takes a quarter of the time from a command to its first line.
"""

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType

NOT_FOR: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("sklearn", "matplotlib", "pandas", "IPython"), ("keras.",)),
    "jax": ("tensorflow.lite.", "keras.src.callbacks."),
}
"""Package → whose modules are told that it is not there; others, ours among them, import it as ever."""


def start_quickly() -> None:
    """Do so from now on in this process, and seldom look for garbage among what imports make."""
    # Imports and tracing make millions of objects that stay; looking through them every 700 takes an eighth of the time
    gc.set_threshold(100_000, 10, 10)
    if not any(isinstance(finder, _NotForSome) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NotForSome())


class _NotForSome(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Nothing, and so the next finder is asked; raises ModuleNotFoundError where the package is hidden."""
        if fullname in NOT_FOR and _importer().startswith(NOT_FOR[fullname]):
            raise ModuleNotFoundError(f"{fullname} is not imported for a quick start", name=fullname)
        return None


def _importer() -> str:
    """The module whose statement is importing."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("importlib", __name__)):
        frame = frame.f_back
    return frame.f_globals.get("__name__", "") if frame else ""
