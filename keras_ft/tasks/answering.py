"""Tasks that answer from what one forward pass gives, and how an export asks them."""

from abc import abstractmethod
from typing import Any

from keras import ops

from keras_ft.batch import TokenBatch
from keras_ft.tasks.base import Task

Tensor = Any


class AnsweringTask(Task):
    """A task whose answer follows from one forward pass. `answer` uses tensorflow alone."""

    def divisor(self, batch: TokenBatch) -> Tensor:
        """The number of examples; those that only fill up do not count."""
        return ops.sum(batch.example_weights)

    @abstractmethod
    def answer(
        self,
        outputs: dict[str, Tensor],
        batch: TokenBatch,
        texts: dict[str, Tensor],
        top_k: int | None = None,
    ) -> dict[str, Tensor]:
        """What a user reads, with leading dimension = examples.

        Args:
            outputs: what was kept of the outputs.
            batch: in the ragged layout, with the features of `Sequences`.
            texts: the request's strings `(examples,)` by text column; nothing in an evaluation.
            top_k: how many of the best there are to be.
        """

    def other_requests(self) -> dict[str, dict[str, Any]]:
        """Further signatures of an export: name → the `tf.TensorSpec` of each input by its name.

        `features` takes these tensors in place of those of the text columns, and `answer` finds them in `texts`.
        """
        return {}

    def as_other_requests(self, name: str, requests: dict[str, list]) -> dict[str, list]:
        """Requests by text column, as the further signature `name` would have them, one for each.

        An export is warmed up and verified with them.
        """
        raise NotImplementedError(f"task {self.name} has no signature '{name}'")

    @property
    def score_threshold(self) -> float | None:
        """The `score` below which `answer` leaves `label` empty, if it ever does."""
        return None

    @property
    def label_thresholds(self) -> dict[str, float]:
        """Label → the score from which on `answer` says that it is `predicted`; nothing of tasks that do not say it."""
        return {}
