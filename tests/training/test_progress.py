import pytest

from keras_ft.recipe import Interval
from keras_ft.training.progress import Progress, is_due


@pytest.mark.parametrize(
    ("amount", "unit", "due"),
    [
        (1, "epochs", [5, 10, 15, 20]),
        (2, "epochs", [10, 20]),
        (0.5, "epochs", [3, 5, 8, 10, 13, 15, 18, 20]),
        (0.3, "epochs", [2, 4, 5, 7, 9, 10, 12, 14, 15, 17, 19, 20]),
        (4, "steps", [4, 8, 12, 16, 20]),
        (1, "steps", [*range(1, 21)]),
    ],
)
def test_what_is_due_behind_which_of_four_epochs_of_five_steps(amount, unit, due):
    steps = [Progress(step=5 * epoch + batch, epoch=epoch, batch=batch) for epoch in range(4) for batch in range(1, 6)]
    assert [at.step for at in steps if is_due(Interval(amount=amount, unit=unit), at, 5)] == due
