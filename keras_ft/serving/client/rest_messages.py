"""Requests and answers as TF Serving's REST API writes them, whoever sends them."""

import base64
import json
import os
import ssl
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from keras_ft.errors import RequestError, WorkError
from keras_ft.serving.client.errors import ServingError
from keras_ft.serving.client.request import Request
from keras_ft.serving.client.retry import Deadline


class RestAddress(NamedTuple):
    """Where a server is: `path` comes before those of the API, `tls` is None where nothing is encrypted."""

    url: str
    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str, ca_cert: str | os.PathLike[str] | None) -> "RestAddress":
        """From a URL; raises `RequestError`."""
        url = url.rstrip("/")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError(f"the URL should be like http://localhost:8501, given {url!r}")
        tls = tls_context(ca_cert) if parts.scheme == "https" else None
        return cls(url, parts.hostname, port or (80 if tls is None else 443), parts.path, tls)


class HttpRequest(NamedTuple):
    """What is sent; `path` is the API's."""

    verb: str
    path: str
    body: bytes | None


def tls_context(ca_cert: str | os.PathLike[str] | None) -> ssl.SSLContext:
    """Whom to trust: the system's authorities, or those of a PEM file; raises `RequestError`."""
    try:
        return ssl.create_default_context(cafile=ca_cert)
    except (OSError, ssl.SSLError) as error:
        raise RequestError(f"{ca_cert}: {error}; give a PEM file as ca_cert") from None


def headers_of(api_key: str | None, deadline: Deadline) -> dict[str, str]:
    """What every request carries."""
    headers = {"Content-Type": "application/json", "X-Request-Timeout": f"{max(deadline.left, 0.001):.3f}"}
    return headers if api_key is None else {**headers, "Authorization": f"Bearer {api_key}"}


def http_request(request: Request) -> HttpRequest:
    """A request as HTTP has it."""
    path = f"/v1/models/{quote(request.model, safe='')}"
    if request.version is not None:
        path += f"/versions/{request.version}"
    if request.verb != "predict":
        return HttpRequest("GET", path + ("/metadata" if request.verb == "metadata" else ""), None)
    asked = {
        "instances": request.instances,
        "inputs": request.inputs,
        "signature_name": request.signature_name,
    }
    body = json.dumps({key: value for key, value in asked.items() if value is not None}, default=_plain)
    return HttpRequest("POST", f"{path}:predict", body.encode())


def read_answer(request: Request, status: int, body: bytes, retry_after: str | None) -> Any:
    """What the caller wanted to know.

    Raises:
        ServingError: the server refused.
        WorkError: this is no answer of TF Serving's API.
    """
    if not 200 <= status < 300:
        raise ServingError(status, _reason(body), _seconds(retry_after))
    try:
        answer = json.loads(body.decode("utf-8", "replace"))
        if request.verb == "status":
            return answer["model_version_status"]
        if request.verb == "metadata":
            return answer["metadata"]["signature_def"]["signature_def"]
        return answer["outputs" if request.instances is None else "predictions"]
    except (ValueError, KeyError, TypeError):
        raise WorkError(f"no answer of TF Serving's API, but {body[:60]!r}; is the URL right?") from None


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


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` where it is a number; of a date we take no notice."""
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        return None
