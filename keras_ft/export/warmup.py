"""Warm-up requests, which TF Serving replays before it calls a version available."""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 8, 32)


def write_warmup_requests(folder: Path, model_name: str, columns: dict[str, list[str]]) -> int:
    """Write a Predict request of each of a few batch sizes.

    Args:
        folder: the SavedModel's.
        model_name: as it is served.
        columns: sample texts by input name, repeated as needed.

    Returns:
        How many requests were written.
    """
    with tf.io.TFRecordWriter(str(folder / WARM_UP_FILE)) as writer:
        for size in BATCH_SIZES:
            request = PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
            for name, texts in columns.items():
                repeated = [texts[i % len(texts)] for i in range(size)]
                request.inputs[name].CopyFrom(tf.make_tensor_proto(repeated, dtype=tf.string))
            log = PredictionLog(predict_log=PredictLog(request=request))
            writer.write(log.SerializeToString())
    return len(BATCH_SIZES)
