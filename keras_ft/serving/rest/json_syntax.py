"""What is wrong with a JSON text, and where, as RapidJSON (TF Serving's parser) says it.

Python's parser stops at other places and in other words, so a text it refused is walked again by RapidJSON's rules
(rapidjson/reader.h; the words are those of rapidjson/error/en.h). NaN and Inf are numbers.
"""

import re
from typing import NoReturn

import numpy as np

from keras_ft.serving.status import StatusError

_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]*)?(?P<exponent>[eE][+-]?[0-9]*)?")
_SPECIAL = re.compile(rb"-?(?:NaN|Inf(?:inity)?)")
_SPACE = re.compile(rb"[ \t\n\r]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX4 = re.compile(rb"[0-9a-fA-F]{4}")


def check(body: bytes) -> None:
    """Raise the `StatusError` that RapidJSON's first parse error gives, if it has one for this text."""
    _Reader(body).read()


class _Reader:
    """Reads a text by RapidJSON's rules, for its errors alone."""

    def __init__(self, text: bytes):
        self.text = text
        self.at = 3 if text.startswith(b"\xef\xbb\xbf") else 0

    def read(self) -> None:
        self.skip_space()
        if self.at == len(self.text):
            self.fail("The document is empty.")
        self.value()
        self.skip_space()
        if self.at < len(self.text):
            self.fail("The document root must not be followed by other values.")

    def value(self) -> None:
        first = self.peek()
        if first == b"{":
            self.object()
        elif first == b"[":
            self.array()
        elif first == b'"':
            self.string()
        elif first in (b"n", b"t", b"f"):
            self.word({b"n": b"null", b"t": b"true", b"f": b"false"}[first])
        else:
            self.number()

    def object(self) -> None:
        self.at += 1
        self.skip_space()
        if self.take(b"}"):
            return
        while True:
            if self.peek() != b'"':
                self.fail("Missing a name for object member.")
            self.string()
            self.skip_space()
            if not self.take(b":"):
                self.fail("Missing a colon after a name of object member.")
            self.skip_space()
            self.value()
            self.skip_space()
            if self.take(b"}"):
                return
            if not self.take(b","):
                self.fail("Missing a comma or } after an object member.")
            self.skip_space()

    def array(self) -> None:
        self.at += 1
        self.skip_space()
        if self.take(b"]"):
            return
        while True:
            self.value()
            self.skip_space()
            if self.take(b"]"):
                return
            if not self.take(b","):
                self.fail("Missing a comma or ] after an array element.")
            self.skip_space()

    def word(self, word: bytes) -> None:
        for i in range(len(word)):
            if not self.take(word[i : i + 1]):
                self.fail("Invalid value.")

    def number(self) -> None:
        start = self.at
        if special := _SPECIAL.match(self.text, start):
            self.at = special.end()
            return
        number = _NUMBER.match(self.text, start)
        if number is None:
            self.take(b"-")
            for letter in {b"N": b"NaN", b"I": b"Inf"}.get(self.peek(), b""):
                if not self.take(bytes([letter])):
                    break
            self.fail("Invalid value.")
        if number["fraction"] == b".":
            self.fail("Miss fraction part in number.", number.end("fraction"))
        if number["exponent"] and not number["exponent"][-1:].isdigit():
            self.fail("Miss exponent in number.", number.end())
        if np.isinf(float(number[0])):
            self.fail("Number too big to be stored in double.", start)
        self.at = number.end()

    def string(self) -> None:
        self.at += 1
        while True:
            self.at = _PLAIN.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.take(b'"'):
                return
            if self.peek() in (b"", b"\0"):
                self.fail("Missing a closing quotation mark in string.")
            if self.peek() != b"\\":
                self.fail("Invalid encoding in string.")
            self.escape()

    def escape(self) -> None:
        start = self.at
        self.at += 1
        if self.peek() and self.peek() in b'"\\/bfnrt':
            self.at += 1
            return
        if not self.take(b"u"):
            self.fail("Invalid escape character in string.", start)
        code = self.hex4(start)
        if 0xD800 <= code <= 0xDFFF:
            paired = code <= 0xDBFF and self.take(b"\\") and self.take(b"u")
            if not paired or not 0xDC00 <= self.hex4(start) <= 0xDFFF:
                self.fail("The surrogate pair in string is invalid.", start)

    def hex4(self, start: int) -> int:
        digits = _HEX4.match(self.text, self.at)
        if digits is None:
            self.fail("Incorrect hex digit after \\u escape in string.", start)
        self.at += 4
        return int(digits[0], 16)

    def skip_space(self) -> None:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]

    def peek(self) -> bytes:
        return self.text[self.at : self.at + 1]

    def take(self, character: bytes) -> bool:
        taken = self.peek() == character
        self.at += taken
        return taken

    def fail(self, what: str, at: int | None = None) -> NoReturn:
        raise StatusError("INVALID_ARGUMENT", f"JSON Parse error: {what} at offset: {self.at if at is None else at}")
