"""What a set of arrays was made from, as one string: change any of it and they are made anew."""

import hashlib
import json
from pathlib import Path
from typing import Any

from keras_ft.data.readers import check_is_file


def fingerprint(files: list[Path], settings: dict[str, Any]) -> str:
    """sha256 over the contents of the files and the settings (JSON-able).

    Raises:
        RequestError: a file does not exist.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        check_is_file(path)
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
