import json
import math

import numpy as np
import pytest

from keras_ft.errors import WorkError
from keras_ft.training.divergence import Divergence


def watch(losses, precision="float32", norm=1.0, divergence=None) -> Divergence:
    divergence = divergence or Divergence()
    for step, loss in enumerate(losses, start=1):
        divergence.check(step, {"loss": float(loss), "gradient_norm": norm}, precision)
    return divergence


def learning(steps: int, start: float, end: float, noise: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    curve = end + (start - end) * np.exp(-np.arange(steps) / (steps / 8))
    return curve * np.exp(rng.normal(0, noise, steps))


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_names_the_step_and_what_to_try(loss):
    with pytest.raises(WorkError, match=f"the loss is {loss} at step 3; try a lower learning_rate"):
        watch([1.0, 1.0, loss])


def test_a_gradient_that_is_no_number_stops_a_run_whose_loss_still_is():
    with pytest.raises(WorkError, match=r"the gradient's norm is inf at step 1, the loss 0\.7.*precision: float32"):
        watch([0.7], "bfloat16", math.inf)


def test_loss_scaling_may_skip_steps_but_not_for_ever():
    watch([0.7] * 30, "float16", math.nan)
    with pytest.raises(WorkError, match="at step 31"):
        watch([0.7] * 31, "float16", math.nan)


@pytest.mark.parametrize(
    "losses",
    [
        learning(3000, 0.7, 1e-4, 1.5),  # overfitted, with spikes
        learning(3000, 10.4, 3.0, 0.1),  # pre-training
        [*learning(1000, 5.4, 0.02, 0.5), *learning(1000, 2.0, 0.02, 0.5)],  # forgets, and learns again
        [*learning(1000, 0.7, 0.01, 0.5), *[50.0] * 60, *learning(1000, 0.5, 0.01, 0.5)],  # a burst of bad batches
        np.full(2000, 0.69),  # learns nothing
    ],
)
def test_ordinary_runs_raise_no_alarm(losses):
    watch(losses)


@pytest.mark.parametrize("blown", [np.full(400, 9.0), 0.01 * 1.05 ** np.arange(400)])
def test_a_loss_that_explodes_and_stays_up_is_told_with_what_was_seen(blown):
    with pytest.raises(WorkError, match=r"the loss exploded: .* after 0\.0\d+ at step \d+ and 0\.6\d* untrained; try"):
        watch([*learning(1000, 0.7, 0.01, 0.1), *blown])


def test_a_resumed_run_remembers_how_low_the_loss_was():
    kept = json.loads(json.dumps(vars(watch(learning(1000, 0.7, 0.01, 0.1)))))
    with pytest.raises(WorkError, match="the loss exploded"):
        watch([9.0] * 160, divergence=Divergence(**kept))


def test_weights_that_give_no_loss_on_validation_do_not_become_the_best():
    with pytest.raises(WorkError, match="the loss on validation is nan at step 7"):
        Divergence().check_evaluation(7, {"loss": math.nan, "accuracy": 1.0}, "bfloat16")
