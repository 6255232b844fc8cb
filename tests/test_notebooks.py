"""Every cell of the notebooks runs, in its order, on a CPU; environment variables shorten installation and training."""

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.pages import ROOT

MUST_PRINT = {
    "colab_tpu.ipynb": [r"[\d.]+ examples/s", r"\d\.\d{3}  \w+ +I lost my card on holiday\."],
    "quickstart.ipynb": [r'"label": "(billing|delivery)"', r"\d\.\d{3}  (billing|delivery) +Nothing was delivered\."],
}
"""Notebook → what its cells print at least."""
SHORTENED = {
    "KERAS_FT_REPOSITORY": f"file://{ROOT}",
    "KERAS_FT_TRAIN_OPTIONS": "--set train.epochs=null --set train.steps=3 --set data.max_length=16",
    "PIP_DRY_RUN": "1",  # this environment stands for the one that the cell would fill
}


def test_every_notebook_is_run():
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} == set(MUST_PRINT)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUST_PRINT)
def test_every_cell_of_the_notebook_runs(name, tmp_path, monkeypatch, request):
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if name == "quickstart.ipynb":  # the other's commands run JAX
        environment = request.getfixturevalue("commands").environment
    for variable, value in {**environment, **SHORTENED}.items():
        monkeypatch.setenv(variable, value)
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.get("text", "") for output in outputs)
    for pattern in MUST_PRINT[name]:
        assert re.search(pattern, printed), f"{pattern} is not in:\n{printed[-5000:]}"


@pytest.mark.parametrize("name", MUST_PRINT)
def test_the_notebook_is_kept_without_outputs(name):
    for cell in nbformat.read(ROOT / "notebooks" / name, as_version=4).cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")
