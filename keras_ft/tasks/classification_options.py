"""What a recipe may say about a classification."""

from difflib import get_close_matches
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PlainValidator

from keras_ft.data.labels import label_text
from keras_ft.errors import RequestError
from keras_ft.recipe import Section

Temperature = float | Literal["auto"]
Abstain = float | dict[str, float] | None
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.1, 100.0


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _class_weight(value: Any) -> Any:
    if value is None or value == "balanced":
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError("should be 'balanced' or a mapping of labels to weights")
    weights = {}
    for key, weight in value.items():
        label, number = label_text(key, "task classification: class_weight"), _number(weight)
        if number is None or not 0.0 < number < float("inf"):
            raise ValueError(f"the weight of '{label}' should be a number above 0 (it is {weight!r})")
        weights[label] = number
    return weights


def _temperature(value: Any) -> Any:
    number = _number(value)
    if value != "auto" and (number is None or not LEAST_TEMPERATURE <= number <= MOST_TEMPERATURE):
        raise ValueError(f"should be 'auto' or a number from {LEAST_TEMPERATURE:g} to {MOST_TEMPERATURE:g}")
    return value if number is None else number


def _abstain(value: Any) -> Any:
    advice = "should be a score from 0 to 1, or an accuracy to be reached such as {accuracy: 0.95}"
    if value is None:
        return None
    wish = isinstance(value, dict)
    if wish and set(value) != {"accuracy"}:
        raise ValueError(advice)
    number = _number(value["accuracy"] if wish else value)
    if number is None or not 0.0 <= number <= 1.0 or (wish and number == 0.0):
        raise ValueError(advice)
    return {"accuracy": number} if wish else number


class ClassificationOptions(Section):
    """`task: {name: classification, …}`."""

    pooling: Literal["mean", "first", "pooler"] | None = None
    class_weight: Annotated[Literal["balanced"] | dict[str, float] | None, PlainValidator(_class_weight)] = None
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    focal_gamma: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    temperature: Annotated[Temperature, PlainValidator(_temperature)] = "auto"
    abstain: Annotated[Abstain, PlainValidator(_abstain)] = None


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
    for label in option:
        if label not in names:
            near = get_close_matches(label, names, n=1)
            some = ", ".join(f"'{name}'" for name in names[:10]) + (" …" if len(names) > 10 else "")
            raise RequestError(
                f"task classification: class_weight names '{label}', a label that the training data do not have; "
                + (f"did you mean '{near[0]}'?" if near else f"they have {some}")
            )
    return [option.get(name, 1.0) for name in names]
