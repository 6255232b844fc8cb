"""What a set of arrays was made from, as one string: change any of it and they are made anew."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from keras_ft.data.readers import Source


def fingerprint(sources: Iterable[Source], settings: dict[str, Any]) -> str:
    """sha256 over the contents of the sources and the settings (JSON-able)."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for source in sources:
        digest.update(source.digest().encode())
    return digest.hexdigest()
