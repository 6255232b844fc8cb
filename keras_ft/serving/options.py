"""What a server may be told: the flags of `keras-ft serve`, which are TF Serving's where it has them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath
from keras_ft.serving.batching.file import read_batching_file
from keras_ft.serving.batching.parameters import BatchingParameters
from keras_ft.serving.models.config import ModelConfig, configs_of_folders, read_model_config_file
from keras_ft.serving.monitoring.file import Monitoring, read_monitoring

MEBI = 2**20


@dataclass(frozen=True)
class ServerOptions:
    """How a server runs.

    Attributes:
        host: the address to listen on; `0.0.0.0` for every one.
        rest_port: of the REST API; 0 takes a free one.
        grpc_port: of gRPC; 0 takes a free one, None offers none.
        model_config_file: `models.config`, instead of folders.
        model_config_file_poll_seconds: between two looks at whether it changed; 0 reads it once.
        poll_seconds: between two looks for new versions; 0 looks once.
        enable_batching: whether requests that wait are run together.
        batching_parameters_file: how, in TF Serving's text format; needs `enable_batching`.
        max_queue_delay: seconds that a request may be expected to wait, in the queue and for the server; others are
            refused at once.
        monitoring_config_file: whether and where metrics are shown, in TF Serving's text format.
        api_keys: a file of those who may ask; everyone where None.
        tls_cert, tls_key: PEM files; with them both ports speak TLS alone.
        max_request_bytes: of a request, as it comes and unpacked.
        body_seconds: until the body of a request must be there.
        head_seconds: until the head of a request must be there.
        grace_seconds: for requests that are being answered when the server is told to stop.
    """

    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int | None = None
    model_config_file: Path | None = None
    model_config_file_poll_seconds: float = 0.0
    poll_seconds: float = 1.0
    enable_batching: bool = False
    batching_parameters_file: Path | None = None
    max_queue_delay: float | None = None
    monitoring_config_file: Path | None = None
    api_keys: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    max_request_bytes: int = 100 * MEBI
    body_seconds: float = 60.0
    head_seconds: float = 20.0
    grace_seconds: float = 30.0

    def check(self) -> None:
        """Raise `RequestError` for what cannot be."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise RequestError("--tls-cert and --tls-key go together; give both, or neither")
        for name in ("tls_cert", "tls_key"):
            file = getattr(self, name)
            if file is not None and not file.is_file():
                raise RequestError(f"{file}: no such file; give a PEM file with --{name.replace('_', '-')}")
        if self.max_request_bytes < 1:
            raise RequestError(f"--max-request-bytes should be 1 or more, given {self.max_request_bytes}")

    def batching(self) -> BatchingParameters | None:
        """How requests are put together, None where they are not; raises `RequestError`."""
        if not self.enable_batching:
            for name in ("batching_parameters_file", "max_queue_delay"):
                if getattr(self, name) is not None:
                    raise RequestError(f"--{name.replace('_', '-')} needs --enable-batching")
            return None
        if self.batching_parameters_file is None:
            return BatchingParameters(max_queue_delay=self.max_queue_delay)
        return read_batching_file(self.batching_parameters_file, self.max_queue_delay)

    def monitoring(self) -> Monitoring:
        """Whether and where metrics are shown; at TF Serving's usual path unless a file says otherwise."""
        if self.monitoring_config_file is None:
            return Monitoring(enable=True)
        return read_monitoring(self.monitoring_config_file)

    def configs(self, folders: Iterable[AnyPath]) -> list[ModelConfig]:
        """The models to serve; raises `RequestError`."""
        folders = list(folders)
        if folders and self.model_config_file is not None:
            raise RequestError("give model folders or --model-config-file, not both")
        if self.model_config_file is not None:
            return read_model_config_file(self.model_config_file)
        if not folders:
            raise RequestError("nothing to serve; give model folders (MODELS/NAME) or --model-config-file")
        return configs_of_folders(folders)
