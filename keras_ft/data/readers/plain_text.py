"""`.txt`: a text a line."""

from pathlib import Path

from keras_ft.data.readers.lines import lines
from keras_ft.data.readers.registry import Numbered, reads
from keras_ft.errors import RequestError


@reads(".txt")
def read_txt(path: Path) -> Numbered:
    """Read each line that is not blank as the column `text`."""
    for number, line in lines(path):
        if isinstance(line, RequestError):
            yield number, line
        elif line.strip():
            yield number, {"text": line}
