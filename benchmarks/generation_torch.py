"""transformers on its turn to continue prompts; `generation.py` runs it in an environment with torch.

    TORCH_PYTHON benchmarks/generation_torch.py FOLDER PROMPTS.jsonl [LOOKUP]

Greedy `generate` in float32 on all cores, with its own cache and its default attention; ids in, ids out. LOOKUP is its
`prompt_lookup_num_tokens`, for one prompt at a time.
"""

import os
import sys
from pathlib import Path

import torch
from generation_turns import Prompt, write_in_turn
from transformers import GPT2LMHeadModel


class Writer:
    """Prompts of one length → texts."""

    def __init__(self, folder: str, lookup: str | None = None):
        self.options = {"prompt_lookup_num_tokens": int(lookup)} if lookup else {}
        torch.set_num_threads(os.cpu_count())
        self.model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.inference_mode()
    def __call__(self, prompts: list[Prompt], new_tokens: int) -> list[int]:
        """Continue a batch."""
        ids = torch.tensor([prompt["ids"] for prompt in prompts])
        texts = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new_tokens,
            do_sample=False,
            use_cache=True,
            pad_token_id=self.model.config.eos_token_id,
            **self.options,
        )
        written = texts[:, ids.shape[1] :]
        return (written != self.model.config.eos_token_id).sum(dim=1).tolist()


if __name__ == "__main__":
    folder, path, *lookup = sys.argv[1:]
    write_in_turn(Path(path), Writer(folder, *lookup))
