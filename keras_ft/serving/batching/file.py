"""TF Serving's batching parameters file (`--batching_parameters_file`): a `BatchingParameters` proto as text.

The message is declared in tensorflow_serving/servables/tensorflow/session_bundle_config.proto, which
tensorflow-serving-api leaves out, so it is declared here. Text holds names alone: the numbers below are private.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath, local_file
from keras_ft.serving.batching.parameters import BatchingParameters

MAX_BATCH_SIZE = 1000  # what TF Serving takes where the file does not say

_WRAPPED = {
    "max_batch_size": "Int64Value",
    "batch_timeout_micros": "Int64Value",
    "max_enqueued_batches": "Int64Value",
    "num_batch_threads": "Int64Value",
    "thread_pool_name": "StringValue",
    "enable_large_batch_splitting": "BoolValue",
    "max_execution_batch_size": "Int64Value",
}
_FIELDS = (*_WRAPPED, "allowed_batch_sizes", "pad_variable_length_inputs")


def read_batching_file(path: AnyPath, max_queue_delay: float | None = None) -> BatchingParameters:
    """The parameters in a file; fields that it does not name keep this server's defaults.

    Arguments:
        path: the file, here or in a store.
        max_queue_delay: as for `BatchingParameters`; the file has no field for it.

    Raises:
        RequestError: there is no such file, it cannot be parsed, or TF Serving would not take a value.
    """
    message = _parse(path)
    values = {name: getattr(message, name).value for name in _WRAPPED if message.HasField(name)}
    sizes = tuple(message.allowed_batch_sizes)
    if sizes and "max_batch_size" not in values:
        if sizes[-1] != MAX_BATCH_SIZE:
            raise RequestError(
                f"{path}: max_batch_size is not given, which TF Serving takes for {MAX_BATCH_SIZE}, but "
                f"allowed_batch_sizes ends with {sizes[-1]}; add max_batch_size {{ value: {sizes[-1]} }}"
            )
        values["max_batch_size"] = MAX_BATCH_SIZE
    try:
        return BatchingParameters(
            allowed_batch_sizes=sizes,
            pad_variable_length_inputs=message.pad_variable_length_inputs,
            max_queue_delay=max_queue_delay,
            **values,
        )
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from None


def _parse(path: AnyPath):
    try:
        text = local_file(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RequestError(f"{path}: no such file; give a batching parameters file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise RequestError(f"{path} cannot be read ({reason}); give a batching parameters file") from None
    try:
        return text_format.Parse(text, _message_class()())
    except text_format.ParseError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise RequestError(
            f"{path}: {reason}; numbers are written max_batch_size {{ value: 64 }}, and the fields are "
            f"{', '.join(sorted(_FIELDS))}"
        ) from None


def _message_class():
    # A pool of its own: whoever brings the official file into the process finds its name free.
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    declared = descriptor_pb2.FileDescriptorProto(
        name="keras_ft/batching_parameters.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=[wrappers.name],
    )
    message, kind = declared.message_type.add(name="BatchingParameters"), descriptor_pb2.FieldDescriptorProto
    for number, (name, wrapper) in enumerate(_WRAPPED.items(), start=1):
        message.field.add(
            name=name,
            number=number,
            label=kind.LABEL_OPTIONAL,
            type=kind.TYPE_MESSAGE,
            type_name=f".google.protobuf.{wrapper}",
        )
    number = len(_WRAPPED) + 1
    message.field.add(name="allowed_batch_sizes", number=number, label=kind.LABEL_REPEATED, type=kind.TYPE_INT64)
    message.field.add(
        name="pad_variable_length_inputs", number=number + 1, label=kind.LABEL_OPTIONAL, type=kind.TYPE_BOOL
    )
    pool.Add(declared)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters"))
