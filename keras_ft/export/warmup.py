"""Warm-up requests, which TF Serving replays before it calls a version available."""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from keras_ft.tasks.encode import strings

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 8, 32)


def write_warmup_requests(
    folder: Path, model_name: str, columns: dict[str, list], others: dict[str, dict[str, list]] | None = None
) -> int:
    """Write a Predict request of each of a few batch sizes, and one of each other signature.

    Args:
        folder: the SavedModel's.
        model_name: as it is served.
        columns: sample texts, or lists of texts, by input name, repeated as needed.
        others: signature → what one request of it has: strings or whole numbers, by input name.

    Returns:
        How many requests were written.
    """
    with tf.io.TFRecordWriter(str(folder / WARM_UP_FILE)) as writer:
        for size in BATCH_SIZES:
            repeated = {
                name: strings([values[i % len(values)] for i in range(size)]) for name, values in columns.items()
            }
            writer.write(_request(model_name, tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY, repeated))
        for signature, inputs in (others or {}).items():
            tensors = {name: tf.constant(values) for name, values in inputs.items()}
            writer.write(_request(model_name, signature, tensors))
    return len(BATCH_SIZES) + len(others or {})


def _request(model_name: str, signature: str, inputs: dict[str, tf.Tensor]) -> bytes:
    request = PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, tensor in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy(), dtype=tensor.dtype))
    return PredictionLog(predict_log=PredictLog(request=request)).SerializeToString()
