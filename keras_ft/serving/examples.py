"""`tf.Example`s in, classes and values out: what classify, regress and multi-inference requests ask of a signature.

Rules and texts follow classifier.cc, regressor.cc and util.cc of tensorflow_serving/servables/tensorflow.
"""

from typing import Any

import numpy as np

from keras_ft.serving.status import invalid


def serialized_examples(request_input: Any) -> np.ndarray:
    """The examples of an `Input` proto, `[N]` object array of bytes; a context is put before each of them.

    Raises:
        StatusError: there is none.
    """
    kind = request_input.WhichOneof("kind")
    if kind == "example_list":
        found = [example.SerializeToString() for example in request_input.example_list.examples]
    elif kind == "example_list_with_context":
        listed = request_input.example_list_with_context
        context = listed.context.SerializeToString()
        found = [context + example.SerializeToString() for example in listed.examples]
    else:
        found = []
    if not found:
        raise invalid("Input is empty.")
    return np.array(found, object)


def classifications(outputs: dict[str, np.ndarray], count: int) -> list[list[tuple[bytes, float]]]:
    """Label and score of each class of each example; `b""` and 0 where the model gives no labels or no scores.

    Arguments:
        outputs: `classes` `[N, K]` of bytes, `scores` `[N, K]` float32, or one of them.
        count: N.

    Raises:
        StatusError: their shapes or types are others.
    """
    for name, kind in {"classes": object, "scores": np.float32}.items():
        array = outputs.get(name)
        if array is None:
            continue
        if array.ndim != 2:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape_text(array)}")
        if array.dtype != kind:
            wanted = {"classes": "DT_STRING", "scores": "DT_FLOAT"}[name]
            raise invalid(f"Expected {name} Tensor of {wanted}. Got: {array.dtype.name}")
        if len(array) != count:
            raise invalid(f"Expected {name} output batch size of {count}. Got: {len(array)}")
    classes, scores = outputs.get("classes"), outputs.get("scores")
    if classes is not None and scores is not None and classes.shape != scores.shape:
        sizes = f"{classes.shape[1]} vs. {scores.shape[1]}"
        raise invalid(f"Tensors class and score should match in dim_size(1). Got {sizes}")
    shape = next(array.shape for array in (classes, scores) if array is not None)
    labels = np.full(shape, b"", object) if classes is None else classes
    values = np.zeros(shape, np.float32) if scores is None else scores
    return [
        [(label, float(score)) for label, score in zip(*row, strict=True)] for row in zip(labels, values, strict=True)
    ]


def regressions(outputs: dict[str, np.ndarray], count: int) -> np.ndarray:
    """The value of each example, `[N]` float32.

    Arguments:
        outputs: `outputs`, `[N]` or `[N, 1]` float32.
        count: N.

    Raises:
        StatusError: its shape or type is another.
    """
    array = outputs["outputs"]
    if array.ndim != 1 and array.shape[1:] != (1,):
        shapes = "[batch_size] or [batch_size, 1]"
        raise invalid(f"Expected output Tensor shape to be either {shapes} but got {_shape_text(array)}")
    if len(array) != count:
        raise invalid(f"Input batch size did not match output batch size: {count} vs. {len(array)}")
    if array.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {array.dtype.name}")
    return array.reshape(-1)


def _shape_text(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"
