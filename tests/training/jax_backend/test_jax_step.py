"""What the compiled step holds, and what it does to the state."""

import re
from dataclasses import replace

import jax
import numpy as np
import pytest

from tests.training.equal_steps import jax_engine as engine_of
from tests.training.equal_steps import learn, steps_in_rows


def jax_engine(strategy, **changes):
    return engine_of(strategy, layers=1, **changes)


def first_batch(engine, arrays):
    parts = engine.num_replicas * engine.settings.accumulate
    return next(engine.batches(arrays, steps_in_rows(arrays, parts), 0))


def test_the_step_compiles_for_a_tpu_and_calls_nothing_back(arrays):
    engine = jax_engine("one", accumulate=2, dropout=0.1, precision="bfloat16")
    arguments = engine.arguments(first_batch(engine, arrays), 0)
    assert all(isinstance(size, int) for tensor in arguments[2].values() for size in tensor.shape)
    exported = jax.export.export(engine.compiled, platforms=["tpu"])(*arguments)
    assert exported.platforms == ("tpu",)
    text = exported.mlir_module()
    assert "stablehlo.dot_general" in text
    assert re.findall(r"custom_call.*|stablehlo\.(?:send|recv|infeed|outfeed)", text) == []


def test_devices_share_a_layer_without_gathering_and_the_state_is_updated_in_place(arrays):
    engine = jax_engine({"data": 2, "model": 2}, dropout=0.1)
    arguments = engine.arguments(first_batch(engine, arrays), 0)
    compiled = engine.compiled.lower(*arguments).compile().as_text()
    assert re.search(r" all-reduce\(", compiled)
    assert not re.search(r" (all-gather|all-to-all|collective-permute)\(", compiled)
    assert "input_output_alias" in compiled
    assert [name for name in re.findall(r'custom_call_target="([^"]+)"', compiled) if "callback" in name] == []
    engine.train_step(arguments[2], 0)
    assert all(array.is_deleted() for array in jax.tree.leaves(arguments[0]))
    kernel = next(v for v in engine.model.variables if v.path.endswith("layer_0/feedforward_output_dense/kernel"))
    assert kernel._value.addressable_shards[0].data.shape == (32, 32)  # of (64, 32)


def test_a_resumed_run_is_the_same_bit_for_bit_and_the_saved_state_stays_as_it_was(arrays):
    engine = jax_engine({"data": 2}, accumulate=2, dropout=0.1)
    steps = steps_in_rows(arrays, 4)
    learn(engine, arrays, steps[:3])
    saved = engine.state()
    kept = {name: array.copy() for name, array in saved.items()}
    losses = learn(engine, arrays, steps[:6], start=3)
    last = engine.state()
    assert all(np.array_equal(saved[name], array) for name, array in kept.items())
    other = jax_engine({"data": 2}, accumulate=2, dropout=0.1)
    other.load_state(saved)
    assert learn(other, arrays, steps[:6], start=3).tolist() == losses.tolist()
    for name, array in other.state().items():
        assert np.array_equal(array, last[name]), name
    assert all(np.array_equal(saved[name], array) for name, array in kept.items())


def test_masks_differ_between_replicas_and_between_micro_batches(arrays):
    """The mean loss of the same examples twice is that of once, unless other masks are drawn for the second time."""
    whole = steps_in_rows(arrays)[0]
    twice = replace(whole, parts=(whole.parts[0], whole.parts[0]))

    def losses(dropout):
        settings = [("one", 1, whole), ({"data": 2}, 1, twice), ("one", 2, twice)]
        return [learn(jax_engine(s, accumulate=a, dropout=dropout), arrays, [step])[0] for s, a, step in settings]

    once, by_replicas, by_micro_batches = losses(0.0)
    assert (by_replicas, by_micro_batches) == pytest.approx((once, once), abs=1e-5)
    once, by_replicas, by_micro_batches = losses(0.5)
    assert abs(once - by_replicas) > 1e-3
    assert abs(once - by_micro_batches) > 1e-3


def test_an_overflow_in_float16_halves_the_scale_and_leaves_the_weights(arrays):
    engine = jax_engine("one", precision="float16")
    start = engine.state()
    assert start["loss_scale/scale"] == 2.0**15
    engine.load_state({**start, "loss_scale/scale": np.float32(2.0**127)})
    batch = first_batch(engine, arrays)
    engine.train_step(batch, 0)
    after = engine.state()
    assert after.pop("loss_scale/scale") == 2.0**126
    assert all(np.array_equal(start[name], array) for name, array in after.items())
    late = {"loss_scale/scale": np.float32(2.0**15), "loss_scale/good_steps": np.int32(1999)}
    engine.load_state({**start, **late})
    engine.train_step(batch, 0)
    after = engine.state()
    assert (after["loss_scale/scale"], after["loss_scale/good_steps"]) == (2.0**16, 0)
    assert after["optimizer/0000/iteration"] == 1
    assert not np.array_equal(start["model/head/kernel"], after["model/head/kernel"])


def test_averaged_weights_take_the_place_of_the_latest_for_a_while(arrays):
    engine = jax_engine({"data": 2, "model": 2}, ema=0.5, layer_decay=0.9, activation_checkpointing=True)
    learn(engine, arrays, steps_in_rows(arrays, 2)[:3])
    latest = engine.state()
    with engine.averaged_weights():
        averaged = engine.state()
    assert not np.array_equal(latest["model/head/kernel"], averaged["model/head/kernel"])
    assert all(np.array_equal(latest[name], array) for name, array in engine.state().items())
    learn(engine, arrays, steps_in_rows(arrays, 2)[:4], start=3)  # the averages were not given up
    assert not np.array_equal(latest["model/head/kernel"], engine.state()["model/head/kernel"])
    assert engine.compiled._cache_size() == 1
