"""What a request ends with when it does not end well: a status code of the wire protocol and a message."""

HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}


class StatusError(Exception):
    """A failed request: `code` is a canonical status name (a key of `HTTP_STATUS`), `message` what the client reads.

    `retry_after` is the number of seconds after which asking again is worth it, where that is known.
    """

    def __init__(self, code: str, message: str, retry_after: float | None = None):
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def invalid(message: str) -> StatusError:
    """The error for a request that is wrong in itself."""
    return StatusError("INVALID_ARGUMENT", message)
