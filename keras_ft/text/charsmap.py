"""SentencePiece's compiled rules of normalization: a double-array trie of what is replaced, and what replaces it.

The trie is that of https://github.com/s-yata/darts-clone, the rules' format that of SentencePiece's `builder.cc`.
"""

import numpy as np

# Bytes in UTF-8: the code points that have so many
RANGES = {1: (1, 0x80), 2: (0x80, 0x800), 3: (0x800, 0x10000), 4: (0x10000, 0x110000)}


def code_points_that_become(charsmap: bytes, text: str) -> np.ndarray:
    """The code points that the rules, by themselves, replace by a text, int32 in order.

    Args:
        charsmap: of a model; empty for no rules.
        text: "" for those that are deleted.
    """
    if not charsmap:
        return np.zeros(0, np.int32)
    units, texts = _parts(charsmap)
    wanted = np.frombuffer(text.encode() + b"\0", np.uint8)
    found = []
    for length, (low, high) in RANGES.items():
        code_points = np.arange(low, high)
        place = _look_up(units, _utf8(code_points, length))
        same = np.logical_and.reduce([texts[place + i] == byte for i, byte in enumerate(wanted)])
        found.append(code_points[(place >= 0) & same])
    return np.concatenate(found).astype(np.int32)


def leaves_as_it_is(charsmap: bytes, text: str) -> bool:
    """Whether no character of a text has a rule by itself."""
    if not charsmap:
        return True
    units, _ = _parts(charsmap)
    keys = (np.frombuffer(character.encode(), np.uint8)[None].astype(np.int64) for character in text)
    return all(_look_up(units, key)[0] < 0 for key in keys)


def _parts(charsmap: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The units of the trie, and the texts that its values point into, each of which ends in 0."""
    size = int.from_bytes(charsmap[:4], "little")
    units = np.frombuffer(charsmap[4 : 4 + size], "<u4").astype(np.int64)
    return units, np.frombuffer(charsmap[4 + size :] + bytes(8), np.uint8)


def _utf8(code_points: np.ndarray, length: int) -> np.ndarray:
    """`(n, length)` bytes of code points that have so many."""
    if length == 1:
        return code_points[:, None]
    lead = {2: 0xC0, 3: 0xE0, 4: 0xF0}[length]
    tail = [0x80 | (code_points >> 6 * i & 0x3F) for i in range(length - 2, -1, -1)]
    return np.stack([lead | code_points >> 6 * (length - 1), *tail], 1)


def _look_up(units: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The values of keys `(n, length)` in the trie, -1 for none."""
    place = np.zeros(len(keys), np.int64)
    alive = np.ones(len(keys), bool)
    for label in keys.T:
        target = place ^ _offset(units[place]) ^ label
        alive &= target < len(units)
        place = np.where(alive, target, 0)
        alive &= (units[place] & (1 << 31 | 0xFF)) == label
    alive &= (units[place] >> 8 & 1) == 1
    leaf = place ^ _offset(units[place])
    return np.where(alive, units[np.where(alive, leaf, 0)] & 0x7FFFFFFF, -1)


def _offset(unit: np.ndarray) -> np.ndarray:
    return unit >> 10 << ((unit & 1 << 9) >> 6)
