"""MkDocs hook: every file of docs/decisions stands in the navigation, without being listed in mkdocs.yml."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Called by MkDocs once."""
    docs = Path(config["docs_dir"])
    pages = sorted(path.relative_to(docs).as_posix() for path in docs.glob("decisions/*.md"))
    for section in config["nav"]:
        if "Decisions" in section:
            section["Decisions"] = pages
    return config
