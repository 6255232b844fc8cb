import keras
import pytest

from keras_ft.errors import RequestError
from keras_ft.recipe_file import load_recipe
from keras_ft.training.callback_names import named_callbacks
from tests.tiny import write_recipe

MODULE = """
import keras

class Mine(keras.callbacks.Callback):
    def __init__(self, limit=1):
        super().__init__()
        if limit < 0:
            raise ValueError("limit is below 0")
        self.limit = limit

number = 5
"""


def made(folder, text: str):
    return named_callbacks(load_recipe(write_recipe(folder), [f"train.callbacks={text}"]).train.callbacks)


def test_an_installed_callback_and_one_beside_the_recipe_are_made_with_their_arguments(tmp_path, monkeypatch):
    (tmp_path / "my_own_callbacks.py").write_text(MODULE)
    package = tmp_path / "my_own_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text(MODULE)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "my_lower_callbacks.py").write_text(MODULE)
    monkeypatch.chdir("/")
    stopping, mine, inner, lower = made(
        tmp_path,
        "[{name: 'keras.callbacks:EarlyStopping', monitor: val_accuracy, patience: 7},"
        " {name: 'my_own_callbacks:Mine', limit: 3}, 'my_own_package.inner:Mine', 'below/my_lower_callbacks:Mine']",
    )
    assert isinstance(stopping, keras.callbacks.EarlyStopping)
    assert (stopping.monitor, stopping.patience) == ("val_accuracy", 7)
    assert (mine.limit, inner.limit, lower.limit) == (3, 1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[EarlyStopping]", "EarlyStopping: should look like 'module:Class'"),
        ("['my_calbacks:Mine']", "no module 'my_calbacks' beside the recipe, nor installed"),
        ("['nowhere/mine:Mine']", r"no module 'mine' in /.*nowhere"),
        ("['keras.callbacks:EarlyStoping']", "has no 'EarlyStoping'; did you mean 'EarlyStopping'"),
        ("['my_wrong_callbacks:number']", "is not a keras.callbacks.Callback class; did|known: Mine"),
        ("[{name: 'my_wrong_callbacks:Mine', limt: 3}]", "cannot be made .*unexpected keyword argument 'limt'"),
        ("[{name: 'my_wrong_callbacks:Mine', limit: -3}]", "cannot be made .ValueError: limit is below 0"),
        ("['my_broken_callbacks:Mine']", "module 'my_broken_callbacks' cannot be imported .SyntaxError"),
        ("['my_needy_callbacks:Mine']", "module 'my_needy_callbacks' cannot be imported .*'not_there'"),
        ("[3]", "recipe.yaml.*train.callbacks"),
        ("[{limit: 3}]", "recipe.yaml.*'train.callbacks.name' is missing"),
    ],
)
def test_a_wrong_one_is_told_in_one_line(tmp_path, monkeypatch, text, message):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_wrong_callbacks.py").write_text(MODULE)
    (tmp_path / "my_broken_callbacks.py").write_text("def broken(:")
    (tmp_path / "my_needy_callbacks.py").write_text("import not_there")
    for name in ("my_wrong_callbacks", "my_broken_callbacks", "my_needy_callbacks"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    with pytest.raises(RequestError, match=message) as error:
        made(tmp_path, text)
    assert "\n" not in str(error.value)
