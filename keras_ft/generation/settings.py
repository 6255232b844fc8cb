"""The settings of each example of a request, side by side in one batch."""

from typing import NamedTuple

import tensorflow as tf

from keras_ft.generation.options import GenerationOptions

DEFAULT = -1  # of any input of a request: as the recipe says


class Settings(NamedTuple):
    """One value an example, `(examples,)` each; `GenerationOptions` says what they mean."""

    max_new_tokens: tf.Tensor  # int32
    min_new_tokens: tf.Tensor  # int32
    temperature: tf.Tensor  # float32; 0 takes the most probable token
    top_k: tf.Tensor  # int32
    top_p: tf.Tensor  # float32
    seed: tf.Tensor  # int32
    repetition_penalty: tf.Tensor  # float32

    @classmethod
    def of(cls, options: GenerationOptions, count: tf.Tensor) -> "Settings":
        """The same for every example.

        Args:
            options: of the recipe.
            count: how many examples there are.
        """
        values = {name: getattr(options, name) for name in cls._fields}
        if not options.do_sample:
            values["temperature"] = 0.0
        types = cls.__annotations__ and {name: tf.float32 if name in FLOATS else tf.int32 for name in cls._fields}
        return cls(**{name: tf.fill([count], tf.constant(value, types[name])) for name, value in values.items()})

    def asked(self, inputs: dict[str, tf.Tensor]) -> "Settings":
        """With what a request says of some of them, −1 where it leaves one to the recipe.

        Args:
            inputs: `(examples,)` by name.

        Raises:
            tf.errors.InvalidArgumentError: a value is out of its range.
        """
        checked = {}
        for name, values in inputs.items():
            default = getattr(self, name)
            given = tf.where(values == DEFAULT, default, tf.cast(values, default.dtype))
            with tf.control_dependencies([_check(name, values)]):
                checked[name] = tf.identity(given)
        return self._replace(**checked)


FLOATS = ("temperature", "top_p", "repetition_penalty")
RANGES = {
    "max_new_tokens": "0 or more",
    "temperature": "0 or more",
    "top_k": "0 (all tokens) or more",
    "top_p": "above 0 and at most 1",
    "seed": "0 or more",
}


def _check(name: str, values: tf.Tensor) -> tf.Operation:
    fits = (values > 0) & (values <= 1) if name == "top_p" else values >= 0
    if values.dtype.is_floating:
        fits &= tf.math.is_finite(values)
    message = f"{name} should be {RANGES[name]}, or -1 for the default; given"
    return tf.debugging.Assert(tf.reduce_all(fits | (values == DEFAULT)), [message, values], summarize=8)
