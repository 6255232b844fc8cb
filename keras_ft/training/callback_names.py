"""The callbacks that a recipe names: `module:Class` of an installed module, or of one beside the recipe."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import keras

from keras_ft.errors import RequestError
from keras_ft.recipe import Named, suggest


def named_callbacks(named: Sequence[Named]) -> list[keras.callbacks.Callback]:
    """Make them, in the recipe's order.

    Args:
        named: `name` is `module:Class`, or `/folder/module:Class`; the options are the class's arguments.

    Raises:
        RequestError: there is no such module or class, it is no callback, or it refuses the arguments.
    """
    return [_made(entry) for entry in named]


def _made(entry: Named) -> keras.callbacks.Callback:
    where, colon, class_name = entry.name.rpartition(":")
    if not (colon and where and class_name):
        raise _wrong(entry, "should look like 'module:Class', such as keras.callbacks:EarlyStopping")
    module = _imported(entry, where)
    kind = getattr(module, class_name, None)
    classes = [name for name, found in vars(module).items() if _is_callback(found)]
    if kind is None:
        raise _wrong(entry, f"module '{module.__name__}' has no '{class_name}'; {suggest(class_name, classes)}")
    if not _is_callback(kind):
        raise _wrong(entry, f"is not a keras.callbacks.Callback class; {suggest(class_name, classes)}")
    try:
        return kind(**entry.options)
    except Exception as error:  # whatever a class says to wrong arguments
        raise _wrong(entry, f"cannot be made ({_one_line(error)})") from error


def _imported(entry: Named, where: str) -> ModuleType:
    folder, slash, name = where.rpartition("/")
    if slash and folder not in sys.path:
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            place = f"in {folder}" if slash else "beside the recipe, nor installed"
            raise _wrong(entry, f"no module '{error.name}' {place}") from None
        raise _wrong(entry, f"module '{name}' cannot be imported ({_one_line(error)})") from error
    except Exception as error:  # a mistake in the user's module
        raise _wrong(entry, f"module '{name}' cannot be imported ({_one_line(error)})") from error
    file = getattr(module, "__file__", None)
    if slash and not (file and Path(file).resolve().is_relative_to(Path(folder).resolve())):
        raise _wrong(entry, f"another module '{name}' is loaded already, from {file}; rename the one in {folder}")
    return module


def _is_callback(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, keras.callbacks.Callback)


def _wrong(entry: Named, what: str) -> RequestError:
    return RequestError(f"train.callbacks: {entry.name}: {what}")


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
