"""A classifier of transformers → ONNX; `serving.py` runs it in an environment with torch, onnx and onnxscript.

TORCH_PYTHON benchmarks/onnx_export.py FOLDER MODEL.onnx
"""

import sys

import torch
from transformers import AutoModelForSequenceClassification

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Logits(torch.nn.Module):
    """Takes its inputs by position and returns the logits alone."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor):
        """`(batch, length)` each → `(batch, labels)`."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits


def main(folder: str, path: str) -> None:
    """Export with dynamic batch and length, by tracing: what comes out onnxruntime knows how to fuse."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.randint(5, 1000, (2, 17))
    inputs = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    axes = {name: {0: "batch", 1: "length"} for name in INPUTS} | {"logits": {0: "batch"}}
    torch.onnx.export(
        Logits(model),
        inputs,
        path,
        input_names=list(INPUTS),
        output_names=["logits"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
