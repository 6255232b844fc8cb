"""Asks a server at a given rate, whether it keeps up or not: arrivals are a Poisson process (open loop).

    python benchmarks/load_generator.py URL BODIES.jsonl RATE SECONDS

BODIES holds one request body a line, asked in turn. A latency counts from the moment at which the request was due, so
that a server that falls behind cannot hide it. Prints one JSON object: counts by status, latencies in ms, answers a
second.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

PATIENCE = 30.0  # seconds for the last answers


class Connections:
    """Kept-alive HTTP connections to one address, as many as are needed at once."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n".encode()
        )
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: bytes) -> int:
        """Ask; returns the status once the whole answer is there."""
        reader, writer = await self._connection()
        writer.write(self._head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        self._free.append((reader, writer))
        return int(head.split(b" ", 2)[1])

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One that the server has not closed meanwhile, as it may where nothing was asked for some seconds."""
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(*self._address)


async def ask(url: str, bodies: list[bytes], rate: float, seconds: float) -> dict:
    """Send `rate` requests a second for so long; returns what came of them."""
    rng = np.random.default_rng(0)
    due = np.cumsum(rng.exponential(1 / rate, int(rate * seconds)))
    connections, statuses, latencies = Connections(url), Counter(), []
    begin = time.perf_counter()

    async def one(at: float, body: bytes) -> None:
        try:
            status = await connections.post(body)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            status = 0
        statuses[status] += 1
        if status == 200:
            latencies.append(time.perf_counter() - begin - at)

    tasks = []
    for number, at in enumerate(due.tolist()):
        wait = at - (time.perf_counter() - begin)
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(at, bodies[number % len(bodies)])))
    _, late = await asyncio.wait(tasks, timeout=PATIENCE)
    for task in late:
        task.cancel()
    spent = time.perf_counter() - begin
    statuses["late"] += len(late)
    quantiles = np.quantile(latencies or [np.inf], [0.5, 0.99]) * 1e3
    return {
        "rate": rate,
        "answers a second": len(latencies) / spent,
        "p50 ms": quantiles[0],
        "p99 ms": quantiles[1],
        "statuses": {str(status): count for status, count in statuses.items() if count},
    }


if __name__ == "__main__":
    url, path, rate, seconds = sys.argv[1:]
    lines = Path(path).read_bytes().splitlines()
    print(json.dumps(asyncio.run(ask(url, lines, float(rate), float(seconds)))))
