"""A minimal client for TF Serving's REST API, written with the standard library alone."""

import base64
import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from keras_ft.errors import WorkError


class ServingError(WorkError):
    """The server refused a request: `status` is the HTTP status, `message` its reason."""

    def __init__(self, status: int, message: str):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Client:
    """Asks a server, the embedded one or TF Serving.

    Arguments:
        url: its root, such as `http://127.0.0.1:8501`.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, timeout: float = 60.0):
        self.url = url.rstrip("/")
        self.timeout = timeout

    def predict(
        self,
        model: str,
        instances: Any = None,
        inputs: Any = None,
        signature_name: str | None = None,
        version: int | None = None,
    ) -> Any:
        """Predict for a list of instances, or for inputs given by column.

        Arguments:
            model: the model's name.
            instances: a list with one entry per example: a value, or a dict of named values.
            inputs: a nested list, or a dict of named nested lists; instead of `instances`.
            signature_name: the signature to use; by default `serving_default`.
            version: the version to ask; by default the latest.

        Arrays are sent as nested lists and bytes as `{"b64": …}`.

        Returns:
            `predictions` (a list, one entry per instance) or `outputs`.

        Raises:
            ServingError: the server refused the request.
            WorkError: there is no server at that address.
        """
        request = {"instances": instances, "inputs": inputs, "signature_name": signature_name}
        body = json.dumps({key: value for key, value in request.items() if value is not None}, default=_plain)
        answer = self._ask(f"{self._model_path(model, version)}:predict", body.encode())
        return answer["outputs" if instances is None else "predictions"]

    def status(self, model: str, version: int | None = None) -> list[dict[str, Any]]:
        """State of each version of a model: `version`, `state` (`AVAILABLE`, …) and `status`; raises as `predict`."""
        return self._ask(self._model_path(model, version))["model_version_status"]

    def metadata(self, model: str, version: int | None = None) -> dict[str, Any]:
        """The signatures of a model by name, as `SignatureDef` protos in JSON; raises as `predict`."""
        return self._ask(f"{self._model_path(model, version)}/metadata")["metadata"]["signature_def"]["signature_def"]

    def _model_path(self, model: str, version: int | None) -> str:
        path = f"/v1/models/{quote(model, safe='')}"
        return path if version is None else f"{path}/versions/{version}"

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        request = Request(self.url + path, data=body, headers={"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=self.timeout) as answer:
                return json.loads(answer.read().decode("utf-8", "replace"))
        except HTTPError as error:
            with error:
                raise ServingError(error.code, _reason(error.read())) from None
        except (URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise WorkError(f"no answer from {self.url}: {reason}; is the server running?") from None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"cannot send a {type(value).__name__}")


def _reason(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text.strip()
