"""Rows a second and peak memory of `keras-ft inspect`, for 10,000 and 1,000,000 rows of SST-2's lengths.

python benchmarks/inspection.py [ROWS …]

On 2 CPU cores (AMD EPYC): 10,000 rows 2.3 s, 0.79 GB; 1,000,000 rows 19 s (53,000 rows/s), 0.89 GB.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WORDS = 20_000
MEAN_LENGTH = 19  # words


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [10_000, 1_000_000]
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            recipe = write_data(Path(folder), size)
            print(subprocess.check_output([sys.executable, __file__, "--one", str(recipe)], text=True), end="")


def write_data(folder: Path, rows: int) -> Path:
    """Texts of made-up words, frequent and rare as in real text."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(rng.choice(letters, n)) for n in rng.integers(2, 10, WORDS)]
    with (folder / "train.jsonl").open("w") as file:
        for _ in range(rows):
            chosen = np.minimum(rng.zipf(1.3, max(1, rng.poisson(MEAN_LENGTH))), WORDS) - 1
            text = " ".join(words[i] for i in chosen)
            file.write(json.dumps({"text": text, "label": int(rng.integers(2))}) + "\n")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *words[:8000]]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in dict.fromkeys(tokens)))
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        "task: classification\n"
        "backbone: {family: bert, vocabulary: vocab.txt, num_layers: 1, num_heads: 1, hidden_dim: 8,"
        " intermediate_dim: 8}\n"
        "data: {train: train.jsonl, validation: 0.1}\n"
    )
    return recipe


def measure(recipe: Path) -> None:
    from keras_ft.inspection.inspect import inspect
    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe_file import load_recipe

    start = time.perf_counter()
    loaded = load_recipe(recipe)
    found = inspect(loaded, load_pretrained(loaded.backbone), print)
    seconds, cpu = time.perf_counter() - start, time.process_time()
    rows = found.splits["train"]["rows"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{rows:>9,} rows  {seconds:6.1f} s  {rows / seconds:9,.0f} rows/s  CPU {cpu:6.1f} s  peak memory {peak:.2f} GB"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(Path(sys.argv[2]))
    else:
        main()
