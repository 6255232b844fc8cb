"""What a recipe may say about a task of several labels a text."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PlainValidator

from keras_ft.tasks.label_options import LabelOptions, in_order, number, numbers_by_label
from keras_ft.tasks.thresholds import HALF

ThresholdOption = float | dict[str, float] | Literal["auto"]


def _is_score(value: float) -> bool:
    return 0.0 <= value <= 1.0


def _thresholds(value: Any) -> Any:
    if value == "auto":
        return value
    if isinstance(value, dict) and value:
        what = "the threshold of '{label}' should be a score from 0 to 1"
        return numbers_by_label(value, "task.thresholds", what, _is_score)
    found = number(value)
    if found is None or not _is_score(found):
        raise ValueError("should be 'auto', a score from 0 to 1, or a mapping of labels to scores")
    return found


class MultilabelOptions(LabelOptions):
    """`task: {name: multilabel, …}`."""

    thresholds: Annotated[ThresholdOption, PlainValidator(_thresholds)] = "auto"
    """The score from which on a label is given: `auto` chooses one a label on validation; a number for all labels; or
    numbers by label, `{joy: 0.3}`, 0.5 for those not named."""
    separator: Annotated[str, Field(min_length=1)] = ","
    """Stands between labels where a file holds them as a string; `[` begins a list in JSON."""


def positive_weights(
    option: Literal["balanced"] | dict[str, float] | None, names: list[str], counts: np.ndarray, num_examples: int
) -> list[float] | None:
    """What a label's loss weighs where it is present, by label in the order of `names`; None where all weigh 1.

    Args:
        option: `balanced`: examples without the label / examples with it, so that both have the same share in the
            label's loss; or label → weight, 1 for a label that is not named.
        names: the labels.
        counts: how many training examples have each.
        num_examples: of training.

    Raises:
        RequestError: a weight is given to a label that the training data do not have.
    """
    if option is None:
        return None
    if option == "balanced":
        return (np.maximum(1, num_examples - counts) / counts).tolist()
    return in_order(option, names, 1.0, "task.class_weight")


def thresholds_in_order(option: ThresholdOption, names: list[str]) -> list[float] | Literal["auto"]:
    """The threshold of each label, in the order of `names`; `auto` where they are still to be found.

    Raises:
        RequestError: one is given to a label that the training data do not have.
    """
    if isinstance(option, str):
        return option
    if isinstance(option, dict):
        return in_order(option, names, HALF, "task.thresholds")
    return [option] * len(names)
