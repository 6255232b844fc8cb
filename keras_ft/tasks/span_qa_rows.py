"""Rows in SQuAD's layout: a question, a context, and answers with their places in it."""

import re
from typing import Any

from keras_ft.errors import RequestError

SHOWN = 30  # characters
LAYOUT = '{"text": […], "answer_start": […]}, or [{"text": …, "answer_start": …}, …]'


def read_answers(values: dict[str, Any], where: str) -> dict[str, list]:
    """The answers of a row, every one of them checked.

    Args:
        values: of its columns `context` (a string), `answers` and perhaps `is_impossible`.
        where: it stands, for messages.

    Returns:
        `text` and `answer_start` (in code points), as long as there are answers; empty where there is none.

    Raises:
        RequestError: the answers are of another layout, one of them does not stand where it says, or `is_impossible`
            says otherwise.
    """
    texts, starts = _lists(values["answers"], where)
    for text, start in zip(texts, starts, strict=True):
        _check(text, start, values["context"], where)
    impossible = values.get("is_impossible")
    if impossible is not None and bool(impossible) != (not texts):
        problem = "'is_impossible' is true, but there are answers" if impossible else "no answers, but 'is_impossible'"
        problem += "" if impossible else " is false"
        raise RequestError(f"{where}: {problem}; correct one of the two")
    return {"text": texts, "answer_start": starts}


def _lists(answers: Any, where: str) -> tuple[list[str], list[int]]:
    if isinstance(answers, list) and all(isinstance(answer, dict) for answer in answers):
        answers = {name: [answer.get(name) for answer in answers] for name in ("text", "answer_start")}
    if not isinstance(answers, dict):
        raise RequestError(f"{where}: 'answers' is no answers ({_shown(str(answers))}); it should be {LAYOUT}")
    texts, starts = answers.get("text"), answers.get("answer_start")
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise RequestError(f"{where}: 'answers' lacks as many 'answer_start' as 'text'; it should be {LAYOUT}")
    for text, start in zip(texts, starts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise RequestError(f"{where}: the text of an answer is empty or no string ({_shown(str(text))}); mend it")
        if isinstance(start, bool) or not isinstance(start, int):
            raise RequestError(f"{where}: 'answer_start' is no whole number ({_shown(str(start))}); mend it")
    return texts, starts


def _check(text: str, start: int, context: str, where: str) -> None:
    if start >= 0 and context.startswith(text, start):
        return
    quoted = _shown(text)
    if not 0 <= start < len(context):
        problem = f"an answer starts outside the context ('{quoted}' at {start} of {len(context)} characters"
    elif "".join(context[start:].split()).startswith("".join(text.split())):
        problem = f"an answer and the context differ in white space ('{quoted}' at {start}"
    else:
        there = _shown(context[start : start + len(text)])
        problem = f"an answer is not at its answer_start ('{quoted}' should be at {start}, where '{there}' is"
    places = [match.start() for match in re.finditer(re.escape(text), context)]
    found = f"at {min(places, key=lambda place: abs(place - start))}" if places else "nowhere"
    raise RequestError(f"{where}: {problem}, and is {found}); correct it, or delete the answer")


def _shown(text: str) -> str:
    """Of what is quoted in parentheses, without signs that structure a message."""
    text = re.sub(r"[\s();]+", " ", text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
