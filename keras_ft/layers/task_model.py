"""A backbone and the head of a task, as one Keras model that owns the weights, and as a view to compute with."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import keras
from keras import ops

from keras_ft.layers.bert_view import BertConfig, BertView, bert_view, variables_by_depth

Tensor = Any


@dataclass(frozen=True)
class DenseView:
    """Effective weights of a dense head; logits are float32 whatever the encoder computes in."""

    kernel: Tensor  # (hidden, outputs)
    bias: Tensor  # (outputs,)

    def __call__(self, hidden: Tensor) -> Tensor:
        """`(items, hidden)` → `(items, outputs)` float32."""
        return ops.matmul(ops.cast(hidden, "float32"), ops.cast(self.kernel, "float32")) + self.bias


@dataclass(frozen=True)
class ModelView:
    """All that a task's `forward` computes with."""

    encoder: BertView
    head: DenseView


@keras.saving.register_keras_serializable("keras_ft")
class TaskModel(keras.Model):
    """Owns the variables of a backbone and a dense head; saved with `save_weights`.

    Its arithmetic is `task.forward` over `view(...)`, not `call`.

    Args:
        backbone: a `keras_hub.models.BertBackbone`.
        config: the checkpoint's arithmetic.
        num_outputs: width of the head.
        seed: of the head's initial weights.
    """

    def __init__(self, backbone: Any, config: BertConfig, num_outputs: int, seed: int = 0):
        super().__init__(name="task_model")
        self.backbone = backbone
        self.arithmetic = config
        self.head = keras.layers.Dense(
            num_outputs,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02, seed=seed),
            dtype="float32",
            name="head",
        )
        self.head.build((None, backbone.hidden_dim))
        self.built = True

    def variables_by_depth(self) -> list[list[Any]]:
        """All variables from the top down: head and pooler, last transformer layer, …, first, embeddings."""
        pooler, *below = variables_by_depth(self.backbone)
        return [[*self.head.variables, *pooler], *below]

    def view(self, dtype: str = "float32", recompute: bool = False) -> ModelView:
        """The weights as tensors of the compute type, to be made where the forward pass is traced.

        Args:
            dtype: the compute type.
            recompute: whether the backward pass computes each layer's activations again (activation checkpointing).
        """
        return ModelView(
            encoder=bert_view(self.backbone, self.arithmetic, dtype, recompute),
            head=DenseView(ops.convert_to_tensor(self.head.kernel), ops.convert_to_tensor(self.head.bias)),
        )


def map_tensors(view: Any, replace_tensor: Callable[[str, Tensor], Tensor], name: str = "") -> Any:
    """A copy of a view with every tensor replaced, for instance by a variable of an export.

    Args:
        view: a view, or any part of one.
        replace_tensor: gets the tensor's path (`encoder.layers.0.qkv_kernel`) and the tensor.
        name: path of `view` itself.
    """
    if isinstance(view, BertConfig | int | str):
        return view
    if is_dataclass(view) and not isinstance(view, type):
        parts = {f.name: getattr(view, f.name) for f in fields(view)}
        return replace(view, **{k: map_tensors(v, replace_tensor, f"{name}.{k}".lstrip(".")) for k, v in parts.items()})
    if isinstance(view, list | tuple):
        return type(view)(map_tensors(v, replace_tensor, f"{name}.{i}") for i, v in enumerate(view))
    return replace_tensor(name, view)
