"""transformers on its turn to train some steps; `language_model.py` runs it in an environment with torch.

    TORCH_PYTHON benchmarks/language_model_torch.py PRECISION ROUNDS STEPS FOLDER

PRECISION is float32 or bfloat16 (autocast); FOLDER holds what `write_start` wrote. Attention is transformers' default,
torch's scaled_dot_product_attention.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from language_model_data import BATCH_SIZE, BLOCK, CLIP_NORM, LEARNING_RATE, WARMUP, WEIGHT_DECAY
from transformers import GPT2LMHeadModel, get_linear_schedule_with_warmup
from turns import TimedEpochs


def read_windows(path: Path) -> list[torch.Tensor]:
    """The ids of each window."""
    arrays = np.load(path)
    return [torch.from_numpy(ids.astype("int64")) for ids in np.split(arrays["ids"], np.cumsum(arrays["lengths"])[:-1])]


def training_batches(windows: list[torch.Tensor], count: int) -> list[torch.Tensor]:
    """Batches of whole windows, in a new order each epoch."""
    whole = torch.stack([ids for ids in windows if len(ids) == BLOCK])
    generator, batches = torch.Generator().manual_seed(0), []
    while len(batches) < count:
        batches += torch.randperm(len(whole), generator=generator).split(BATCH_SIZE)
    return [whole[places] for places in batches[:count]]


def test_loss(model: GPT2LMHeadModel, windows: list[torch.Tensor]) -> float:
    """Nats a predicted token, over all of them."""
    model.eval()
    with torch.no_grad():
        sums = [float(model(ids[None], labels=ids[None]).loss) * (len(ids) - 1) for ids in windows]
    return sum(sums) / sum(len(ids) - 1 for ids in windows)


def main(precision: str, rounds: str, steps: str, folder: str) -> None:
    """Forward, backward, clip, step: nothing else."""
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(0)
    model = GPT2LMHeadModel.from_pretrained(folder)
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, fused=True)
    total = int(rounds) * int(steps)
    schedule = get_linear_schedule_with_warmup(optimizer, round(WARMUP * total), total)
    timing = TimedEpochs(int(steps) * BATCH_SIZE * BLOCK)
    model.train()
    for number, ids in enumerate(training_batches(read_windows(Path(folder) / "train.npz"), total)):
        if number % int(steps) == 0:
            timing.begin()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = model(ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    timing.begin()
    timing.end(loss=test_loss(model, read_windows(Path(folder) / "test.npz")))


if __name__ == "__main__":
    main(*sys.argv[1:])
