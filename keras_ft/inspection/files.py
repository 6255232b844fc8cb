"""An inspection as a file for programs."""

import json
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.paths import write_whole


def check_target(file: Path | None) -> None:
    """Refuse a file that cannot be written, before any work is done.

    Raises:
        RequestError: its folder does not exist, or it is a folder itself.
    """
    if file is not None and not file.parent.is_dir():
        raise RequestError(f"{file} cannot be written: there is no folder {file.parent}; make it, or name another")
    if file is not None and file.is_dir():
        raise RequestError(f"{file} is a folder; name a file")


def write_json(found: dict[str, Any], file: Path) -> None:
    """Write what `Inspection.to_json` gives."""
    text = json.dumps(found, ensure_ascii=False, indent=1)
    write_whole(file, text + "\n")
