"""What transformers writes greedily and with beams; `generation_parity.py` runs it in an environment with torch.

    TORCH_PYTHON benchmarks/generation_parity_torch.py FOLDER PROMPTS.jsonl < WAYS.json

WAYS holds arguments of `generate` by name; the answer is the ids of the texts by name. Prompts go one by one, without
padding. The end of a text and what comes behind it are left out.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from texts import read_file
from transformers import GPT2LMHeadModel


@torch.inference_mode()
def texts_of(model: GPT2LMHeadModel, prompts: list[list[int]], arguments: dict[str, Any]) -> list[list[int]]:
    """Ids behind each prompt."""
    end, texts = model.config.eos_token_id, []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        mask = torch.ones_like(ids)
        answer = model.generate(ids, attention_mask=mask, do_sample=False, pad_token_id=end, **arguments)
        text = answer[0, len(prompt) :].tolist()
        texts.append(text[: text.index(end)] if end in text else text)
    return texts


if __name__ == "__main__":
    folder, path = sys.argv[1:]
    torch.set_num_threads(os.cpu_count())
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
    prompts = [row["ids"] for row in read_file(Path(path))]
    json.dump({name: texts_of(model, prompts, it) for name, it in json.load(sys.stdin).items()}, sys.stdout)
