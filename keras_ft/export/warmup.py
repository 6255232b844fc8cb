"""Warm-up requests, which TF Serving replays before it calls a version available."""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import tensors
from keras_ft.tasks.writing import request_specs

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 8, 32)


def write_warmup_requests(
    folder: Path,
    model_name: str,
    task: Task,
    columns: dict[str, list],
    others: dict[str, dict[str, list]] | None = None,
) -> int:
    """Write a Predict request of each of a few batch sizes, to `serving_default` and to a task's further signatures.

    Args:
        folder: the SavedModel's.
        model_name: as it is served.
        task: of the model.
        columns: sample requests by text column, repeated as needed.
        others: signatures of the export alone → what one request of it has: strings or whole numbers, by input name.

    Returns:
        How many requests were written.
    """
    specs = {tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: request_specs(task.text_columns, task.list_columns)}
    asked = dict.fromkeys(specs, columns)
    if isinstance(task, AnsweringTask):
        specs |= task.other_requests()
        asked |= {name: task.as_other_requests(name, columns) for name in task.other_requests()}
    with tf.io.TFRecordWriter(str(folder / WARM_UP_FILE)) as writer:
        for signature, inputs in specs.items():
            for size in BATCH_SIZES:
                repeated = {
                    name: [values[i % len(values)] for i in range(size)] for name, values in asked[signature].items()
                }
                writer.write(_request(model_name, signature, tensors(inputs, repeated)))
        for signature, given in (others or {}).items():
            found = {name: tf.constant(values) for name, values in given.items()}
            writer.write(_request(model_name, signature, found))
    return len(specs) * len(BATCH_SIZES) + len(others or {})


def _request(model_name: str, signature: str, inputs: dict[str, tf.Tensor]) -> bytes:
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model_name, signature
    for name, tensor in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy(), dtype=tensor.dtype))
    return PredictionLog(predict_log=PredictLog(request=request)).SerializeToString()
