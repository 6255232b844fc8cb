r"""Record what transformers computes for MiniLM: tests/presets/minilm_reference.npz.

Run it where torch and transformers are installed (tests need neither), on the unpacked preset:

    python scripts/make_minilm_reference.py \
        ~/.cache/keras_ft/presets/minilm_l6_en_uncased tests/presets/minilm_reference.npz
"""

import sys

import numpy as np
import torch
import transformers

TEXTS = [
    "I still have not received my new card, I ordered over a week ago.",
    "What a day!",
    "The film is a charming, utterly predictable and deeply unnecessary remake of a remake.",
    "naïve café: ½ of 今天天气 costs 3.50€",
    "a",
]


def main(folder: str, target: str) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer.backend_tokenizer.no_padding()
    ids, hidden = [], []
    for text in TEXTS:
        encoded = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            hidden.append(model(**encoded).last_hidden_state[0].numpy())
        ids.append(encoded["input_ids"][0].numpy())
    np.savez_compressed(
        target,
        texts=np.array(TEXTS),
        ids=np.concatenate(ids).astype("int32"),
        lengths=np.array([len(i) for i in ids], "int32"),
        last_hidden_state=np.concatenate(hidden).astype("float32"),
        versions=np.array([f"transformers {transformers.__version__}", f"torch {torch.__version__}"]),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
