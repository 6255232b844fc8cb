"""What every client can be asked, one call after another; how a request is sent is its own affair."""

import time
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


class Asking(ABC):
    """The methods of a client.

    Each task has its own, which takes lists, arrays or Series with one entry an example, sends `batch_size` of them at
    a time, and returns their answers in the same order. All raise as `predict`, and `WorkError` where the model is of
    another task.

    Arguments:
        timeout: seconds for a whole call, its pauses and repetitions included; the server is told.
        retries: how often a request is sent again that the server was too busy for, or that did not reach it.
        batch_size: the most examples of one request of the typed methods.
    """

    def __init__(self, timeout: float, retries: int, batch_size: int):
        checked(timeout, retries, batch_size)
        self.timeout, self.retries, self.batch_size = timeout, retries, batch_size
        self._sleep = time.sleep

    @abstractmethod
    def _send(self, request: Request, deadline: Deadline) -> Any:
        """Send a request once.

        Raises:
            ServingError: the server refused it.
            NoAnswerError: there came no answer.
        """

    def predict(
        self,
        model: str,
        instances: Any = None,
        inputs: Any = None,
        signature_name: str | None = None,
        version: int | None = None,
    ) -> Any:
        """Predict for a list of instances, or for inputs given by column.

        Arguments:
            model: the model's name.
            instances: a list with one entry per example: a value, or a dict of named values.
            inputs: a nested list, or a dict of named nested lists; instead of `instances`.
            signature_name: the signature to use; by default `serving_default`.
            version: the version to ask; by default the latest.

        Arrays and Series are sent as nested lists and bytes as strings.

        Returns:
            `predictions` (a list, one entry per instance) or `outputs` (lists over REST, arrays over gRPC); a single
            output goes without its name.

        Raises:
            ServingError: the server refused the request.
            WorkError: there is no server at that address, or it does not answer in time.
        """
        request = Request("predict", model, version, signature_name, instances, inputs)
        return self._call(request, Deadline(self.timeout))

    def status(self, model: str, version: int | None = None) -> list[dict[str, Any]]:
        """State of each version of a model: `version`, `state` (`AVAILABLE`, …) and `status`; raises as `predict`."""
        return self._call(Request("status", model, version), Deadline(self.timeout))

    def metadata(self, model: str, version: int | None = None) -> dict[str, Any]:
        """The signatures of a model by name, as `SignatureDef` protos in JSON; raises as `predict`."""
        return self._call(Request("metadata", model, version), Deadline(self.timeout))

    def classify(self, model: str, texts: Texts, version: int | None = None) -> list[Classification]:
        """The class of each text."""
        return self._ask(model, question_of.classification(texts), version)

    def classify_pairs(
        self, model: str, texts_a: Texts, texts_b: Texts, version: int | None = None
    ) -> list[Classification]:
        """The class of each pair of texts."""
        return self._ask(model, question_of.classification_of_pairs(texts_a, texts_b), version)

    def multilabel(self, model: str, texts: Texts, version: int | None = None) -> list[Multilabel]:
        """All labels of each text."""
        return self._ask(model, question_of.multilabel(texts), version)

    def relate(
        self, model: str, texts: Texts, heads: Any = None, tails: Any = None, version: int | None = None
    ) -> list[Classification]:
        """The relation of two members of each text: marked in it, or given as `(start, end)` in characters."""
        return self._ask(model, question_of.relation(texts, heads, tails), version)

    def tag(self, model: str, texts: Texts, version: int | None = None) -> list[list[Entity]]:
        """The entities of each text, in their order."""
        return self._ask(model, question_of.tagging(texts), version)

    def answer(self, model: str, questions: Texts, contexts: Texts, version: int | None = None) -> list[Answer]:
        """The answer to each question, as a piece of its context."""
        return self._ask(model, question_of.answering(questions, contexts), version)

    def search(self, model: str, texts: Texts, k: int | None = None, version: int | None = None) -> list[list[Hit]]:
        """The k nearest texts of the model's index for each text, best first; 10 where k is None."""
        return self._ask(model, question_of.search(texts, k), version)

    def score_texts(self, model: str, texts: Texts, version: int | None = None) -> list[Score]:
        """A number for each text."""
        return self._ask(model, question_of.regression(texts), version)

    def score_pairs(self, model: str, texts_a: Texts, texts_b: Texts, version: int | None = None) -> list[Score]:
        """A number for each pair of texts."""
        return self._ask(model, question_of.regression_of_pairs(texts_a, texts_b), version)

    def embed(self, model: str, texts: Texts, version: int | None = None) -> np.ndarray:
        """The vectors of texts, `(texts, hidden)` float32."""
        vectors = self._ask(model, question_of.embedding(texts), version)
        return np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)

    def write(
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
        """What a model writes after each prompt, for each source, or after the turns of each dialogue (oldest first).

        `max_new_tokens`, `temperature`, `top_k`, `top_p` and `seed` are one number, or one for each text; where none is
        given, the model writes as its recipe says.
        """
        settings = {
            "max_new_tokens": max_new_tokens,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "seed": seed,
        }
        return self._ask(model, question_of.writing(prompts, sources, turns, settings), version)

    def predict_frame(
        self, model: str, frame: Any, signature_name: str | None = None, version: int | None = None
    ) -> Any:
        """A pandas frame with the scalar fields of each row's answer, and the index of the frame that is given.

        Arguments:
            model: the model's name.
            frame: has a column for each input of the signature; others are left alone.
            signature_name: `serving_default` where None.
            version: the latest where None.
        """
        deadline = Deadline(self.timeout)
        metadata = self._call(Request("metadata", model, version), deadline)
        signature = signature_of(metadata, model, signature_name)
        question = frame_question(frame, model, signature, signature_name)
        return frame_of(self._ask(model, question, version, deadline), frame)

    def _ask(self, model: str, question: Question, version: int | None, deadline: Deadline | None = None) -> list[Any]:
        deadline = deadline or Deadline(self.timeout)
        found: list[Any] = []
        for inputs in chunks(question.inputs, self.batch_size):
            request = Request("predict", model, version, question.signature_name, inputs=inputs)
            try:
                outputs = self._call(request, deadline)
            except ServingError as error:
                raise question.refusal(model, error) from None
            found += question.answers(model, inputs, outputs)
        return found

    def _call(self, request: Request, deadline: Deadline) -> Any:
        attempts = Attempts(deadline, self.retries)
        while True:
            try:
                return self._send(request, deadline)
            except (ServingError, NoAnswerError) as error:
                self._sleep(attempts.pause_after(error))
