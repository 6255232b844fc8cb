"""Steps → a tf.data pipeline that assembles what they name ahead of its use."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_ft.data.arrays import Arrays
from keras_ft.data.steps import Part, RowShape, Step, assemble

AHEAD = 4  # steps


def batches(
    arrays: Arrays,
    steps: Sequence[Step],
    start: int = 0,
    replicas: Sequence[int] = (0,),
    accumulate: int = 1,
) -> tf.data.Dataset:
    """Assemble the parts of each step, in order, a few ahead of the consumer.

    Args:
        arrays: the tokenized examples.
        steps: what to assemble; all have as many parts, `accumulate` times the number of all replicas.
        start: the first step wanted; those before it are never read, so a resumed run loses no time.
        replicas: whose parts are wanted, for each step one element a replica.
        accumulate: micro-batches of a step. More than one are joined: in the ragged layout one behind the other with
            their sizes in `micro_tokens`, `micro_sequences` and `micro_examples` `(accumulate,)`, in the rows layout
            stacked.

    Returns:
        A dataset of `(len(steps) - start) * len(replicas)` dicts: what `assemble` returns. Dimensions are static where
        all steps have one shape.

    Raises:
        ValueError: `start` lies outside the steps.
    """
    if not 0 <= start <= len(steps):
        raise ValueError(f"start is {start}; there are {len(steps)} steps")

    def gather(number: int) -> dict[str, np.ndarray]:
        step = steps[number // len(replicas)]
        stride = len(step.parts) // accumulate
        parts = step.parts[replicas[number % len(replicas)] :: stride]
        return _joined([assemble(arrays, part, step.shape) for part in parts], stacked=step.shape is not None)

    specs = _specs(arrays, {step.shape for step in steps}, accumulate)

    def load(number: tf.Tensor) -> dict[str, tf.Tensor]:
        dtypes = [spec.dtype for spec in specs.values()]
        tensors = tf.numpy_function(lambda n: list(gather(n).values()), [number], dtypes, stateful=False)
        return {
            name: tf.ensure_shape(tensor, spec.shape)
            for (name, spec), tensor in zip(specs.items(), tensors, strict=True)
        }

    numbers = tf.data.Dataset.range(start * len(replicas), len(steps) * len(replicas))
    elements = numbers.map(load, num_parallel_calls=2, deterministic=True).prefetch(AHEAD * len(replicas))
    # With autotuning, the end of an epoch waits until tf.data's tuner wakes up, whose naps grow to a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    return elements.with_options(options)


def _joined(parts: list[dict[str, np.ndarray]], stacked: bool) -> dict[str, np.ndarray]:
    if len(parts) == 1:
        return parts[0]
    if stacked:
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    sizes = {"micro_tokens": "ids", "micro_sequences": "first_token", "micro_examples": "example_weights"}
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return joined | {
        name: np.array([len(part[field]) for part in parts], dtype=np.int32) for name, field in sizes.items()
    }


def _specs(arrays: Arrays, shapes: set[RowShape | None], accumulate: int) -> dict[str, tf.TensorSpec]:
    """Names, types and shapes of the elements; a dimension that is not the same in all of them is dynamic."""
    none = np.zeros(0, dtype=np.int64)
    samples = [
        _joined([assemble(arrays, Part(none, 0, none), shape)] * accumulate, stacked=shape is not None)
        for shape in shapes or {None}
    ]
    ragged = shapes <= {None}

    def spec(name: str) -> tf.TensorSpec:
        sizes = zip(*(sample[name].shape for sample in samples), strict=True)
        dimensions = [size[0] if len(set(size)) == 1 else None for size in sizes]
        return tf.TensorSpec([None, *dimensions[1:]] if ragged else dimensions, tf.as_dtype(samples[0][name].dtype))

    return {name: spec(name) for name in samples[0]}
