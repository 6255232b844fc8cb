"""What a recipe may say about relations."""

from typing import Literal, get_args

from keras_ft.errors import RequestError
from keras_ft.recipe import suggest
from keras_ft.tasks.classification_options import ClassificationOptions

Pooling = Literal["markers", "markers_first", "markers_mean"]
POOLINGS: tuple[str, ...] = get_args(Pooling)
NEGATIVE_LABELS = ("Other", "no_relation")


class RelationOptions(ClassificationOptions):
    """`task: {name: relation, …}`."""

    pooling: Pooling = "markers"  # type: ignore[assignment]
    """What stands for a pair: the hidden states at the markers before both entities, and with them that of the first
    token (`markers_first`) or the mean over all tokens (`markers_mean`)."""
    negative_label: str | None = None
    """The label that says that there is no relation; `null` looks for `Other` and `no_relation`."""


def negative_label(wanted: str | None, labels: list[str]) -> str | None:
    """The label that says that there is no relation, None where none does.

    Args:
        wanted: of the recipe.
        labels: of the training data.

    Raises:
        RequestError: the training data have no such label.
    """
    if wanted is None:
        return next((name for name in NEGATIVE_LABELS if name in labels), None)
    if wanted not in labels:
        advice = suggest(wanted, labels)
        raise RequestError(
            f"task relation: negative_label is '{wanted}', which the training data do not have; {advice}"
        )
    return wanted
