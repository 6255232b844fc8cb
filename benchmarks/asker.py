"""Asks a server without a pause, and tells what came of it."""

import asyncio
import json
import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import texts
from load_generator import Connections

WRONG = b'{"instances": [1]}'


class Asker(threading.Thread):
    """Asks on so many connections without a pause, until it is told to stop or `count` requests are answered.

    Attributes:
        statuses: how many answers had which; 0 is a connection that broke.
        seconds: that it asked.
    """

    def __init__(self, url: str, bodies: list[bytes], connections: int, count: float = float("inf")):
        super().__init__(daemon=True)
        self.statuses: Counter[int] = Counter()
        self._asked = url, bodies, connections, count
        self._stop_asked = threading.Event()
        self.seconds = 0.0

    def run(self) -> None:
        """The thread."""
        asyncio.run(self._ask())

    def finish(self) -> dict[str, int]:
        """Stop asking; returns the statuses."""
        self._stop_asked.set()
        self.join()
        return {str(status): count for status, count in self.statuses.items()}

    async def _ask(self) -> None:
        url, bodies, number, count = self._asked
        connections, sent = Connections(url), 0
        began = time.monotonic()

        async def one() -> None:
            nonlocal sent
            while sent < count and not self._stop_asked.is_set():
                body = bodies[sent % len(bodies)]
                sent += 1
                try:
                    self.statuses[await connections.post(body)] += 1
                except (OSError, asyncio.IncompleteReadError):
                    self.statuses[0] += 1

        await asyncio.gather(*[one() for _ in range(number)])
        self.seconds = time.monotonic() - began


def bodies() -> list[bytes]:
    """Requests of real texts, a text each; every hundredth is wrong."""
    asked = [row["text"] for name in ("sst2", "ag_news") for row in texts.read(name, "test")[:1000]]
    made = [json.dumps({"instances": [text]}).encode() for text in asked]
    return [WRONG if i % 100 == 99 else body for i, body in enumerate(made)]


def row(what: str, statuses: dict, memory: list[float], rate: float | None = None) -> dict[str, Any]:
    """A row of the table: answers by status, and memory in MB as it was and at its end."""
    shown = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items(), key=str))
    columns = {"what": what, "requests/s": "–" if rate is None else rate, "statuses": shown}
    return {**columns, "MB first": memory[0], "MB last": memory[-1], "MB": memory}


def resident(process: int) -> float:
    """The memory of a process in MB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", lines)[1]) / 1024
