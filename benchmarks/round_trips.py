"""Round trips of a trained model through other libraries' formats, and how far the numbers move.

    python benchmarks/round_trips.py --torch /path/to/python/with/torch

Trains a classifier of each pooling for a few steps, on a tiny BERT and on MiniLM, converts it both ways and compares:
run → keras-hub preset → `backbone:` (hidden states; bar 1e-5), run → Hugging Face folder → `backbone:` (the same), and
run → Hugging Face folder → transformers (ids, and logits; bar 1e-4). Takes 5 minutes; transformers 5.23, torch 2.13.
Exits with 1 where a bar is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # tests.tiny

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from keras_ft.batch import TokenBatch  # noqa: E402
from keras_ft.export.convert import convert  # noqa: E402
from keras_ft.layers.encoder import encode  # noqa: E402
from keras_ft.layers.encoder_view import encoder_view  # noqa: E402
from keras_ft.presets.load import load_pretrained  # noqa: E402
from keras_ft.presets.pretrained import Pretrained  # noqa: E402
from keras_ft.recipe_file import load_recipe  # noqa: E402
from keras_ft.tasks.model import TrainedModel, load_model  # noqa: E402
from keras_ft.tasks.samples import HARD_TEXTS  # noqa: E402
from keras_ft.training.train import train  # noqa: E402
from tests.tiny import write_recipe  # noqa: E402

REAL = ROOT / "pipelines" / "intent" / "data" / "test.jsonl"
BARS = {"keras-hub": 1e-5, "hugging-face": 1e-5, "torch": 1e-4}


@dataclass
class Row:
    """One line of the table."""

    model: str
    pooling: str
    trip: str
    ids: str
    difference: float

    @property
    def holds(self) -> bool:
        """Whether it keeps within the bar."""
        return self.difference <= BARS[self.trip] and self.ids == "equal"


def texts() -> list[str]:
    real = [json.loads(line)["text"] for line in REAL.read_text(encoding="utf-8").splitlines()]
    return real[:: len(real) // 200] + HARD_TEXTS


def hidden_states(pretrained: Pretrained, lines: list[str], trained: TrainedModel) -> tuple[list, np.ndarray]:
    sequences = trained.task.features(pretrained.tokenizer, {"text": tf.constant(lines)})
    batch = TokenBatch.from_lengths(sequences.ids.flat_values, sequences.ids.row_lengths())
    return sequences.ids.to_list(), encode(encoder_view(pretrained.backbone, pretrained.config), batch).numpy()


def logits(trained: TrainedModel, lines: list[str]) -> np.ndarray:
    sequences = trained.task.features(trained.pretrained.tokenizer, {"text": tf.constant(lines)})
    batch = TokenBatch.from_lengths(sequences.ids.flat_values, sequences.ids.row_lengths())
    return trained.task.forward(trained.model.view(), batch)["logits"].numpy()


def round_trips(name: str, backbone: str, pooling: str, python: str, folder: Path) -> list[Row]:
    recipe = write_recipe(
        folder,
        backbone=backbone,
        task=f"{{name: classification, pooling: {pooling}}}",
        train="{steps: 10, batch_size: 8, learning_rate: 1.0e-4}",
    )
    train(load_recipe(recipe), folder / "run", tell=lambda line: None)
    trained, lines, rows = load_model(folder / "run" / "model"), texts(), []
    ids, hidden = hidden_states(trained.pretrained, lines, trained)
    for trip in ("keras-hub", "hugging-face"):
        convert(folder / "run", folder / trip, trip)
        their_ids, theirs = hidden_states(load_pretrained(str(folder / trip)), lines, trained)
        same = "equal" if their_ids == ids else "differ"
        rows.append(Row(name, pooling, trip, same, float(np.abs(theirs - hidden).max())))
    command = [python, str(ROOT / "benchmarks" / "round_trips_torch.py"), str(folder / "hugging-face")]
    done = subprocess.run(command, input=json.dumps(lines), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    answers = json.loads(done.stdout)
    same = "equal" if answers["ids"] == ids and answers["labels"] == trained.task.labels.names else "differ"
    rows.append(
        Row(name, pooling, "torch", same, float(np.abs(np.array(answers["logits"]) - logits(trained, lines)).max()))
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", required=True, help="a Python that has torch and transformers")
    python = parser.parse_args().torch
    warnings.filterwarnings("ignore")
    rows = []
    print(f"{'model':<8} {'pooling':<8} {'trip':<14} {'ids':<7} {'largest difference':>18}  bar", flush=True)
    for name, backbone in (("tiny", "bert"), ("MiniLM", "minilm_l6_en_uncased")):
        for pooling in ("mean", "first", "pooler"):
            with tempfile.TemporaryDirectory() as folder:
                done = round_trips(name, backbone, pooling, python, Path(folder))
            for row in done:
                print(
                    f"{row.model:<8} {row.pooling:<8} {row.trip:<14} {row.ids:<7} {row.difference:>18.1e}"
                    f"  {BARS[row.trip]:.0e} {'' if row.holds else 'MISSED'}",
                    flush=True,
                )
            rows += done
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()
