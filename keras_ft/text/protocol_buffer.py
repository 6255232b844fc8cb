"""The wire format of protocol buffers, as much as SentencePiece's model files need.

https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from typing import Any


def fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """The numbers and values of a message: ints, or bytes of strings, messages and floats."""
    place = 0
    while place < len(content):
        key, place = _varint_at(content, place)
        wire = key & 7
        if wire == 0:
            number, place = _varint_at(content, place)
            yield key >> 3, number
            continue
        if wire == 2:
            size, place = _varint_at(content, place)
        else:
            size = {1: 8, 5: 4}[wire]
        value = content[place : place + size]
        if len(value) != size:
            raise ValueError("the message ends in a field")
        place += size
        yield key >> 3, value


def _varint_at(content: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place


def _varint(number: int) -> bytes:
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])


def message(number: int, content: bytes) -> bytes:
    """A field that holds a message, a string or bytes."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def number(number: int, value: int) -> bytes:
    """A field that holds a whole number or a bool."""
    return _varint(number << 3) + _varint(int(value))
