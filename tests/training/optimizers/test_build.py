"""Every optimizer of the registry on a tiny model; the last test runs some of the others with JAX."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.recipe import TrainSection
from keras_ft.training.optimizers.build import build_optimizer, rate_scales
from keras_ft.training.optimizers.methods import OPTIMIZERS
from tests.updates import RATES, arrays, gradients_of, tiny_model, update

KERAS = {
    "adamw": keras.optimizers.AdamW,
    "adam": keras.optimizers.Adam,
    "sgd": keras.optimizers.SGD,
    "adafactor": keras.optimizers.Adafactor,
    "lamb": keras.optimizers.Lamb,
    "lion": keras.optimizers.Lion,
}
EVERY = pytest.mark.parametrize("name", list(OPTIMIZERS))


def settings_of(name: str, **changes) -> TrainSection:
    return TrainSection(
        **{"optimizer": name, "learning_rate": RATES[name], "schedule": "constant", "warmup": 0} | changes
    )


@EVERY
def test_updates_decay_and_averages_are_those_of_keras_step_for_step(name):
    ours, theirs = tiny_model(), tiny_model()
    optimizer = build_optimizer(settings_of(name, weight_decay=0.1, ema=0.7), ours, 100)
    options = OPTIMIZERS[name]().model_dump()
    reference = KERAS[name](RATES[name], weight_decay=0.1, use_ema=True, ema_momentum=0.7, **options)
    reference.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    reference.build(theirs.trainable_variables)
    start = arrays(ours.trainable_variables)
    for step in range(3):
        update(optimizer, ours.trainable_variables, gradients_of(start, step))
        update(reference, theirs.trainable_variables, gradients_of(start, step))
    expected = [*arrays(theirs.trainable_variables), *arrays(reference._model_variables_moving_average)]
    found = [*arrays(ours.trainable_variables), *arrays(optimizer.averages())]
    for before, our, their in zip([*start, *start], found, expected, strict=True):
        assert np.abs(our - before).max() > 1e-4
        np.testing.assert_allclose(our, their, rtol=1e-4, atol=1e-6)


@EVERY
def test_biases_norms_and_extra_weights_do_not_decay(name):
    model = tiny_model(extra={"transitions": (4, 2)})
    optimizer = build_optimizer(settings_of(name, weight_decay=0.5), model, 10)
    before = arrays(model.trainable_variables)
    update(optimizer, model.trainable_variables, [np.zeros_like(array) for array in before])
    for variable, start in zip(model.trainable_variables, before, strict=True):
        if variable.name in ("bias", "gamma", "beta", "transitions"):
            assert np.array_equal(variable, start), variable.path
        else:
            np.testing.assert_allclose(variable, start * (1 - 0.5 * RATES[name]), rtol=1e-6, err_msg=variable.path)


@EVERY
def test_a_row_and_a_column_without_gradient_make_no_nan(name):
    model = tiny_model()
    optimizer = build_optimizer(settings_of(name, weight_decay=0.0), model, 10)
    gradients = gradients_of(model.trainable_variables, 0)
    for gradient in gradients:
        gradient[0] = 0
        gradient[..., 1] = 0
    update(optimizer, model.trainable_variables, gradients)
    assert all(np.isfinite(variable).all() for variable in model.trainable_variables)


@pytest.mark.parametrize(("name", "decay"), [("adamw", 0.01), ("lamb", 0.01), ("lion", 0.01)])
def test_a_weight_decay_that_is_not_given_is_the_methods_own(name, decay):
    assert build_optimizer(settings_of(name), tiny_model(), 10).weight_decay == decay
    assert build_optimizer(settings_of(name, weight_decay=0.0), tiny_model(), 10).weight_decay == 0


@pytest.mark.parametrize("name", ["adam", "sgd", "adafactor"])
def test_these_do_not_decay_unless_told_to(name):
    assert build_optimizer(settings_of(name), tiny_model(), 10).weight_decay == 0
    assert build_optimizer(settings_of(name, weight_decay=0.1), tiny_model(), 10).weight_decay == 0.1


def test_the_head_learns_at_the_full_rate_and_each_layer_below_at_a_part_of_it():
    model = tiny_model(layers=3)
    scales = dict(
        zip(
            [v.path for v in model.trainable_variables], rate_scales(model, model.trainable_variables, 0.5), strict=True
        )
    )
    assert scales["head/kernel"] == scales["pooled_dense/kernel"] == 1
    assert scales["transformer_layer_2/self_attention_layer/query/kernel"] == 0.5
    assert scales["transformer_layer_0/feedforward_layer_norm/gamma"] == 0.125
    assert scales["token_embedding/embeddings"] == scales["embeddings_layer_norm/beta"] == 0.0625


def test_weights_besides_head_and_encoder_learn_faster_with_and_without_layer_decay():
    for changes in ({}, {"layer_decay": 0.5}):
        model = tiny_model(extra={"transitions": (4, 2)})
        optimizer = build_optimizer(settings_of("adamw", weight_decay=0.0, **changes), model, 10)
        before = arrays(model.trainable_variables)
        update(optimizer, model.trainable_variables, [np.ones_like(array) for array in before])
        moved = {v.path: np.abs(v - b).max() for v, b in zip(model.trainable_variables, before, strict=True)}
        np.testing.assert_allclose(moved["extra/transitions"], 100 * moved["head/kernel"], rtol=1e-4)


def test_every_variable_has_one_depth():
    model = tiny_model(layers=2)
    listed = [id(v) for group in model.variables_by_depth() for v in group]
    assert sorted(listed) == sorted(id(v) for v in model.variables)


@EVERY
def test_layer_decay_is_a_lower_rate_for_update_and_weight_decay_alike(name):
    """Each group of variables moves as all do in a run whose learning rate is that group's."""
    decayed = tiny_model()
    optimizer = build_optimizer(settings_of(name, weight_decay=0.1, layer_decay=0.5), decayed, 100)
    for step in range(2):
        update(optimizer, decayed.trainable_variables, gradients_of(decayed.trainable_variables, step))
    for depth, group in enumerate(decayed.variables_by_depth()):
        plain = tiny_model()
        rate = RATES[name] * 0.5**depth
        optimizer = build_optimizer(settings_of(name, weight_decay=0.1, learning_rate=rate), plain, 100)
        for step in range(2):
            update(optimizer, plain.trainable_variables, gradients_of(plain.trainable_variables, step))
        for ours, theirs in zip(group, plain.variables_by_depth()[depth], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7, err_msg=ours.path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adamww"}, "did you mean 'adamw'"),
        ({"optimizer": {"name": "adamw", "beta1": 0.9}}, "did you mean 'beta_1'"),
        ({"optimizer": {"name": "lion", "beta_2": 1.5}, "learning_rate": 1e-5}, "optimizer lion: beta_2"),
        ({"optimizer": "lion"}, "optimizer lion needs a train.learning_rate of its own; 1.0e-5 is a usual start"),
    ],
)
def test_a_wrong_optimizer_is_refused(settings, message):
    with pytest.raises(RequestError) as error:
        build_optimizer(TrainSection(**settings), tiny_model(), 10)
    assert message in str(error.value)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="is running now")
def test_the_same_holds_for_the_stateless_update_of_jax():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        __file__,
        "-k",
        "step_for_step or layer_decay_is",
    ]
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[3]
    )
    assert done.returncode == 0, done.stdout
