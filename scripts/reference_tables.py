"""MkDocs hook: `<!-- reference: keras_ft.recipe:TrainSection -->` in a page becomes a table of that model's keys.

The tables are made from the pydantic models when the site is built, so that they cannot say what the code does not.
"""

import importlib
import json
import re
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

MARKER = re.compile(r"^<!-- reference: ([\w.]+):([\w.]+) -->$", re.MULTILINE)
UNITS = {"seconds": "s", "steps": "steps", "epochs": "epochs"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for each page."""
    return MARKER.sub(lambda match: table(find(match[1], match[2])), markdown)


def find(module: str, path: str) -> type[BaseModel]:
    """The model that a marker names: a class of a module, or an attribute of one."""
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def table(model: type[BaseModel]) -> str:
    """Key, default, and what it says with the values it takes."""
    schema = model.model_json_schema()
    rows = ["| key | default | |", "|---|---|---|"]
    for key, entry in schema["properties"].items():
        made = model.model_fields[key].default_factory  # of which the schema says nothing
        default = entry.get("default") if made is None else to_jsonable_python(made())
        default = "required" if key in schema.get("required", []) else shown(default)
        said = f"{entry.get('description', '')} {values(entry)}".split()  # a line break would end the row
        rows.append(f"| `{key}` | {default} | {' '.join(said)} |")
    return "\n".join(rows)


def shown(default: Any) -> str:
    """A default as the recipe would write it; of a whole section, that it has its own table."""
    if isinstance(default, dict) and default.keys() == {"amount", "unit"}:
        return f"`{interval(default['amount'], default['unit'])}`"
    if isinstance(default, dict) and default.keys() == {"name"}:
        return f"`{default['name']}`"
    if isinstance(default, dict) and default:
        return "see below"
    return f"`{json.dumps(default, ensure_ascii=False)}`".replace('"', "")


def interval(amount: float, unit: str) -> str:
    """300 seconds → `5 min`."""
    if unit == "seconds" and amount % 60 == 0:
        return f"{amount / 60:g} min"
    return f"{amount:g} {UNITS[unit].removesuffix('s') if amount == 1 else UNITS[unit]}"


def values(entry: dict[str, Any]) -> str:
    """The values a key takes, where that is more than its description says."""
    kinds = [kind(branch) for branch in entry.get("anyOf", [entry])]
    known = [text for text in kinds if text]
    return f"({' or '.join(known)})" if known else ""


def kind(entry: dict[str, Any]) -> str:
    """One branch of a JSON schema in words; empty where there is nothing to add."""
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {entry[name]:.12g}" for name, sign in bounds.items() if name in entry]
    if entry.get("type") in ("integer", "number"):
        noun = "integer" if entry["type"] == "integer" else "number"
        return " ".join([noun, ", ".join(limits)]).strip()
    return "true or false" if entry.get("type") == "boolean" else ""
