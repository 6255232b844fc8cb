"""keras-hub's own GPT2CausalLM in a SavedModel, on the weights that keras_ft uses."""

from pathlib import Path
from typing import Any

import keras_hub
import tensorflow as tf


def export_writer(backbone: Any, length: int, folder: Path) -> Path:
    """Write a SavedModel of its greedy `generate_step`, ids in, ids out.

    Args:
        backbone: a `keras_hub.models.GPT2Backbone`.
        length: of prompt and text together, and of its cache.
        folder: to be written.
    """
    model = keras_hub.models.GPT2CausalLM(backbone)
    model.compile(sampler="greedy", jit_compile=False)
    module = tf.Module()
    module.owned = [variable.value for variable in model.variables]
    specs = {
        "token_ids": tf.TensorSpec([None, length], tf.int32, name="token_ids"),
        "padding_mask": tf.TensorSpec([None, length], tf.bool, name="padding_mask"),
    }

    @tf.function(input_signature=list(specs.values()))
    def write(token_ids: tf.Tensor, padding_mask: tf.Tensor) -> dict[str, tf.Tensor]:
        return model.generate_step({"token_ids": token_ids, "padding_mask": padding_mask})

    tf.saved_model.save(module, str(folder), signatures={"serving_default": write})
    return folder
