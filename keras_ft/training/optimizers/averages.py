"""The moving average of the weights, put in their place for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras import ops


@contextmanager
def averaged_weights(variables: list[Any], averages: list[Any]) -> Iterator[None]:
    """Within it the variables hold their moving averages; afterwards what they held before, bit for bit.

    A checkpoint that training resumes from must be written outside.

    Args:
        variables: the trained ones.
        averages: what `PerVariableUpdate.averages` gives; where it is empty, nothing is done.
    """
    variables = variables if averages else []
    raw = [ops.copy(variable) for variable in variables]
    _assign(variables, averages)
    try:
        yield
    finally:
        _assign(variables, raw)


def _assign(variables: list[Any], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
