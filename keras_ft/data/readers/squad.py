"""`.json`: question answering in SQuAD's layout, or a plain list of objects."""

import json
from pathlib import Path
from typing import Any

from keras_ft.data.readers.lines import opened
from keras_ft.data.readers.registry import Numbered, Record, reads
from keras_ft.errors import RequestError

EXPECTED = '{"data": [{"paragraphs": [{"context": "…", "qas": […]}]}]}, or a list of objects'


@reads(".json", unit="record")
def read_json(path: Path) -> Numbered:
    """Read the questions of a SQuAD file (Rajpurkar et al. 2018, arXiv:1806.03822), or the objects of a list.

    A question's columns are `id`, `title`, `context`, `question`, `answers` (`{"text": […], "answer_start": […]}`, both
    empty where there is none) and `is_impossible`. CMRC and DRCD use the same layout.
    """
    with opened(path) as file:
        content = file.read()
    try:
        tree = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RequestError(f"{path.name} is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path.name} is not JSON ({error}); expected {EXPECTED}") from None
    if isinstance(tree, list):
        for number, record in enumerate(tree, start=1):
            yield number, record if isinstance(record, dict) else _not_an_object(path, number, record)
    elif isinstance(tree, dict) and isinstance(tree.get("data"), list):
        yield from _questions(path, tree["data"])
    else:
        raise RequestError(f"{path.name} is not in SQuAD's layout; expected {EXPECTED}")


def _not_an_object(path: Path, number: int, record: Any) -> RequestError:
    return RequestError(f"{path.name} record {number} is a JSON {type(record).__name__}; expected {EXPECTED}")


def _questions(path: Path, articles: list[Any]) -> Numbered:
    number = 0
    for article in articles:
        try:
            paragraphs = [(str(p["context"]), list(p["qas"])) for p in article["paragraphs"]]
        except (KeyError, TypeError) as error:
            problem = f"the article behind record {number} is malformed ({type(error).__name__}: {error})"
            number += 1
            yield number, RequestError(f"{path.name}: {problem}; expected {EXPECTED}")
            continue
        for context, questions in paragraphs:
            for question in questions:
                number += 1
                try:
                    yield number, _question(article, context, question)
                except (KeyError, TypeError, AttributeError) as error:
                    problem = f"record {number} is malformed ({type(error).__name__}: {error})"
                    wanted = "a question has id, question and answers (text, answer_start)"
                    yield number, RequestError(f"{path.name} {problem}; {wanted}")


def _question(article: Record, context: str, question: Record) -> Record:
    answers = question.get("answers") or []
    return {
        "id": question["id"],
        "title": article.get("title", ""),
        "context": context,
        "question": question["question"],
        "answers": {
            "text": [answer["text"] for answer in answers],
            "answer_start": [answer["answer_start"] for answer in answers],
        },
        "is_impossible": bool(question.get("is_impossible", not answers)),
    }
