"""Rows of files that mark entities, brought to one form: a text, and where each entity lies in it.

    {"tokens": ["EU", "rejects", "it"], "tags": ["B-ORG", "O", "O"]}
    {"text": "EU rejects it", "entities": [{"start": 0, "end": 2, "label": "ORG"}]}      or [[0, 2, "ORG"]]

Offsets count Unicode code points, ends are exclusive.
"""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from keras_ft.data.labels import label_text
from keras_ft.errors import RequestError
from keras_ft.tasks.tag_schemes import Entity, entities_of
from keras_ft.text.characters import ISOLATED
from keras_ft.text.words_of_text import character_classes, first_visible

COLUMNS = ("tokens", "tags", "text", "entities")
KEYS = ("start", "end", "label")
CHINESE_QUOTES = "“”‘’…—·"  # as wide as a Latin letter by Unicode
SHOWN = 40


def read_entity_row(values: dict[str, Any], where: str) -> dict[str, Any]:
    """A row of either form as `text`, `entities` and `words`; of a row that has both, text and entities are taken.

    Args:
        values: by the names in `COLUMNS`, None where empty.
        where: file and line, for errors.

    Returns:
        `text`; `entities`, a list of (start, end, label) in their order; `words`, where each token of the row lies in
        the text, or None where it has none.

    Raises:
        RequestError: it is neither form, or malformed.
    """
    tokens, tags, text, entities = (values[name] for name in COLUMNS)
    if entities is not None and text is not None:
        return {"text": text, "entities": _checked(entities, text, where), "words": None}
    if tokens is not None and tags is not None:
        return _of_tokens(_strings(tokens, "tokens", where), _strings(tags, "tags", where), where)
    if tokens is not None:
        raise RequestError(f"{where} has 'tokens' but no 'tags'; each token should have one")
    if text is not None:
        raise RequestError(f"{where} has a 'text' but no 'entities'; of a text without any it should be an empty list")
    raise RequestError(f"{where} has neither 'tokens' and 'tags' nor 'text' and 'entities'; name them in data.columns")


def join_tokens(tokens: Sequence[str]) -> tuple[str, list[int]]:
    """Tokens as a text: with a space between two, but not where both borders are Chinese characters or marks.

    Returns:
        The text, and where each token begins in it.
    """
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for i, token in enumerate(tokens):
        if i and not (_is_chinese(tokens[i - 1][-1]) and _is_chinese(token[0])):
            parts.append(" ")
            length += 1
        starts.append(length)
        parts.append(token)
        length += len(token)
    return "".join(parts), starts


def _of_tokens(tokens: list[str], tags: list[str], where: str) -> dict[str, Any]:
    if len(tokens) != len(tags):
        raise RequestError(f"{where} has {len(tokens)} tokens but {len(tags)} tags; each token should have one")
    blank = next((i for i, token in enumerate(tokens) if not token.strip()), None)
    if blank is not None:
        raise RequestError(f"{where}: token {blank + 1} is empty; leave it out, and its tag")
    text, starts = join_tokens(tokens)
    words = [(s + first_visible(token), s + len(token)) for s, token in zip(starts, tokens, strict=True)]
    entities = [(words[first][0], words[end - 1][1], label) for first, end, label in entities_of(tags, where)]
    for _, _, label in entities:
        label_text(label, where)
    return {"text": text, "entities": entities, "words": words}


def _is_chinese(character: str) -> bool:
    if character in CHINESE_QUOTES:
        return True
    is_wide = unicodedata.east_asian_width(character) in "WF"
    return is_wide and int(character_classes(character)[0]) == ISOLATED


def _strings(values: Any, column: str, where: str) -> list[str]:
    if not isinstance(values, list):
        raise RequestError(
            f"{where}: '{column}' is {str(values)[:SHOWN]!r}, not a list; .jsonl, .parquet and .conll hold lists"
        )
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise RequestError(f"{where}: '{column}' item {i + 1} is {str(value)[:SHOWN]}, not a string; quote it")
    return values


def _checked(entities: Any, text: str, where: str) -> list[Entity]:
    if not isinstance(entities, list):
        raise RequestError(
            f"{where}: 'entities' is {str(entities)[:SHOWN]!r}, not a list; .jsonl and .parquet hold lists"
        )
    found = sorted((_entity(value, text, f"{where}: entity {i + 1}") for i, value in enumerate(entities)), key=_place)
    for one, other in pairwise(found):
        if other[0] < one[1]:
            raise RequestError(f"{where}: entities {_shown(one)} and {_shown(other)} overlap; keep one of them")
    return found


def _entity(value: Any, text: str, where: str) -> Entity:
    if isinstance(value, dict):
        absent = next((key for key in KEYS if key not in value), None)
        if absent:
            raise RequestError(f"{where} has no '{absent}'; it should have start, end and label")
        value = [value[key] for key in KEYS]
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise RequestError(
            f"{where} is {str(value)[:SHOWN]}; it should be {{start, end, label}} or [start, end, label]"
        )
    start, end, label = value
    if any(not isinstance(place, int) or isinstance(place, bool) for place in (start, end)):
        raise RequestError(
            f"{where}: start and end are {start!r} and {end!r}; they should be whole numbers of characters"
        )
    if not isinstance(label, str) or not label:
        raise RequestError(f"{where}: the label is {label!r}; it should be a string")
    label_text(label, where)
    if not 0 <= start < end <= len(text):
        raise RequestError(
            f"{where} goes from {start} to {end}; it should hold a character at least, and the text has {len(text)}"
        )
    return start, end, label


def _place(entity: Entity) -> tuple[int, int]:
    return entity[:2]


def _shown(entity: Entity) -> str:
    return f"{entity[2]} {entity[0]}–{entity[1]}"
