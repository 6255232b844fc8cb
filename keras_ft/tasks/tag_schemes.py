"""Tags of words ⇄ entities.

Files tag words in several schemes: BIO (B- begins an entity, I- goes on), IOB1 (B- only where it is needed), IOBES and
BILOU (the last word is E- or L-, a word alone S- or U-). One rule reads them all: an entity goes on with I-, E- or L-
of its label, unless E-, L-, S- or U- has ended it; any other tag but O begins a new one. Models are taught BIO.
"""

import re
from collections.abc import Sequence

import numpy as np

from keras_ft.errors import RequestError

OUTSIDE = "O"
OPENING, CLOSING = ("B", "S", "U"), ("E", "L", "S", "U")
SHAPE = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
Entity = tuple[int, int, str]  # start, end (exclusive), label


def entities_of(tags: Sequence[str], where: str) -> list[Entity]:
    """The entities that tags say, by the numbers of their words, in their order.

    Args:
        tags: of the words of a text, in any of the schemes.
        where: file and line, for errors.

    Raises:
        RequestError: a tag is none.
    """
    found: list[Entity] = []
    is_open = False
    for i, tag in enumerate(tags):
        if tag == OUTSIDE:
            is_open = False
            continue
        match = SHAPE.fullmatch(tag)
        if match is None:
            raise RequestError(
                f"{where}: tag {i + 1} is '{tag[:40]}'; it should be O, or B- or I- and a label: 'B-PER'"
            )
        prefix, label = match.groups()
        if is_open and prefix not in OPENING and found[-1][2] == label:
            found[-1] = (found[-1][0], i + 1, label)
        else:
            found.append((i, i + 1, label))
        is_open = prefix not in CLOSING
    return found


def tag_names(labels: Sequence[str]) -> list[str]:
    """BIO's tags in the order of their numbers: O, then B- and I- of each label in turn."""
    return [OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI")]


def first_tag(label: int) -> int:
    """The number of B- of a label; that of I- is one more."""
    return 1 + 2 * label


def forbidden(num_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """What BIO does not allow: which tags cannot begin a text, `(tags,)` bool, and which cannot follow which.

    Returns:
        The former, and `(tags, tags)` bool: I- of a label behind anything but B- or I- of that label.
    """
    tags = np.arange(1 + 2 * num_labels)
    is_inside = (tags > 0) & (tags % 2 == 0)
    same_label = (tags[:, None] - 1) // 2 == (tags[None, :] - 1) // 2
    return is_inside, is_inside[None, :] & ~((tags > 0)[:, None] & same_label)
