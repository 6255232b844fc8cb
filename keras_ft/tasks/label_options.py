"""What a recipe may say about every task of labels, and about each label by its name."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from keras_ft.data.labels import label_text
from keras_ft.errors import RequestError
from keras_ft.tasks.pooled import PooledOptions


def number(value: Any) -> float | None:
    """A number as a float; None for what is none, booleans among them."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def numbers_by_label(given: dict, key: str, what: str, is_right: Callable[[float], bool]) -> dict[str, float]:
    """A mapping of labels to numbers as YAML has it, its keys as labels are known.

    Args:
        given: the mapping.
        key: of the recipe, for errors.
        what: is right, such as `the weight of '{label}' should be a number above 0`.
        is_right: says whether a number is.

    Raises:
        ValueError: a number is not right.
        RequestError: a key can be no label.
    """
    found = {}
    for name, value in given.items():
        label, as_number = label_text(name, key), number(value)
        if as_number is None or not is_right(as_number):
            raise ValueError(f"{what.format(label=label)} (it is {value!r})")
        found[label] = as_number
    return found


def in_order(given: Mapping[str, float], names: Sequence[str], default: float, key: str) -> list[float]:
    """The number of each label, in the order of `names`.

    Args:
        given: label → number; a label that is not named has the `default`.
        names: the labels of the training data.
        default: see above.
        key: of the recipe, for errors.

    Raises:
        RequestError: a label is named that the training data do not have.
    """
    for label in given:
        if label not in names:
            near = get_close_matches(label, names, n=1)
            some = ", ".join(f"'{name}'" for name in names[:10]) + (" …" if len(names) > 10 else "")
            raise RequestError(
                f"{key} names '{label}', a label that the training data do not have; "
                + (f"did you mean '{near[0]}'?" if near else f"they have {some}")
            )
    return [given.get(name, default) for name in names]


def _class_weight(value: Any) -> Any:
    if value is None or value == "balanced":
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError("should be 'balanced' or a mapping of labels to weights")
    what = "the weight of '{label}' should be a number above 0"
    return numbers_by_label(value, "task.class_weight", what, lambda weight: 0.0 < weight < float("inf"))


class LabelOptions(PooledOptions):
    """Options that all tasks of labels share."""

    class_weight: Annotated[Literal["balanced"] | dict[str, float] | None, PlainValidator(_class_weight)] = None
    """`balanced`, or weights by label: `{spam: 5}`."""
    focal_gamma: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    """γ: the loss of an answer of probability p weighs (1 − p)^γ (Lin et al. 2017, arXiv:1708.02002)."""
