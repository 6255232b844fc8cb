"""Schedules against the formulae of transformers' optimization.py (5.23), whose step 0 is our step before the first."""

import math

import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.recipe import TrainSection
from keras_ft.training.optimizers.schedule import WarmUpThenDecay, build_schedule

TOTAL, WARMUP, PEAK = 110, 10, 2.0


def linear(step):
    return max(0.0, (TOTAL - step) / max(1, TOTAL - WARMUP))


def cosine(step):
    progress = (step - WARMUP) / max(1, TOTAL - WARMUP)
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * progress)))


def polynomial(step, power=2.0, end=0.0):
    return ((PEAK - end) * (1 - (step - WARMUP) / (TOTAL - WARMUP)) ** power + end) / PEAK


@pytest.mark.parametrize(
    ("shape", "formula"),
    [("linear", linear), ("cosine", cosine), ("polynomial", polynomial), ("constant", lambda step: 1.0)],
)
def test_schedules_are_those_of_transformers_with_a_warm_up_that_starts_a_step_later(shape, formula):
    rate = WarmUpThenDecay(PEAK, TOTAL, WARMUP, shape)
    rising = [float(rate(step)) for step in range(WARMUP)]
    np.testing.assert_allclose(rising, [PEAK * (step + 1) / WARMUP for step in range(WARMUP)], rtol=1e-6)
    falling = [float(rate(step)) for step in range(WARMUP, TOTAL + 1)]
    np.testing.assert_allclose(falling, [PEAK * formula(step) for step in range(WARMUP, TOTAL + 1)], atol=1e-6)


def test_the_first_step_learns_and_nothing_is_learned_beyond_the_last():
    rate = WarmUpThenDecay(PEAK, TOTAL, WARMUP, "linear")
    assert float(rate(0)) == pytest.approx(0.2)
    assert float(rate(TOTAL + 5)) == 0.0


@pytest.mark.parametrize(("warmup", "steps"), [(0.25, 5), (3, 3), (0, 0), (20, 20)])
def test_a_warm_up_is_a_fraction_below_one_and_else_a_number_of_steps(warmup, steps):
    assert build_schedule(TrainSection(warmup=warmup), 20).warmup_steps == steps


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(RequestError, match="warmup is 500 steps; the run has only 10"):
        build_schedule(TrainSection(warmup=500), 10)
