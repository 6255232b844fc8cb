import json
import subprocess
import sys

import pytest

SHOW = """
import json, sys
from keras_ft.startup import start_quickly
start_quickly()
import {first}
before = [name for name in ("sklearn", "matplotlib", "pandas", "jax") if name in sys.modules]
import sklearn, matplotlib, jax
print(json.dumps([before, sklearn.__name__, jax.__name__]))
"""


@pytest.mark.parametrize("first", ["keras_ft.training.train", "keras_ft.export.export"])
def test_the_command_starts_without_packages_that_only_keras_looks_for(first):
    done = subprocess.run([sys.executable, "-c", SHOW.format(first=first)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [[], "sklearn", "jax"]
