"""One SavedModel version, loaded and run through a Session: the C++ path TF Serving takes.

A SavedModel that works with `tf.saved_model.load` may still fail in TF Serving (variables saved without values); one
that works here does not. Only tensorflow, tensorflow_text (its ops are part of TF Serving) and numpy are imported, and
those when a model is loaded.
"""

from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.serving.signature import DEFAULT_SIGNATURE, Signature, TensorSpec
from keras_ft.serving.status import StatusError, invalid

WARM_UP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_WARM_UP_REQUESTS = 1000

_UNUSUAL_DTYPE_NAMES = {"float16": "half", "float32": "float", "float64": "double"}


class SessionModel:
    """A SavedModel folder, loaded with tag `serve` and ready to predict from several threads at once.

    Arguments:
        folder: the version folder, the one that holds `saved_model.pb`.

    Raises:
        StatusError: the folder cannot be loaded; code and message are what GetModelStatus reports.
    """

    def __init__(self, folder: Path):
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  (registers its ops)

        self.folder = Path(folder)
        self._tf = tf
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
            self.signature_defs: dict[str, Any] = {
                name: signature_def
                for name, signature_def in meta_graph.signature_def.items()
                if name != "__saved_model_init_op"
            }
            self.signatures = {name: _signature(name, it) for name, it in self.signature_defs.items()}
            self._run = {name: self._make_callable(signature) for name, signature in self.signatures.items()}
        except tf.errors.OpError as error:
            self.close()
            raise self._status(error) from error
        except Exception as error:  # a broken proto shows as OSError, ValueError, KeyError, DecodeError, …
            self.close()
            raise StatusError("DATA_LOSS", f"Can't load {folder}: {error}") from error

    def predict(self, signature_name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one signature.

        Arguments:
            signature_name: its name; empty means `serving_default`.
            inputs: one array per named input, strings as object arrays of bytes.

        Returns:
            One array per named output, strings as object arrays of bytes.

        Raises:
            StatusError: the signature or an input name is wrong, or the graph failed.
        """
        name = signature_name or DEFAULT_SIGNATURE
        signature = self.signatures.get(name)
        if signature is None:
            raise StatusError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
        _check_names(signature, inputs)
        _check_ranks(signature, inputs)
        try:
            return self._run[name](inputs)
        except self._tf.errors.OpError as error:
            raise self._status(error) from error

    def warm_up(self) -> int:
        """Replay the Predict requests of `assets.extra/tf_serving_warmup_requests`; returns how many there were.

        Raises:
            StatusError: a record cannot be read or fails, which also keeps TF Serving from serving the version.
        """
        path = self.folder / WARM_UP_FILE
        if not path.exists():
            return 0
        from google.protobuf.message import DecodeError
        from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

        replayed = 0
        try:
            for count, record in enumerate(self._tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), start=1):
                if count > MAX_WARM_UP_REQUESTS:
                    raise invalid(f"Number of warmup records exceeds the maximum ({MAX_WARM_UP_REQUESTS}) at {path}")
                request = PredictionLog.FromString(record).predict_log.request
                if request.inputs:
                    inputs = {name: self._tf.make_ndarray(proto) for name, proto in request.inputs.items()}
                    self.predict(request.model_spec.signature_name, inputs)
                    replayed += 1
        except self._tf.errors.DataLossError as error:
            message = f"{error.message}. Please verify your warmup data is in TFRecord format."
            raise StatusError("DATA_LOSS", message) from error
        except (DecodeError, ValueError, self._tf.errors.OpError) as error:
            raise invalid(f"Failed to parse warmup record from {path}: {error}") from error
        return replayed

    def close(self) -> None:
        """Free the session; later predictions fail with CANCELLED."""
        self._session.close()

    def _make_callable(self, signature: Signature):
        # Session.run refuses feeds whose sizes differ from the placeholder's, which TF Serving passes to the graph,
        # and spends more on its feed and fetch lists than a small graph takes. The callable is the C++ call itself.
        from tensorflow.core.protobuf.config_pb2 import CallableOptions

        names, fetches = list(signature.inputs), list(dict.fromkeys(it.tensor for it in signature.outputs.values()))
        outputs = {name: fetches.index(it.tensor) for name, it in signature.outputs.items()}
        options = CallableOptions(feed=[signature.inputs[name].tensor for name in names], fetch=fetches)
        call = self._session._make_callable_from_options(options)

        def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            values = call(*(inputs[name] for name in names))
            return {name: values[i] for name, i in outputs.items()}

        return run

    def _status(self, error) -> StatusError:
        codes = {getattr(self._tf.errors, name): name for name in dir(self._tf.errors) if name.isupper()}
        # Python appends where each op was created; the server's clients never see that.
        message = (error.message or "").split("\n\nOriginal stack trace for", 1)[0]
        return StatusError(codes.get(error.error_code, "UNKNOWN"), message)


def _signature(name: str, signature_def) -> Signature:
    def specs(infos) -> dict[str, TensorSpec]:
        return {key: _tensor_spec(infos[key]) for key in sorted(infos)}

    return Signature(name, signature_def.method_name, specs(signature_def.inputs), specs(signature_def.outputs))


def _tensor_spec(info) -> TensorSpec:
    import tensorflow as tf

    dtype = tf.as_dtype(info.dtype).name
    shape = None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim)
    return TensorSpec(
        info.name,
        _UNUSUAL_DTYPE_NAMES.get(dtype, dtype),
        shape and tuple(None if size < 0 else size for size in shape),
    )


def _check_names(signature: Signature, inputs: dict[str, np.ndarray]) -> None:
    sent, wanted = sorted(inputs), sorted(signature.inputs)
    if len(sent) != len(wanted):
        extra = ",".join(sorted(set(sent) - set(wanted)))
        missing = ",".join(sorted(set(wanted) - set(sent)))
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({{{','.join(sent)}}}) != "
            f"len({{{','.join(wanted)}}}). Sent extra: {{{extra}}}. Missing but required: {{{missing}}}."
        )
    for name in sent:
        if name not in signature.inputs:
            raise invalid(
                f"input tensor alias not found in signature: {name}. "
                f"Inputs expected to be in the set {{{','.join(wanted)}}}."
            )


def _check_ranks(signature: Signature, inputs: dict[str, np.ndarray]) -> None:
    """TF Serving leaves shapes to the graph, where some operations crash on a scalar in place of a vector."""
    for name, array in inputs.items():
        shape = signature.inputs[name].shape
        if shape is not None and len(shape) != array.ndim:
            wanted = ", ".join("?" if size is None else str(size) for size in shape)
            raise invalid(f"input {name} should have the shape [{wanted}], but has {list(array.shape)}")
