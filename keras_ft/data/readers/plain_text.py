"""`.txt`: a text a line, a text a paragraph, or one running text."""

from pathlib import Path
from typing import Literal

from keras_ft.data.readers.lines import lines
from keras_ft.data.readers.registry import Numbered, reads
from keras_ft.errors import RequestError

Division = Literal["line", "paragraph", "file"]
"""What a row of a `.txt` file is: a line, the lines up to a blank one, or a piece of the whole as it is written."""
CONTINUES = "continues"  # the column that is not empty where a row goes on with the text of the one before
PIECE = 4096  # characters
LONGEST_PIECE = 64 * PIECE


@reads(".txt")
def read_txt(path: Path) -> Numbered:
    """Read each line that is not blank as the column `text`."""
    for number, line in lines(path):
        if isinstance(line, RequestError):
            yield number, line
        elif line.strip():
            yield number, {"text": line}


def read_paragraphs(path: Path) -> Numbered:
    """Read the lines between blank ones as the column `text`, with their line breaks."""
    gathered: list[str] = []
    first = 1
    for number, line in lines(path):
        if isinstance(line, RequestError):
            yield number, line
        elif line.strip():
            first = first if gathered else number
            gathered.append(line)
        elif gathered:
            yield first, {"text": "\n".join(gathered)}
            gathered = []
    if gathered:
        yield first, {"text": "\n".join(gathered)}


def read_running_text(path: Path) -> Numbered:
    """Read a file as it is, in pieces of some thousand characters whose texts one behind the other are the file's.

    Every piece but the first has `CONTINUES`. Pieces are apart where GPT-2's tokens are apart whatever stands on the
    other side, so that the pieces' tokens one behind the other are the tokens of the whole.
    """
    piece: list[str] = []
    size, first, continues = 0, 1, ""
    for number, line in lines(path):
        if isinstance(line, RequestError):
            yield number, line
            continue
        may_begin = size >= PIECE and (_may_begin(piece[-1], line) or size >= LONGEST_PIECE)
        if may_begin and "".join(piece).strip():
            yield first, {"text": "".join(piece), CONTINUES: continues}
            piece, size, first, continues = [], 0, number, "yes"
        piece.append(f"{line}\n")
        size += len(line) + 1
    if "".join(piece).strip():
        yield first, {"text": "".join(piece), CONTINUES: continues}


READERS_BY_DIVISION = {"line": read_txt, "paragraph": read_paragraphs, "file": read_running_text}


def _may_begin(before: str, line: str) -> bool:
    """Whether a piece may begin with a line: the white space before its first word is not cut within a token."""
    if line.startswith(" "):
        return not line[1:2].isspace() and len(line) > 1
    return bool(line) and not line[0].isspace() and not before[:-1][-1:].isspace() and before != "\n"
