"""A kernel cut into blocks of outputs, as products with few tokens read it fastest on CPUs (docs/decisions/027)."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

Tensor = Any
BLOCK = 64  # outputs: four registers of 16 floats
INTEGERS = {2: "int16", 4: "int32"}  # bytes of a number → a type of that size


@dataclass(frozen=True)
class KernelBlocks:
    """A kernel `(inputs, outputs)`, its outputs filled up to whole blocks with zeros.

    Attributes:
        blocks: `(blocks, inputs, BLOCK)`.
        outputs: how many there are.
    """

    blocks: Tensor
    outputs: int

    @classmethod
    def of(cls, kernel: Tensor) -> "KernelBlocks":
        """Cut a kernel `(inputs, outputs)`."""
        inputs, outputs = kernel.shape
        filled = ops.pad(kernel, ((0, 0), (0, -outputs % BLOCK)))
        return cls(ops.transpose(ops.reshape(filled, (inputs, -1, BLOCK)), (1, 0, 2)), outputs)

    def product(self, inputs: Tensor) -> Tensor:
        """`(tokens, inputs)` → `(tokens, outputs)`, both in the type of the blocks."""
        if _is_one_float32(inputs):
            flat = ops.reshape(_product_of_one(inputs[None], self.blocks), (-1,))
            return flat[: self.outputs][None]  # what is cut off a flat tensor is not copied
        # In a batch, a product reads its block as it lies. A single one would first bring it into another order.
        of_blocks = transposed(ops.matmul(inputs[None], self.blocks), (1, 0, 2))  # (tokens, blocks, BLOCK)
        product = ops.reshape(of_blocks, (-1, self.blocks.shape[0] * BLOCK))
        return product if self.outputs % BLOCK == 0 else product[:, : self.outputs]

    def columns(self, outputs: Tensor) -> Tensor:
        """What makes up some outputs: `(items,)` int32 → `(items, inputs)`."""
        inputs = self.blocks.shape[1]
        rows = (outputs // BLOCK * inputs)[:, None] + ops.arange(inputs, dtype="int32")  # (items, inputs)
        return ops.take(ops.reshape(self.blocks, (-1,)), rows * BLOCK + (outputs % BLOCK)[:, None], axis=0)


def _is_one_float32(inputs: Tensor) -> bool:
    return keras.backend.backend() == "tensorflow" and inputs.shape[0] == 1 and inputs.dtype == "float32"


def _product_of_one(inputs: Tensor, blocks: Tensor) -> Tensor:
    """`(1, 1, inputs)`, `(blocks, inputs, BLOCK)` → `(blocks, 1, BLOCK)`."""
    import tensorflow as tf

    # TensorFlow does not hand this to oneDNN, and reads blocks faster itself where there is one token.
    return tf.raw_ops.BatchMatMulV3(x=inputs, y=blocks, Tout=tf.float32)


def transposed(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """`ops.transpose`, fast for few values."""
    if keras.backend.backend() != "tensorflow":
        return ops.transpose(values, axes)
    import tensorflow as tf

    # TensorFlow hands a transposition of floats to oneDNN, which needs eight times as long for so few.
    bits = tf.bitcast(values, INTEGERS[values.dtype.size])
    return tf.bitcast(tf.transpose(bits, axes), values.dtype)
