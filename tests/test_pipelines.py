from pathlib import Path

import pytest

from keras_ft.recipe_file import load_recipe

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted(ROOT.glob("pipelines/**/*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_recipe_loads_and_its_files_exist(path):
    recipe = load_recipe(path)
    for name in [*recipe.data.train, *(recipe.data.test or [])]:
        assert Path(name).is_file()
    header = path.read_text(encoding="utf-8").split("\ntask:")[0]
    assert f"keras-ft train {path.relative_to(ROOT)}" in header, "a recipe's header gives its command"
    assert "accuracy" in header, "a recipe's header gives the score to expect"
