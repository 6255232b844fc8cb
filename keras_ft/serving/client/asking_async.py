"""The methods of a client as coroutines."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from keras_ft.serving.client import questions as question_of
from keras_ft.serving.client.answers import Answer, Classification, Entity, Hit, Multilabel, Score, Written
from keras_ft.serving.client.errors import NoAnswerError, ServingError
from keras_ft.serving.client.frames import frame_of, frame_question, signature_of
from keras_ft.serving.client.questions import Question, Texts
from keras_ft.serving.client.request import Request, chunks
from keras_ft.serving.client.retry import Attempts, Deadline, checked


class AsyncAsking(ABC):
    """`Asking` with coroutines: the same arguments, answers and errors."""

    def __init__(self, timeout: float, retries: int, batch_size: int):
        checked(timeout, retries, batch_size)
        self.timeout, self.retries, self.batch_size = timeout, retries, batch_size
        self._sleep = asyncio.sleep

    @abstractmethod
    async def _send(self, request: Request, deadline: Deadline) -> Any:
        """Send a request once.

        Raises:
            ServingError: the server refused it.
            NoAnswerError: there came no answer.
        """

    async def predict(
        self,
        model: str,
        instances: Any = None,
        inputs: Any = None,
        signature_name: str | None = None,
        version: int | None = None,
    ) -> Any:
        """As `Asking.predict`."""
        request = Request("predict", model, version, signature_name, instances, inputs)
        return await self._call(request, Deadline(self.timeout))

    async def status(self, model: str, version: int | None = None) -> list[dict[str, Any]]:
        """As `Asking.status`."""
        return await self._call(Request("status", model, version), Deadline(self.timeout))

    async def metadata(self, model: str, version: int | None = None) -> dict[str, Any]:
        """As `Asking.metadata`."""
        return await self._call(Request("metadata", model, version), Deadline(self.timeout))

    async def classify(self, model: str, texts: Texts, version: int | None = None) -> list[Classification]:
        """As `Asking.classify`."""
        return await self._ask(model, question_of.classification(texts), version)

    async def classify_pairs(
        self, model: str, texts_a: Texts, texts_b: Texts, version: int | None = None
    ) -> list[Classification]:
        """As `Asking.classify_pairs`."""
        return await self._ask(model, question_of.classification_of_pairs(texts_a, texts_b), version)

    async def multilabel(self, model: str, texts: Texts, version: int | None = None) -> list[Multilabel]:
        """As `Asking.multilabel`."""
        return await self._ask(model, question_of.multilabel(texts), version)

    async def relate(
        self, model: str, texts: Texts, heads: Any = None, tails: Any = None, version: int | None = None
    ) -> list[Classification]:
        """As `Asking.relate`."""
        return await self._ask(model, question_of.relation(texts, heads, tails), version)

    async def tag(self, model: str, texts: Texts, version: int | None = None) -> list[list[Entity]]:
        """As `Asking.tag`."""
        return await self._ask(model, question_of.tagging(texts), version)

    async def answer(self, model: str, questions: Texts, contexts: Texts, version: int | None = None) -> list[Answer]:
        """As `Asking.answer`."""
        return await self._ask(model, question_of.answering(questions, contexts), version)

    async def search(
        self, model: str, texts: Texts, k: int | None = None, version: int | None = None
    ) -> list[list[Hit]]:
        """As `Asking.search`."""
        return await self._ask(model, question_of.search(texts, k), version)

    async def score_texts(self, model: str, texts: Texts, version: int | None = None) -> list[Score]:
        """As `Asking.score_texts`."""
        return await self._ask(model, question_of.regression(texts), version)

    async def score_pairs(self, model: str, texts_a: Texts, texts_b: Texts, version: int | None = None) -> list[Score]:
        """As `Asking.score_pairs`."""
        return await self._ask(model, question_of.regression_of_pairs(texts_a, texts_b), version)

    async def embed(self, model: str, texts: Texts, version: int | None = None) -> np.ndarray:
        """As `Asking.embed`."""
        vectors = await self._ask(model, question_of.embedding(texts), version)
        return np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)

    async def write(
        self,
        model: str,
        prompts: Texts = None,
        *,
        sources: Texts = None,
        turns: Any = None,
        max_new_tokens: Any = None,
        temperature: Any = None,
        top_k: Any = None,
        top_p: Any = None,
        seed: Any = None,
        version: int | None = None,
    ) -> list[Written]:
        """As `Asking.write`."""
        settings = {
            "max_new_tokens": max_new_tokens,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "seed": seed,
        }
        return await self._ask(model, question_of.writing(prompts, sources, turns, settings), version)

    async def predict_frame(
        self, model: str, frame: Any, signature_name: str | None = None, version: int | None = None
    ) -> Any:
        """As `Asking.predict_frame`."""
        deadline = Deadline(self.timeout)
        metadata = await self._call(Request("metadata", model, version), deadline)
        signature = signature_of(metadata, model, signature_name)
        question = frame_question(frame, model, signature, signature_name)
        return frame_of(await self._ask(model, question, version, deadline), frame)

    async def _ask(
        self, model: str, question: Question, version: int | None, deadline: Deadline | None = None
    ) -> list[Any]:
        deadline = deadline or Deadline(self.timeout)
        found: list[Any] = []
        for inputs in chunks(question.inputs, self.batch_size):
            request = Request("predict", model, version, question.signature_name, inputs=inputs)
            try:
                outputs = await self._call(request, deadline)
            except ServingError as error:
                raise question.refusal(model, error) from None
            found += question.answers(model, inputs, outputs)
        return found

    async def _call(self, request: Request, deadline: Deadline) -> Any:
        attempts = Attempts(deadline, self.retries)
        while True:
            try:
                return await self._send(request, deadline)
            except (ServingError, NoAnswerError) as error:
                await self._sleep(attempts.pause_after(error))
