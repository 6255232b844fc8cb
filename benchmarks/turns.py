"""The child's side of `Contender`, over standard input and output. It imports nothing but the standard library."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar


class Turns:
    """Answers each line of JSON on standard input with one on standard output, which nobody else writes to."""

    def __init__(self) -> None:
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # what libraries print goes to stderr

    def wait(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Send an answer and wait for the next request; the process ends where none comes."""
        print(json.dumps(answer), file=self._output, flush=True)
        line = sys.stdin.readline()
        if not line:
            sys.exit()
        return json.loads(line)


class Stopwatch:
    """Wall time, and CPU time of all threads: on a machine that others use too, the latter is the steadier."""

    def __init__(self) -> None:
        self.started, self.cpu_started = time.perf_counter(), time.process_time()

    def read(self, examples: int) -> dict[str, Any]:
        """What a contender says after a round of so many examples."""
        seconds, cpu_seconds = time.perf_counter() - self.started, time.process_time() - self.cpu_started
        return {"examples": examples, "seconds": seconds, "cpu_seconds": cpu_seconds}


class TimedEpochs:
    """Times a training, whosever it is, from the beginning of one epoch to that of the next.

    Args:
        examples: in an epoch.
    """

    def __init__(self, examples: int):
        self.examples, self.turns = examples, Turns()
        self.watch: Stopwatch | None = None

    def begin(self) -> None:
        """To be called when an epoch begins: says how long the last one took, and waits for leave to go on."""
        self.turns.wait(self.watch.read(self.examples) if self.watch else {})
        self.watch = Stopwatch()

    def end(self, **found: Any) -> None:
        """Say what came of it all, and wait for the end."""
        self.turns.wait(found)


Labelled = tuple[list[str], list[float]]
Text = TypeVar("Text")


def answer_texts(texts: list[str], answer: Callable[[list[str]], Labelled]) -> None:
    """Let a model answer texts in the batches that are asked for.

    Args:
        texts: of the benchmark.
        answer: texts → the label and the score of each.
    """
    turns, reply = Turns(), {}
    while True:
        request = turns.wait(reply)
        if request.get("all"):
            batches = [texts[i : i + 32] for i in range(0, len(texts), 32)]
            answers = [answer(batch) for batch in batches]
            reply = {"labels": [label for labels, _ in answers for label in labels]}
            reply["scores"] = [float(score) for _, scores in answers for score in scores]
        else:
            reply = _timed(texts, answer, **request)


def _timed(
    texts: list[str], answer: Callable[[list[str]], Labelled], number: int, batch_size: int, requests: int
) -> dict[str, Any]:
    """A round of requests."""
    batches = batches_of_round(texts, number, batch_size, requests)
    watch = Stopwatch()
    for batch in batches:
        answer(batch)
    return watch.read(requests * batch_size)


def batches_of_round(texts: list[Text], number: int, batch_size: int, requests: int) -> list[list[Text]]:
    """The requests of a round; each round goes on in the texts where the last one stopped."""
    first = number * requests * batch_size
    chosen = [texts[place % len(texts)] for place in range(first, first + requests * batch_size)]
    return [chosen[i : i + batch_size] for i in range(0, len(chosen), batch_size)]
