"""An inspection as files: JSON for programs, a page for people."""

import json
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.inspection.inspect import Inspection
from keras_ft.inspection.page import page


def check_target(file: Path | None) -> None:
    """Refuse a file that cannot be written, before any work is done.

    Raises:
        RequestError: its folder does not exist, or it is a folder itself.
    """
    if file is not None and not file.parent.is_dir():
        raise RequestError(f"{file} cannot be written: there is no folder {file.parent}; make it, or name another")
    if file is not None and file.is_dir():
        raise RequestError(f"{file} is a folder; name a file")


def write_json(inspection: Inspection, file: Path) -> None:
    """Write what `--json` prints."""
    text = json.dumps(inspection.to_json(), ensure_ascii=False, indent=1)
    file.write_text(text + "\n", encoding="utf-8")


def write_page(inspection: Inspection, file: Path, title: str) -> None:
    """Write a page of HTML that needs no other file."""
    file.write_text(page(inspection, title), encoding="utf-8")
