"""What stands round a source text in a prompt: `"{source}\\nTL;DR:\\n"`."""

import string
from collections.abc import Iterator

SOURCE = "source"
TEMPLATES = {
    "translation": "{source_language}: {source}\n{target_language}:\n",
    "summarization": "{source}\nTL;DR:\n",
    "title": "{source}\nTitle:\n",
}
"""Templates by name."""


def filled(template: str, settings: dict[str, str | None]) -> tuple[str, str]:
    """What stands before and behind the source.

    Args:
        template: one of `TEMPLATES`, or a text with `{source}` once; `{{` and `}}` are braces.
        settings: values for the other fields that it may name.

    Raises:
        ValueError: the template is no such text, or a value that it needs is missing.
    """
    parts = list(_parts(TEMPLATES.get(template, template)))
    fields = [field for _, field in parts if field is not None]
    if fields.count(SOURCE) != 1:
        known = ", ".join(TEMPLATES)
        raise ValueError(f"should hold {{source}} once, or be one of {known}, not {template!r}")
    sides = [""]
    for text, field in parts:
        sides[-1] += text
        if field == SOURCE:
            sides.append("")
        elif field is not None:
            sides[-1] += _value(field, settings)
    return sides[0], sides[1]


def _value(field: str, settings: dict[str, str | None]) -> str:
    if field not in settings:
        raise ValueError(f"the field {{{field}}} is unknown; known: {', '.join([SOURCE, *settings])}; {{{{ is a brace")
    value = settings[field]
    if not value:
        raise ValueError(f"the template has {{{field}}}, so the task needs the option '{field}'")
    return value


def _parts(template: str) -> Iterator[tuple[str, str | None]]:
    """Literal text, and the field behind it, if there is one."""
    try:
        for text, field, form, conversion in string.Formatter().parse(template):
            if form or conversion:
                raise ValueError("a field is a name alone")
            yield text, field
    except ValueError as error:
        raise ValueError(f"{template!r} is no template ({error}); braces of its text are doubled") from None
