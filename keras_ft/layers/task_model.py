"""A backbone and the head of a task, as one Keras model that owns the weights, and as a view to compute with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import keras
from keras import ops

from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.layers.encoder_view import encoder_variables_by_depth, encoder_view
from keras_ft.layers.gpt2_view import gpt2_variables_by_depth, gpt2_view

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
    """All that a task's `forward` computes with; a language model has no head of its own."""

    backbone: Any  # an EncoderView or a GPT2View
    head: Any  # a DenseView, or None
    extra: dict[str, Tensor] = field(default_factory=dict)  # a task's other weights, by name, float32


@keras.saving.register_keras_serializable("keras_ft")
class TaskModel(keras.Model):
    """Owns the variables of a backbone and of a dense head, if it has one; saved with `save_weights`.

    Its arithmetic is `task.forward` over `view(...)`, not `call`.

    Args:
        backbone: an encoder of `keras_hub.models`, such as `BertBackbone`, or a `GPT2Backbone`.
        config: the checkpoint's arithmetic.
        num_outputs: width of the head; None where the backbone's own outputs are the task's.
        seed: of the head's initial weights.
        head_inputs: width of what the head is given; that of the backbone's hidden states if not given.
        extra: other trainable weights, name → shape, which begin at 0.
    """

    def __init__(
        self,
        backbone: Any,
        config: Arithmetic,
        num_outputs: int | None,
        seed: int = 0,
        head_inputs: int | None = None,
        extra: Mapping[str, tuple[int, ...]] | None = None,
    ):
        super().__init__(name="task_model")
        self.backbone = backbone
        self.arithmetic = config
        width = head_inputs or backbone.hidden_dim
        self.head: Any = None if num_outputs is None else _dense_head(num_outputs, width, seed)
        self.extra: Any = _extra_weights(extra) if extra else None
        self.built = True

    def variables_by_depth(self) -> list[list[Any]]:
        """All variables from the top down: head and pooler or final norm, last layer, …, first, embeddings."""
        top, *below = _of_family(self.backbone, encoder_variables_by_depth, gpt2_variables_by_depth)(self.backbone)
        own = [variable for layer in (self.head, self.extra) if layer for variable in layer.variables]
        return [[*own, *top], *below]

    def view(self, dtype: str = "float32", recompute: bool = False) -> ModelView:
        """The weights as tensors of the compute type, to be made where the forward pass is traced.

        Args:
            dtype: the compute type.
            recompute: whether the backward pass computes each layer's activations again (activation checkpointing).
        """
        view = _of_family(self.backbone, encoder_view, gpt2_view)(self.backbone, self.arithmetic, dtype, recompute)
        variables = self.extra.variables if self.extra else ()
        extra = {variable.name: ops.convert_to_tensor(variable) for variable in variables}
        if self.head is None:
            return ModelView(view, None, extra)
        return ModelView(view, DenseView(*map(ops.convert_to_tensor, (self.head.kernel, self.head.bias))), extra)


def _extra_weights(shapes: Mapping[str, tuple[int, ...]]) -> keras.layers.Layer:
    layer = keras.layers.Layer(name="extra", dtype="float32")
    for name, shape in shapes.items():
        layer.add_weight(shape=shape, initializer="zeros", name=name)
    layer.built = True
    return layer


def _dense_head(num_outputs: int, hidden_dim: int, seed: int) -> keras.layers.Dense:
    head = keras.layers.Dense(
        num_outputs,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02, seed=seed),
        dtype="float32",
        name="head",
    )
    head.build((None, hidden_dim))
    return head


def _of_family(backbone: Any, encoder: Any, gpt2: Any) -> Any:
    import keras_hub

    return gpt2 if isinstance(backbone, keras_hub.models.GPT2Backbone) else encoder


def map_tensors(view: Any, replace_tensor: Callable[[str, Tensor], Tensor], name: str = "") -> Any:
    """A copy of a view with every tensor replaced, for instance by a variable of an export.

    Args:
        view: a view, or any part of one.
        replace_tensor: gets the tensor's path (`backbone.layers.0.qkv_kernel`) and the tensor.
        name: path of `view` itself.
    """
    if view is None or isinstance(view, Arithmetic | int | str):
        return view
    if is_dataclass(view) and not isinstance(view, type):
        parts = {f.name: getattr(view, f.name) for f in fields(view)}
        return replace(view, **{k: map_tensors(v, replace_tensor, f"{name}.{k}".lstrip(".")) for k, v in parts.items()})
    if isinstance(view, dict):
        return {key: map_tensors(value, replace_tensor, f"{name}.{key}".lstrip(".")) for key, value in view.items()}
    if isinstance(view, list | tuple):
        return type(view)(map_tensors(v, replace_tensor, f"{name}.{i}") for i, v in enumerate(view))
    return replace_tensor(name, view)
