"""The code blocks of a documentation page, and the shell script that does what a reader would do.

bash and python blocks are run; a block with a title is the file of that name, and so is a YAML block whose first line is
a comment with a file name; other YAML blocks are parts of a recipe, and text, json and csv are only shown. `<!-- not run: why -->` before a block keeps
it from running, `<!-- continues: page.md -->` lets a page go on where another ended.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml

from keras_ft.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(?P<unrun><!-- not run: .+? -->\n)?^```(?P<language>\w*)(?: +title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
CONTINUES = re.compile(r"<!-- continues: (\S+) -->")
SHOWN_ONLY = ("text", "json", "csv")
SECONDS_TO_SERVE = 120


@dataclass
class Block:
    """A fenced block of a page."""

    page: Path
    language: str
    title: str | None
    code: str
    runs: bool


def pages() -> list[Path]:
    """The README and every page of the site, the sources of the API reference aside."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [Block(page, m["language"], m["title"], m["code"], m["unrun"] is None) for m in BLOCK.finditer(text)]
    assert len(found) == text.count("\n```") / 2, f"{page.name}: a block that is not understood"
    return found


def chains() -> dict[str, list[Path]]:
    """Pages with something to run: the name of the first → it and those that go on from it, one after another."""
    first, followers = {}, {}
    for page in pages():
        if not any(block.runs and block.language in ("bash", "python") for block in blocks(page)):
            continue
        match = CONTINUES.search(page.read_text(encoding="utf-8"))
        if match:
            followers.setdefault((page.parent / match[1]).resolve(), []).append(page)
        else:
            first[page.relative_to(ROOT).as_posix()] = page
    return {name: [page, *followers.pop(page, [])] for name, page in first.items()} | {
        f"{page} is not there or runs nothing": pages for page, pages in followers.items()
    }


def script(chain: list[Path]) -> str:
    return "set -euo pipefail\n" + "".join(as_shell(block) for page in chain for block in blocks(page) if block.runs)


def as_shell(block: Block) -> str:
    if block.title:
        return write_file(block.title, block.code)
    if block.language == "bash":
        return in_background(block.code) if re.fullmatch(r"keras-ft serve [^&\n]+\n", block.code) else block.code
    if block.language == "python":
        return f"python - <<'END_OF_PYTHON'\n{block.code}END_OF_PYTHON\n"
    if block.language in SHOWN_ONLY:
        return ""
    assert block.language == "yaml", f"{block.page.name}: nothing runs a block of {block.language!r}"
    path = re.match(r"# (\S+\.yaml)\n", block.code)
    if path:
        return write_file(path[1], block.code)
    unknown = set(yaml.safe_load(block.code)) - set(Recipe.model_fields)
    assert not unknown, f"{block.page.name}: {unknown} are no keys of a recipe; name the file if it is something else"
    return ""


def write_file(name: str, text: str) -> str:
    return f"mkdir -p {shlex.quote(str(Path(name).parent))}\ncat > {shlex.quote(name)} <<'END_OF_FILE'\n{text}END_OF_FILE\n"


def in_background(command: str) -> str:
    """A server that the reader leaves running in a terminal of its own, until it answers."""
    model = Path(shlex.split(command)[2]).name
    ask = f"curl --silent --fail --output /dev/null localhost:8501/v1/models/{model}"
    return f"{command.strip()} &\nfor second in $(seq {SECONDS_TO_SERVE}); do {ask} && break; sleep 1; done\n{ask}\n"
