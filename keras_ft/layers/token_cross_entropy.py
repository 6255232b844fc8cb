"""Cross-entropy of a language model over its whole vocabulary, in the memory of a few predictions.

The logits of a batch would be its largest tensor by far, and its softmax and gradient two more of that size. Here they
are made for some predictions at a time. In training the gradients come along with them, as if all losses weighed alike:
where they do, which is nearly always, nothing is computed twice, and where they do not, one gradient is computed again.

Hsu et al. 2024, arXiv:2410.10989, make gradients in the forward pass; Wijmans et al. 2024, arXiv:2411.09009, make
logits twice.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_ft.layers.gradient import with_gradient
from keras_ft.layers.kernel_blocks import KernelBlocks

Tensor = Any
LOGITS_AT_ONCE = 2**25  # 128 MiB in float32
LARGEST = 1e30  # of odds against a label: beyond, float32 soon ends


def token_cross_entropy(hidden: Tensor, embedding: Tensor, labels: Tensor, training: bool = False) -> Tensor:
    """Cross-entropy of each prediction in nats, `(predictions,)` float32.

    Args:
        hidden: `(predictions, hidden)`, the decoder's output; products are computed in its type.
        embedding: `(vocabulary, hidden)`, the token embedding, which is also the output layer; or, where no gradient
            is asked for, KernelBlocks of its transpose.
        labels: `(predictions,)` int32, the tokens that came; −1 where nothing is predicted, whose loss is 0.
        training: whether a gradient will be asked for; the values are the same.
    """
    labels = ops.convert_to_tensor(labels)
    counted = ops.cast(labels >= 0, "float32")
    if isinstance(embedding, KernelBlocks):
        return _losses(ops.convert_to_tensor(hidden), embedding.outputs, embedding.product, labels) * counted

    @with_gradient
    def losses_of(hidden: Tensor, embedding: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
        if not training:
            kernel = ops.transpose(ops.cast(embedding, hidden.dtype))
            losses = _losses(hidden, embedding.shape[0], lambda rows: ops.matmul(rows, kernel), labels) * counted
            return losses, lambda above: _gradients(hidden, embedding, labels, above * counted)[1:]
        losses, of_hidden, of_embedding = _gradients(hidden, embedding, labels, counted)

        def gradient(above: Tensor) -> tuple[Tensor, Tensor]:
            weights = above * counted
            weight = ops.max(weights, initial=0.0)
            return of_hidden * ops.cast(weights, hidden.dtype)[:, None], ops.cond(
                ops.all(ops.equal(weights, weight * counted)),
                lambda: of_embedding * weight,
                lambda: _gradients(hidden, embedding, labels, weights)[2],
            )

        return losses * counted, gradient

    return losses_of(ops.convert_to_tensor(hidden), ops.convert_to_tensor(embedding))


def _losses(hidden: Tensor, vocabulary: int, product: Callable[[Tensor], Tensor], labels: Tensor) -> Tensor:
    """`(predictions,)`; of any value where the label is −1. `product` gives logits in the type of `hidden`."""
    groups, group = _grouping(hidden, vocabulary)
    rows, label, dtype = group(hidden), group(labels), keras.backend.standardize_dtype(hidden.dtype)

    def step(number: Tensor, losses: Tensor) -> tuple[Tensor]:
        of_group = _slope(ops.cast(product(rows[number]), "float32"), label[number], dtype).losses
        return (ops.scatter_update(losses, [[number]], of_group[None]),)

    (losses,) = _repeat(0, groups, step, (ops.zeros_like(label, dtype="float32"),))
    return _ungrouped(losses, hidden)


def _gradients(hidden: Tensor, embedding: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The losses, and the gradients of their weighted sum at `hidden` and, in its own type, at `embedding`."""
    groups, group = _grouping(hidden, embedding.shape[0])
    rows, label, weight = group(hidden), group(labels), group(weights)
    kernel, dtype = ops.cast(embedding, hidden.dtype), keras.backend.standardize_dtype(hidden.dtype)

    def step(number: Tensor, losses: Tensor, of_hidden: Tensor, *of_embedding: Tensor) -> tuple[Tensor, ...]:
        logits = ops.cast(ops.matmul(rows[number], ops.transpose(kernel)), "float32")  # (size, vocabulary)
        of_group = _slope(logits, label[number], dtype)
        slope = ops.cast(of_group.rows(), hidden.dtype)
        scale = ops.cast(weight[number] * of_group.factors, hidden.dtype)[:, None]
        of_rows = ops.matmul(slope, kernel) * scale
        of_kernel = ops.cast(ops.matmul(ops.transpose(slope), rows[number] * scale), embedding.dtype)
        return (
            ops.scatter_update(losses, [[number]], of_group.losses[None]),
            ops.scatter_update(of_hidden, [[number]], of_rows[None]),
            sum(of_embedding, of_kernel),
        )

    # There is a first group even of no predictions, and with it no sum that begins as zeros.
    first = step(0, ops.zeros_like(label, dtype="float32"), ops.zeros_like(rows))
    losses, of_hidden, of_embedding = _repeat(1, groups, step, first)
    return _ungrouped(losses, hidden), _ungrouped(of_hidden, hidden), of_embedding


class _Slope(NamedTuple):
    """Losses, and how they grow with the logits: `rows * factors[:, None]`.

    Attributes:
        losses: `(predictions,)`, of any value where the label is −1; float32, as all of them.
        rows: makes `(predictions, vocabulary)`; nothing may read the logits behind it.
        factors: `(predictions,)`.
    """

    losses: Tensor
    rows: Callable[[], Tensor]
    factors: Tensor


def _slope(logits: Tensor, labels: Tensor, dtype: str) -> _Slope:
    """From `(predictions, vocabulary)` float32; `dtype` is the type that the rows will get.

    TensorFlow's softmax is one pass, and XLA's are four: there the odds against the label take two, since they need no
    largest logit and are not divided. Where one is too large for float32 they are those against the largest; float16
    holds none above 65,504. Under `vmap` both are made and one is chosen, in no fewer passes than a softmax.
    """
    of_labels = _of_labels(logits, labels)
    if keras.backend.backend() == "tensorflow" or dtype == "float16":
        probabilities = ops.softmax(logits, axis=-1)
        ours = _of_labels(probabilities, labels)
        losses = ops.cond(
            ops.all(ours > 1.0 / LARGEST),
            lambda: -ops.log(ours),
            lambda: ops.logsumexp(logits, axis=-1) - of_labels,
        )
        return _Slope(losses, lambda: _with_labels(probabilities, labels, ours - 1.0), ops.ones_like(losses))

    def against(reference: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        odds = ops.exp(logits - reference[:, None])
        return reference, odds, ops.sum(odds, axis=-1)

    reference, odds, total = by_label = against(of_labels)
    reference, odds, total = ops.cond(
        ops.all(total < LARGEST), lambda: by_label, lambda: against(ops.max(logits, axis=-1))
    )
    ours = of_labels - reference
    return _Slope(ops.log(total) - ours, lambda: _with_labels(odds, labels, ops.exp(ours) - total), 1.0 / total)


def _of_labels(values: Tensor, labels: Tensor) -> Tensor:
    return ops.take_along_axis(values, ops.maximum(labels, 0)[:, None], axis=-1)[:, 0]


def _with_labels(values: Tensor, labels: Tensor, of_labels: Tensor) -> Tensor:
    """`(predictions, vocabulary)` with other values at the labels; nothing may read `values` any more."""
    rows, labels = ops.arange(ops.shape(labels)[0], dtype="int32"), ops.maximum(labels, 0)
    if keras.backend.backend() == "tensorflow" and values.shape[0] is None:  # what XLA compiles has static shapes
        import tensorflow as tf

        places = rows * values.shape[1] + labels
        flat = tf.raw_ops.InplaceUpdate(x=tf.reshape(values, [-1, 1]), i=places, v=of_labels[:, None])
        return tf.reshape(flat, tf.shape(values))
    return ops.scatter_update(values, ops.stack([rows, labels], axis=1), of_labels)


def _grouping(hidden: Tensor, vocabulary: int) -> tuple[Any, Callable[[Tensor], Tensor]]:
    """How many groups to make of the predictions, and what divides `(predictions, …)` into `(groups, size, …)`.

    A group holds predictions from everywhere, so that devices which have shared them out share out each group too.
    """
    count, most = ops.shape(hidden)[0], max(1, LOGITS_AT_ONCE // vocabulary)
    groups = count // most + 1
    some = max(count, 1) if isinstance(count, int) else ops.maximum(count, 1)
    size = (some - 1) // groups + 1  # no more than `most`
    if isinstance(count, int):  # rather a few more groups than filler
        exact = next((groups for groups in range(groups, 2 * groups) if count and count % groups == 0), None)
        groups, size = (exact, count // exact) if exact else (groups, size)

    def group(values: Tensor) -> Tensor:
        rest = ops.shape(values)[1:]
        padded = ops.pad(values, [(0, groups * size - count), *((0, 0) for _ in rest)])
        return ops.swapaxes(ops.reshape(padded, (size, groups, *rest)), 0, 1)

    return groups, group


def _ungrouped(values: Tensor, hidden: Tensor) -> Tensor:
    """`(groups, size, …)` → `(predictions, …)`."""
    rest = ops.shape(values)[2:]
    count = ops.shape(values)[0] * ops.shape(values)[1]
    return ops.reshape(ops.swapaxes(values, 0, 1), (count, *rest))[: ops.shape(hidden)[0]]


def _repeat(
    first: int, end: Any, step: Callable[..., tuple[Tensor, ...]], state: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """The state behind the steps numbered from `first` up to, but not, `end`."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        def counted(number: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
            return number + 1, *step(number, *state)

        # One at a time: side by side, steps would hold all logits at once.
        return tf.while_loop(lambda number, *_: number < end, counted, (first, *state), parallel_iterations=1)[1:]
    return ops.fori_loop(first, end, lambda number, state: step(number, *state), state)
