"""A recipe as a flat list of settings, for reports and comparisons."""

import json
from typing import Any

from keras_ft.recipe import Recipe

REQUIRED = {"task": "", "backbone": "", "data": {"train": ""}}


def flat_settings(recipe: Recipe) -> list[tuple[str, str, bool]]:
    """Every setting: its key, dotted, its value as text, and whether it is other than the default."""
    defaults = _flat(Recipe.model_validate(REQUIRED).model_dump(mode="json"))
    settings = _flat(recipe.model_dump(mode="json"))
    return [(key, text, defaults.get(key) != text) for key, text in settings.items()]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and set(value) == {"amount", "unit"}:
            found[prefix + key] = f"{value['amount']:g} {value['unit']}"
        elif isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value if isinstance(value, str) else _plain(value)
    return found


def _plain(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)
