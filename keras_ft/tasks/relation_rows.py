"""Rows of relations as files have them, brought to one form: a text with its entities marked.

{"text": "The <e1>church</e1> has six <e2>portals</e2>.", "label": …}
{"text": "The church has six portals.", "head": [4, 10], "tail": {"start": 19, "end": 26}, "label": …}
"""

import json
import re
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.text.entity_pair import HEAD, TAIL

Span = tuple[int, int]
MARKER = re.compile("|".join(map(re.escape, (*HEAD, *TAIL))))
_HOW_MARKED = "mark the head <e1>…</e1> and the tail <e2>…</e2>"
_HOW_SPANNED = "it should be [start, end] or {start, end}, in characters from 0, the end exclusive"


def marked_row(values: dict[str, Any], where: str) -> dict[str, Any]:
    """A row of `text` and `label`, and `head` and `tail` or None for both, as one of marked `text` and `label`.

    Raises:
        RequestError: the row is malformed; `where` (file and line) is named.
    """
    text, spans = values["text"], {name: values.get(name) for name in ("head", "tail")}
    given = [name for name, span in spans.items() if span is not None]
    if len(given) == 1:
        other = "tail" if given == ["head"] else "head"
        raise RequestError(f"{where}: the row has '{given[0]}' but no '{other}'; give both, or {_HOW_MARKED}")
    if given:
        found = MARKER.search(text)
        if found:
            raise RequestError(
                f"{where}: the text has {found[0]} and the row has 'head' and 'tail'; give one of the two"
            )
        head, tail = (_span(span, name, len(text), where) for name, span in spans.items())
        if max(head[0], tail[0]) < min(head[1], tail[1]):
            raise RequestError(f"{where}: 'head' {list(head)} and 'tail' {list(tail)} overlap; they should be apart")
        text = marked(text, head, tail)
    check_marked(text, where)
    return {"text": text, "label": values["label"]}


def marked(text: str, head: Span, tail: Span) -> str:
    """The text with markers round two spans that do not overlap."""
    (first, names), (second, others) = sorted([(head, HEAD), (tail, TAIL)])
    return "".join(
        [
            text[: first[0]],
            names[0] + text[slice(*first)] + names[1],
            text[first[1] : second[0]],
            others[0] + text[slice(*second)] + others[1],
            text[second[1] :],
        ]
    )


def unmarked(text: str) -> tuple[str, Span, Span]:
    """The text without its markers, and where head and tail then stand; the way back from `marked`.

    Raises:
        RequestError: the text is not marked as it should be.
    """
    check_marked(text, "the text")
    place, gone = {}, 0
    for found in MARKER.finditer(text):
        place[found[0]] = found.start() - gone
        gone += len(found[0])
    head, tail = ((place[opens], place[closes]) for opens, closes in (HEAD, TAIL))
    return MARKER.sub("", text), head, tail


def check_marked(text: str, where: str) -> None:
    """Refuse a text whose entities are not marked as they should be.

    Raises:
        RequestError: a marker is absent, there twice or out of order, the entities overlap, or one is empty.
    """
    found = MARKER.findall(text)
    for name in (*HEAD, *TAIL):
        if found.count(name) != 1:
            problem = "more than once" if name in found else "nowhere"
            raise RequestError(f"{where}: {name} stands {problem} in the text; {_HOW_MARKED}, each once")
    for opens, closes in (HEAD, TAIL):
        if found.index(closes) < found.index(opens):
            raise RequestError(f"{where}: {closes} stands before {opens}; {_HOW_MARKED}")
    if found not in ([*HEAD, *TAIL], [*TAIL, *HEAD]):
        raise RequestError(f"{where}: <e1>…</e1> and <e2>…</e2> overlap; they should be apart")
    for opens, closes in (HEAD, TAIL):
        if not text[text.index(opens) + len(opens) : text.index(closes)].strip():
            raise RequestError(f"{where}: nothing stands between {opens} and {closes}; {_HOW_MARKED}")


def _span(value: Any, name: str, length: int, where: str) -> Span:
    """A span as a file has it; CSV files hold it as JSON."""
    found = value
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            found = None
    if isinstance(found, dict):
        found = [found.get("start"), found.get("end")]
    if not isinstance(found, list | tuple) or len(found) != 2 or any(type(part) is not int for part in found):
        raise RequestError(f"{where}: '{name}' is no span ({str(value)[:40]}); {_HOW_SPANNED}")
    start, end = found
    if start >= end:
        raise RequestError(f"{where}: '{name}' holds nothing ({start} to {end}); {_HOW_SPANNED}")
    if start < 0 or end > length:
        raise RequestError(f"{where}: '{name}' lies outside the text ({start} to {end} of {length}); {_HOW_SPANNED}")
    return start, end
