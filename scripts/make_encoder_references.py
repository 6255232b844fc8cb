r"""Record what transformers computes for tiny random encoders of each family: tests/presets/encoder_references.npz.

Run it where torch and transformers are installed (tests need neither):

    python scripts/make_encoder_references.py tests/presets/encoder_references.npz
"""

import json
import sys

import numpy as np
import torch
import transformers

SIZES = {
    "vocab_size": 41,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 20,
    "max_position_embeddings": 14,
    "layer_norm_eps": 1e-5,
}
DISTILBERT = {"vocab_size": 41, "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 20, "max_position_embeddings": 14}
GROUPS = {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2, "embedding_size": 6}
CONFIGS = {
    "bert": transformers.BertConfig(**SIZES),
    "roberta": transformers.RobertaConfig(**SIZES, type_vocab_size=1),
    "xlm-roberta": transformers.XLMRobertaConfig(**SIZES, type_vocab_size=1),
    "distilbert": transformers.DistilBertConfig(**DISTILBERT),
    "albert": transformers.AlbertConfig(**{**SIZES, **GROUPS}),
    "electra": transformers.ElectraConfig(**SIZES, embedding_size=6),
}
LENGTHS = [7, 12, 1]


def main(target: str) -> None:
    recorded = {"versions": np.array([f"transformers {transformers.__version__}", f"torch {torch.__version__}"])}
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 41, (len(LENGTHS), max(LENGTHS)), generator=random)
    segments = torch.randint(0, 2, ids.shape, generator=random)
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    real = mask.numpy()
    recorded |= {"ids": ids.numpy()[real], "segments": segments.numpy()[real], "lengths": np.array(LENGTHS)}
    for name, config in CONFIGS.items():
        model = transformers.AutoModel.from_config(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():  # no zero biases: one in the wrong place must show
                parameter.copy_(torch.randn(parameter.shape, generator=random) * 0.3)
            padded = torch.where(mask, ids, config.pad_token_id)
            inputs = {"input_ids": padded, "attention_mask": mask.long()}
            if getattr(config, "type_vocab_size", 1) > 1:
                inputs["token_type_ids"] = segments * mask
            outputs = model(**inputs)
        recorded[f"{name}/config"] = np.array(json.dumps(config.to_dict()))
        recorded[f"{name}/last_hidden_state"] = outputs.last_hidden_state.numpy()[real]
        if name in ("bert", "albert"):
            recorded[f"{name}/pooler_output"] = outputs.pooler_output.numpy()
        prefix = "roberta" if name == "xlm-roberta" else name
        for key, tensor in model.state_dict().items():
            recorded[f"{name}/weights/{prefix}.{key}"] = tensor.numpy()
    np.savez_compressed(target, **recorded)


if __name__ == "__main__":
    main(*sys.argv[1:])
