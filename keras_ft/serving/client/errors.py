"""How a request can fail, seen from the client."""

from keras_ft.errors import WorkError


class ServingError(WorkError):
    """The server refused a request: `status` is the HTTP status (of gRPC's codes, the one that stands for them),
    `message` its reason, and `retry_after` the seconds after which it asks to come back, where it does."""

    def __init__(self, status: int, message: str, retry_after: float | None = None):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.retry_after = retry_after


class NoAnswerError(WorkError):
    """The server gave no answer; `is_unasked` where it cannot have got the request."""

    def __init__(self, url: str, reason: object, is_unasked: bool = False):
        super().__init__(f"no answer from {url}: {reason}; is the server running?")
        self.is_unasked = is_unasked
