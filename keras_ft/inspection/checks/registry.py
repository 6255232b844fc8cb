"""Every check: a function of the survey that yields findings. One that is for some tasks only names them."""

from collections.abc import Callable, Iterator

from keras_ft.inspection.finding import Finding
from keras_ft.inspection.survey import Survey

Check = Callable[[Survey], Iterator[Finding]]
CHECKS: dict[str, Check] = {}
TASKS_OF_CHECK: dict[str, tuple[str, ...]] = {}
"""Name of a check → the tasks that it is for; one that is not here is for all."""


def check(*tasks: str) -> Callable[[Check], Check]:
    """Register the decorated check, for some tasks or, where none is named, for all."""

    def register(function: Check) -> Check:
        CHECKS[function.__name__] = function
        if tasks:
            TASKS_OF_CHECK[function.__name__] = tasks
        return function

    return register


def checks_for(task: str) -> list[Check]:
    """The checks that a task's data go through."""
    return [function for name, function in CHECKS.items() if task in TASKS_OF_CHECK.get(name, (task,))]
