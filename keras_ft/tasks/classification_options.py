"""What a recipe may say about a classification."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PlainValidator

from keras_ft.tasks.label_options import LabelOptions, in_order, number

Temperature = float | Literal["auto"]
Abstain = float | dict[str, float] | None
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.1, 100.0


def _temperature(value: Any) -> Any:
    found = number(value)
    if value != "auto" and (found is None or not LEAST_TEMPERATURE <= found <= MOST_TEMPERATURE):
        raise ValueError(f"should be 'auto' or a number from {LEAST_TEMPERATURE:g} to {MOST_TEMPERATURE:g}")
    return value if found is None else found


def _abstain(value: Any) -> Any:
    advice = "should be a score from 0 to 1, or an accuracy to be reached such as {accuracy: 0.95}"
    if value is None:
        return None
    wish = isinstance(value, dict)
    if wish and set(value) != {"accuracy"}:
        raise ValueError(advice)
    found = number(value["accuracy"] if wish else value)
    if found is None or not 0.0 <= found <= 1.0 or (wish and found == 0.0):
        raise ValueError(advice)
    return {"accuracy": found} if wish else found


class ClassificationOptions(LabelOptions):
    """`task: {name: classification, …}`, and of `pair`."""

    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """ε: the target is 1 − ε on the label plus ε shared by all labels."""
    temperature: Annotated[Temperature, PlainValidator(_temperature)] = "auto"
    """What the scores are calibrated with: `auto` fits it on validation; or a number from 0.1 to 100."""
    abstain: Annotated[Abstain, PlainValidator(_abstain)] = None
    """A score from 0 to 1 below which no label is given, or the accuracy that given labels shall have:
    `{accuracy: 0.95}`."""


def weights_of_labels(
    option: Literal["balanced"] | dict[str, float] | None, names: list[str], counts: np.ndarray
) -> list[float] | None:
    """The loss weight of each label, in the order of `names`; None where all weigh the same.

    Args:
        option: `balanced`: as scikit-learn has it, examples / (labels · examples of the label), so that every label
            has the same share in the loss; or label → weight, 1 for a label that is not named.
        names: the labels.
        counts: how many training examples each has.

    Raises:
        RequestError: a weight is given to a label that the training data do not have.
    """
    if option is None:
        return None
    if option == "balanced":
        return (counts.sum() / (len(names) * counts)).tolist()
    return in_order(option, names, 1.0, "task.class_weight")
