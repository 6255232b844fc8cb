import keras
import numpy as np
import pytest

from keras_ft.recipe import TrainSection
from keras_ft.training.optimizers.averages import averaged_weights
from keras_ft.training.optimizers.build import build_optimizer
from tests.updates import arrays, gradients_of, tiny_model, update


def trained(**settings) -> tuple:
    model = tiny_model()
    optimizer = build_optimizer(TrainSection(learning_rate=1e-2, warmup=0, **settings), model, 10)
    for step in range(3):
        update(optimizer, model.trainable_variables, gradients_of(model.trainable_variables, step))
    return model, optimizer


def test_the_model_holds_the_averages_within_and_its_own_weights_afterwards_even_after_an_interrupt():
    model, optimizer = trained(ema=0.9)
    raw, averages = arrays(model.trainable_variables), arrays(optimizer.averages())

    def evaluate() -> None:
        with averaged_weights(model.trainable_variables, optimizer.averages()):
            for variable, average, before in zip(model.trainable_variables, averages, raw, strict=True):
                assert np.array_equal(variable, average)
                assert not np.array_equal(variable, before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate()
    for variable, before in zip(model.trainable_variables, raw, strict=True):
        assert np.array_equal(variable, before)


def test_training_goes_on_as_if_nothing_had_been_swapped():
    one, other = trained(ema=0.9), trained(ema=0.9)
    with averaged_weights(one[0].trainable_variables, one[1].averages()):
        pass
    for model, optimizer in (one, other):
        update(optimizer, model.trainable_variables, gradients_of(model.trainable_variables, 3))
    for ours, theirs in zip(
        [*one[0].variables, *one[1].variables], [*other[0].variables, *other[1].variables], strict=True
    ):
        assert np.array_equal(ours, theirs)


def test_before_the_first_step_the_averages_are_the_weights():
    model = tiny_model()
    optimizer = build_optimizer(TrainSection(ema=0.9), model, 10)
    for variable, average in zip(model.trainable_variables, optimizer.averages(), strict=True):
        assert np.array_equal(variable, average)


def test_without_ema_nothing_is_kept_and_nothing_swapped():
    model, optimizer = trained()
    before = arrays(model.variables)
    with averaged_weights(model.trainable_variables, optimizer.averages()):
        assert all(np.array_equal(v, start) for v, start in zip(model.variables, before, strict=True))
    others = 2  # iterations, and the factor that callbacks set
    assert len(optimizer.variables) == others + 2 * len(model.trainable_variables)


def test_averages_are_part_of_the_optimizers_variables():
    _, optimizer = trained(ema=0.9)
    known = {id(variable) for variable in optimizer.variables}
    assert optimizer.averages()
    assert all(isinstance(a, keras.Variable) and id(a) in known for a in optimizer.averages())
