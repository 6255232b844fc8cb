import re
from pathlib import Path

import pytest

from keras_ft.recipe_file import load_recipe

ROOT = Path(__file__).resolve().parents[1]
SCORE = r"(accuracy|F1|Spearman|recall at 1) 0\.\d{3}|(BLEU|chrF|ROUGE-L|perplexity|exact match) \d+\.\d"
RECIPES = sorted(ROOT.glob("pipelines/**/*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_recipe_loads_and_says_how_to_run_it_and_what_to_expect(path):
    recipe = load_recipe(path)
    header = path.read_text(encoding="utf-8").split("\ntask:")[0]
    assert f"keras-ft train {path.relative_to(ROOT)}" in header
    measured = re.search(r"\d+ s of training", header) and re.search(SCORE, header)
    assert measured or "Not measured yet" in header
    prepare = path.parent.relative_to(ROOT) / "prepare.py"
    for name in [*recipe.data.train, *(recipe.data.test or [])]:
        assert Path(name).is_file() or f"python {prepare}" in header


def test_the_intent_data_are_in_the_repository():
    recipe = load_recipe(ROOT / "pipelines/intent/recipe.yaml")
    assert all(Path(name).is_file() for name in [*recipe.data.train, *recipe.data.validation, *recipe.data.test])
