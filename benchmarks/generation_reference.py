"""What transformers' `generate` writes with a tiny GPT-2, stored for tests/generation/test_transformers_texts.py.

Needs torch and transformers; run from the repository's root, for which OMP_NUM_THREADS=1 is enough:

python -m benchmarks.generation_reference tests/generation/transformers_texts.json.gz
"""

import gzip
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2LMHeadModel
from transformers.utils import logging

from tests.tiny_gpt2 import write_hugging_face_gpt2

CONFIG = {"n_positions": 256}
MAX_NEW_TOKENS = 30
CASES = {
    "greedy": {},
    "repetition_penalty": {"repetition_penalty": 1.3},
    "no_repeat_ngram": {"no_repeat_ngram": 2},
    "min_new_tokens": {"min_new_tokens": 12},
    "banned": {"banned": True},
    "all_rules": {"repetition_penalty": 1.2, "no_repeat_ngram": 3, "min_new_tokens": 5, "banned": True},
    "beams": {"num_beams": 4},
    "beams_length_penalty_0": {"num_beams": 3, "num_return": 2, "length_penalty": 0.0},
    "beams_length_penalty_0.3": {"num_beams": 4, "num_return": 3, "length_penalty": 0.3},
    "beams_length_penalty_2": {"num_beams": 3, "length_penalty": 2.0},
    "beams_early_stopping": {"num_beams": 4, "num_return": 2, "early_stopping": True},
    "beams_early_stopping_2": {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
    "beams_all_rules": {"num_beams": 4, "repetition_penalty": 1.2, "no_repeat_ngram": 2, "min_new_tokens": 5},
}
NAMES = {"no_repeat_ngram": "no_repeat_ngram_size", "num_return": "num_return_sequences"}


def continuations(model: GPT2LMHeadModel, prompts: list[list[int]], end_id: int, **arguments):
    """Texts without prompts, and their scores, one prompt after the other; the padding behind an end is dropped."""
    texts, scores = [], []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        answer = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=MAX_NEW_TOKENS,
            eos_token_id=end_id,
            pad_token_id=end_id,
            return_dict_in_generate=True,
            output_scores=True,
            **arguments,
        )
        for text in answer.sequences[:, len(prompt) :].tolist():
            texts.append(text[: text.index(end_id) + 1] if end_id in text else text)
        if "sequences_scores" in answer:
            scores += [round(score, 5) for score in answer.sequences_scores.tolist()]
    return texts, scores


def frequent_end(texts: list[list[int]]) -> int:
    """The token that is in as nearly 60 % of the texts as can be."""
    shares = np.array([sum(token in text for text in texts) / len(texts) for token in range(450)])
    return int(np.argmin(abs(shares - 0.6)))


def main(path: Path):
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        model = GPT2LMHeadModel.from_pretrained(write_hugging_face_gpt2(Path(folder), **CONFIG)).eval()
    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, 449, rng.integers(1, 40)).tolist() for _ in range(100)]
    endless, _ = continuations(model, prompts, 449)
    end_id = frequent_end(endless)
    greedy, _ = continuations(model, prompts, end_id)
    pairs = [text[3:5] for text in greedy[:6] if len(text) > 6]
    banned = [[greedy[0][0]], *pairs, greedy[7][1:4]]
    cases = {}
    for name, options in CASES.items():
        arguments = {NAMES.get(key, key): value for key, value in options.items() if key != "banned"}
        if "banned" in options:
            arguments["bad_words_ids"] = banned
        texts, scores = continuations(model, prompts, end_id, **arguments)
        cases[name] = {"options": options, "texts": texts, "scores": scores}
        ended, distinct = sum(text[-1] == end_id for text in texts), len({tuple(text) for text in texts})
        print(f"{name:28} {len(texts):4} texts, {ended} end by themselves, {distinct} are distinct", flush=True)
    stored = {
        "config": CONFIG,
        "end_id": end_id,
        "banned": banned,
        "max_new_tokens": MAX_NEW_TOKENS,
        "prompts": prompts,
        "cases": cases,
    }
    path.write_bytes(gzip.compress(json.dumps(stored, separators=(",", ":")).encode(), mtime=0))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
