"""API keys: who may ask. A file holds the names of those who may and the hashes of their keys, never a key.

A key is 32 random bytes, so that one round of SHA-256 hides it as well as any slower hash would.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from keras_ft.errors import RequestError

PREFIX = "kft_"


def new_key(file: Path, name: str) -> str:
    """Make a key, and add its hash to the file under a name; the key is nowhere else and cannot be found out again.

    Raises:
        RequestError: the name is there already or cannot be one, or the file cannot be written.
    """
    if not name or any(character in name for character in ":#\r\n"):
        raise RequestError(f"{name!r} cannot name a key; use letters, digits and dashes")
    if file.exists() and name in {known for known, _ in _read(file)}:
        raise RequestError(f"{file} holds a key for {name} already; remove that line first, or take another name")
    key = PREFIX + secrets.token_urlsafe(32)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as lines:
            lines.write(f"{name}:{_digest(key)}\n")
    except OSError as error:
        raise RequestError(f"{file}: {error.strerror}; name a file that can be written") from None
    return key


class ApiKeys:
    """The keys of a file.

    Arguments:
        file: lines `name:hash`; empty lines and those that begin with `#` say nothing.

    Raises:
        RequestError: the file cannot be read, or a line is none.
    """

    def __init__(self, file: Path):
        self._digests = [digest for _, digest in _read(file)]
        if not self._digests:
            raise RequestError(f"{file} holds no key; 'keras-ft api-key {file} --name NAME' makes one")

    def allow(self, authorization: str | None, key: str | None = None) -> bool:
        """Whether a request may be answered, by its `Authorization: Bearer …` or its `X-API-Key`."""
        scheme, _, token = (authorization or "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else key or ""
        digest = _digest(given)
        return sum(hmac.compare_digest(digest, it) for it in self._digests) > 0  # as long for each key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _read(file: Path) -> list[tuple[str, str]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{file}: {getattr(error, 'strerror', error)}; name a file of API keys") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, digest = line.strip().partition(":")
        if not name or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise RequestError(f"{file} line {number} should be NAME:HASH, the hash 64 hexadecimal digits")
        found.append((name, digest))
    return found
