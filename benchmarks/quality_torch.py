"""transformers' side of `quality.py`: one run, in an environment with torch.

    TORCH_PYTHON benchmarks/quality_torch.py SET SEED FOLDER OUT.json [--threads 2]

FOLDER holds MiniLM as transformers reads it. The loop is what the Trainer does, without its bookkeeping; batches are
those of keras_ft's plan for the same lengths. OUT.json gets what the model says of validation and test, seconds and
versions; `quality.py` makes answers and scores of it.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from quality_data import BATCH_SIZE, CLIP_NORM, SETS, WARMUP, WEIGHT_DECAY, QualitySet, rows_of
from quality_heads_torch import HEADS
from transformers import AutoTokenizer, get_linear_schedule_with_warmup

sys.path.append(str(Path(__file__).resolve().parents[1]))
from keras_ft.data.plan import evaluation_plan, plan

NOT_DECAYED = ("bias", "LayerNorm.weight")
EVALUATION_BATCH_SIZE = 64
STEPS_TOLD = 25

Example = dict[str, Any]


def train(model: torch.nn.Module, examples: list[Example], head: Any, it: QualitySet, seed: int) -> None:
    """AdamW without decay of biases and layer norms, linear schedule with warm-up, clipped gradients."""
    named = list(model.named_parameters())
    groups = [
        {"params": [p for name, p in named if not name.endswith(NOT_DECAYED)], "weight_decay": WEIGHT_DECAY},
        {"params": [p for name, p in named if name.endswith(NOT_DECAYED)], "weight_decay": 0.0},
    ]
    lengths = np.array([len(example["input_ids"]) for example in examples])
    batches = [b for epoch in range(it.epochs) for b in plan(lengths, seed, epoch, batch_size=BATCH_SIZE)]
    optimizer = torch.optim.AdamW(groups, lr=it.learning_rate, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, round(WARMUP * len(batches)), len(batches))
    model.train()
    started, losses = time.process_time(), []
    for step, places in enumerate(batches, 1):
        loss = model(**head.collate([examples[i] for i in places])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % STEPS_TOLD == 0 or step == len(batches):
            spent, mean_loss = time.process_time() - started, np.mean(losses[-STEPS_TOLD:])
            print(f"step {step}/{len(batches)}, loss {mean_loss:.4f}, {spent:.0f} s", file=sys.stderr, flush=True)


@torch.no_grad()
def outputs_of(model: torch.nn.Module, examples: list[Example], head: Any) -> list[Any]:
    """What `head.outputs` keeps of each example."""
    model.eval()
    lengths = np.array([len(example["input_ids"]) for example in examples])
    kept: list[Any] = [None] * len(examples)
    for places in evaluation_plan(lengths, batch_size=EVALUATION_BATCH_SIZE):
        batch = [examples[i] for i in places]
        inputs = {name: value for name, value in head.collate(batch).items() if name not in head.targets}
        for place, found in zip(places, head.outputs(model(**inputs), batch), strict=True):
            kept[place] = found
    return kept


def main(name: str, seed: int, folder: str, out: Path, threads: int) -> None:
    """Train, run over validation where something is chosen on it, and over test."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    it = SETS[name]
    head = HEADS[it.task](AutoTokenizer.from_pretrained(folder), rows_of(name, "train"), it.max_length)
    model = head.model(folder)
    examples = head.encode(rows_of(name, "train"), training=True)
    started = time.process_time()
    train(model, examples, head, it, seed)
    seconds = {"train": time.process_time() - started}
    said = {}
    for split in (*(["validation"] if head.chooses else []), "test"):
        started, rows = time.process_time(), rows_of(name, split)
        encoded = head.encode(rows, training=False)
        said[split] = head.answers(rows, encoded, outputs_of(model, encoded, head))
        seconds[split] = time.process_time() - started
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    versions["transformers"] = transformers.__version__
    found = {"said": said, "labels": head.labels, "examples": len(examples), "seconds": seconds, "versions": versions}
    out.write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="SET", choices=list(SETS))
    parser.add_argument("seed", type=int)
    parser.add_argument("folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    main(**vars(parser.parse_args()))
