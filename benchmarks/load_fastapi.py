"""A service as one would write it with FastAPI: transformers or onnxruntime, requests batched as they come.

    TORCH_PYTHON benchmarks/load_fastapi.py transformers FOLDER PORT
    TORCH_PYTHON benchmarks/load_fastapi.py onnxruntime MODEL.onnx FOLDER PORT

A thread takes whatever waits, up to 32 texts, sorted by length, and answers it in one call with all cores: the best
that can be had without work on the model itself. `POST /predict {"text": …}` → `{"label": …, "score": …}`.
"""

import asyncio
import os
import queue
import sys
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

MOST_AT_ONCE = 32
Classifier = Any  # texts → labels, scores


class Question(BaseModel):
    """A request."""

    text: str


class Batcher:
    """Answers the texts that wait, all at once."""

    def __init__(self, classify: Classifier):
        self._classify = classify
        self._waiting: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    async def __call__(self, text: str) -> tuple[str, float]:
        """The answer to one text."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.put((text, loop, future))
        return await future

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < MOST_AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get())
            batch.sort(key=lambda it: len(it[0]))
            labels, scores = self._classify([text for text, _, _ in batch])
            for (_, loop, future), label, score in zip(batch, labels, scores, strict=True):
                loop.call_soon_threadsafe(future.set_result, (label, float(score)))


def service(classify: Classifier) -> FastAPI:
    """The application."""
    app, answer = FastAPI(), Batcher(classify)

    @app.post("/predict")
    async def predict(question: Question) -> dict[str, Any]:
        label, score = await answer(question.text)
        return {"label": label, "score": score}

    return app


if __name__ == "__main__":
    kind, *arguments, port = sys.argv[1:]
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    if kind == "transformers":
        from serving_torch import Classifier as Model

        classify = Model("float32", *arguments)
    else:
        from serving_ort import Classifier as Model

        classify = Model(*arguments)
    classify(["warm up", "a longer text to warm up"])
    quiet = {"log_level": "warning", "access_log": False}
    # Longer than any pause of a connection: by default those that rest for 5 seconds are closed.
    uvicorn.run(service(classify), host="127.0.0.1", port=int(port), timeout_keep_alive=600, **quiet)
