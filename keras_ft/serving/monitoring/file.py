"""`--monitoring-config-file`: TF Serving's `MonitoringConfig` in protobuf's text format.

    prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }

The message is not in the package tensorflow-serving-api, so it is declared here, as
tensorflow_serving/config/monitoring_config.proto has it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_EXAMPLE = f'prometheus_config {{ enable: true path: "{DEFAULT_PATH}" }}'


@dataclass(frozen=True)
class Monitoring:
    """What the file says.

    Attributes:
        enable: whether metrics are shown.
        path: of the URL.
    """

    enable: bool = False
    path: str = DEFAULT_PATH


def read_monitoring(path: Path) -> Monitoring:
    """Read the file.

    Raises:
        RequestError: it cannot be read, is no `MonitoringConfig`, or its path is none.
    """
    from google.protobuf import text_format

    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror}); give a file such as: {_EXAMPLE}") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is no text file ({error.reason}); it should be such as: {_EXAMPLE}") from None
    try:
        config = text_format.Parse(text, _message_class()()).prometheus_config
    except text_format.ParseError as error:
        raise RequestError(f"{path}: {' '.join(str(error).split())}; it should be such as: {_EXAMPLE}") from None
    shown = config.path or DEFAULT_PATH
    if not shown.startswith("/") or any(c in shown for c in "?# ") or shown.startswith("/v1/"):
        raise RequestError(f'{path}: path "{shown}" is no path of its own on this server; use "{DEFAULT_PATH}"')
    return Monitoring(config.enable, shown)


@cache
def _message_class() -> Any:
    """`tensorflow.serving.MonitoringConfig`, in a pool of its own: another package may declare it, too."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="tensorflow_serving/config/monitoring_config.proto", package="tensorflow.serving", syntax="proto3"
    )
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=field.TYPE_BOOL, label=field.LABEL_OPTIONAL)
    prometheus.field.add(name="path", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    file.message_type.add(name="MonitoringConfig").field.add(
        name="prometheus_config",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".tensorflow.serving.PrometheusConfig",
        label=field.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.MonitoringConfig"))
