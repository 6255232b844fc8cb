"""Every code block of the README runs, in its order, in one shell, as a reader would type it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORTENED = "--set train.epochs=null --set train.steps=2 --set data.max_length=16"


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def as_shell(language: str, code: str) -> str:
    if language == "bash":
        return code
    if language == "python":
        return f"python - <<'END_OF_PYTHON'\n{code}END_OF_PYTHON\n"
    path = re.match(r"# (\S+\.yaml)\n", code)
    assert language == "yaml", f"a block of {language!r}: nothing runs it"
    assert path, "a YAML block begins with a comment that names its file"
    return f"cat > {path[1]} <<'END_OF_YAML'\n{code}END_OF_YAML\n"


@pytest.mark.slow
def test_every_block_of_the_readme_runs(tmp_path):
    for name in ("Makefile", "setup.py", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    bin_folder = Path(sys.executable).parent
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(bin_folder)
    (tmp_path / ".venv" / "serve").touch()  # this environment stands for the one that make would build
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "ARGS": SHORTENED}
    script = "set -euo pipefail\n" + "".join(as_shell(*block) for block in blocks())
    with (tmp_path / "out").open("w") as stdout, (tmp_path / "err").open("w") as stderr:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            process.wait(600)
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # the server that the README leaves running
    out, err = ((tmp_path / name).read_text(encoding="utf-8") for name in ("out", "err"))
    assert process.returncode == 0, err[-3000:]
    assert '"state": "AVAILABLE"' in out
    assert '"predictions"' in out
    assert re.search(r"(positive|negative) 0\.\d+\n", out)


def test_the_recipe_from_scratch_is_accepted(tmp_path):
    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe_file import load_recipe
    from tests.tiny import write_vocabulary

    code = next(code for language, code in blocks() if "from_scratch" in code)
    (tmp_path / "recipe.yaml").write_text(code, encoding="utf-8")
    write_vocabulary(tmp_path / "vocab.txt")
    assert load_pretrained(load_recipe(tmp_path / "recipe.yaml").backbone).backbone.num_layers == 4


def test_links_of_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / target).exists(), target
