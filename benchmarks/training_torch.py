"""transformers on its turn to train an epoch; `training.py` runs it in an environment with torch.

    TORCH_PYTHON benchmarks/training_torch.py LOOP PRECISION SAMPLING FOLDER ROWS.jsonl

LOOP is `loop`, a plain loop without the Trainer's bookkeeping, or `trainer`; PRECISION float32 or bfloat16 (autocast);
SAMPLING random or group_by_length; FOLDER holds model and tokenizer. Texts are tokenized once, before the first epoch,
and padded to the longest of their batch. Attention is transformers' default, torch's scaled_dot_product_attention;
`torch.compile` is not, and each new length would compile anew.
"""

import itertools
import os
import sys
import tempfile
from pathlib import Path

import torch
from texts import read_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_pt_utils import LengthGroupedSampler
from turns import TimedEpochs

BATCH_SIZE = 32
LEARNING_RATE = 2e-5
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
MAX_LENGTH = 128
NOT_DECAYED = ("bias", "LayerNorm.weight")


class EpochTimer(TrainerCallback):
    """Has the Trainer call `TimedEpochs`."""

    def __init__(self, timing: TimedEpochs):
        self.timing = timing

    def on_epoch_begin(self, args, state, control, **rest):
        """Stop between epochs."""
        self.timing.begin()


def run_loop(model, examples: list[dict], collator, precision: str, sampling: str, timing: TimedEpochs) -> None:
    """Forward, backward, clip, step: nothing else."""
    sampler = torch.utils.data.RandomSampler(examples)
    if sampling == "group_by_length":
        sampler = LengthGroupedSampler(BATCH_SIZE, lengths=[len(example["input_ids"]) for example in examples])
    loader = torch.utils.data.DataLoader(examples, BATCH_SIZE, sampler=sampler, collate_fn=collator)
    named = list(model.named_parameters())
    groups = [
        {"params": [p for name, p in named if not name.endswith(NOT_DECAYED)], "weight_decay": WEIGHT_DECAY},
        {"params": [p for name, p in named if name.endswith(NOT_DECAYED)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, fused=True)
    model.train()
    for _ in itertools.count():
        timing.begin()
        for batch in loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
            optimizer.zero_grad()


def run_trainer(model, examples: list[dict], collator, precision: str, sampling: str, timing: TimedEpochs) -> None:
    """`Trainer.train`, with neither logs nor checkpoints."""
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            scratch,
            use_cpu=True,
            bf16=precision == "bfloat16",
            per_device_train_batch_size=BATCH_SIZE,
            num_train_epochs=1_000_000,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            max_grad_norm=CLIP_NORM,
            train_sampling_strategy=sampling,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(model, arguments, collator, examples, callbacks=[EpochTimer(timing)])
        trainer.train()


def main(loop: str, precision: str, sampling: str, folder: str, path: str) -> None:
    """Train until the benchmark has seen enough."""
    torch.set_num_threads(os.cpu_count())
    rows = read_file(Path(path))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    examples = [tokenizer(row["text"], truncation=True, max_length=MAX_LENGTH).data for row in rows]
    for example, row in zip(examples, rows, strict=True):
        example["labels"] = model.config.label2id[str(row["label"])]
    run = {"loop": run_loop, "trainer": run_trainer}[loop]
    collator = DataCollatorWithPadding(tokenizer)
    run(model, examples, collator, precision, sampling, TimedEpochs(len(rows)))


if __name__ == "__main__":
    main(*sys.argv[1:])
