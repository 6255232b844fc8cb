"""Writing a trained model as a keras-hub preset."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError, WorkError
from keras_ft.export.score_settings import score_notes, score_settings
from keras_ft.layers.arithmetic import Arithmetic
from keras_ft.presets.bert_checkpoint import variables
from keras_ft.presets.family import BERT
from keras_ft.presets.pretrained import Pretrained
from keras_ft.presets.sidecar import FILE, write_sidecar
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.model import TrainedModel

NEEDED = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
TANH_GELU = ("gelu_new", "gelu_pytorch_tanh")
DROPOUT = 0.1  # what keras-hub takes where nothing is said; ours is the forward pass's, not the backbone's


def write_keras_hub(trained: TrainedModel, task: Classification, folder: Path) -> list[str]:
    """Write backbone and tokenizer, and the head where keras-hub has its like; returns what a reader should know.

    Raises:
        RequestError: keras-hub's tokenizer cannot hold the vocabulary.
    """
    import keras_hub

    pretrained = trained.pretrained
    backbone, tokenizer = _backbone(pretrained), _tokenizer(pretrained)
    if _has_head(task):
        classifier = keras_hub.models.BertTextClassifier(
            backbone,
            num_classes=task.num_outputs,
            preprocessor=keras_hub.models.BertTextClassifierPreprocessor(tokenizer, sequence_length=task.max_length),
        )
        classifier.output_dense.kernel.assign(trained.model.head.kernel)
        classifier.output_dense.bias.assign(trained.model.head.bias)
        classifier.save_to_preset(str(folder))
    else:
        backbone.save_to_preset(str(folder))
        tokenizer.save_to_preset(str(folder))
    write_sidecar(pretrained, task.pooling, score_settings(task), folder)
    scores = score_notes(task, f"{{}} in {FILE}")
    return [*_head_notes(task), *scores, *_arithmetic_notes(pretrained.config)]


def check_keras_hub(trained: TrainedModel, task: Classification, folder: Path) -> None:
    """Read the head back with keras-hub.

    Raises:
        WorkError: it is another.
    """
    import keras_hub

    if not _has_head(task):
        return
    dense = keras_hub.models.BertTextClassifier.from_preset(str(folder)).output_dense
    head = trained.model.head
    if not (np.array_equal(dense.kernel, head.kernel) and np.array_equal(dense.bias, head.bias)):
        raise WorkError("the preset reads back with another head; nothing was written")


def _has_head(task: Classification) -> bool:
    return task.pooling == "pooler"


def _backbone(pretrained: Pretrained) -> Any:
    import keras_hub

    sizes = {key: getattr(pretrained.backbone, key) for key in BERT.keys}
    backbone = keras_hub.models.BertBackbone(**sizes, dropout=DROPOUT, dtype="float32")
    for (_, theirs), (_, ours) in zip(variables(backbone), variables(pretrained.backbone), strict=True):
        theirs.assign(ours)
    return backbone


def _tokenizer(pretrained: Pretrained) -> Any:
    import keras_hub

    tokens = pretrained.tokenizer.vocabulary.tokens
    missing = [token for token in NEEDED if token not in pretrained.tokenizer.vocabulary.token_to_id]
    if missing:
        raise RequestError(f"keras-hub's BertTokenizer wants {missing[0]} among the tokens; use --format hugging-face")
    return keras_hub.models.BertTokenizer(vocabulary=tokens, lowercase=pretrained.tokenizer.lowercase)


def _head_notes(task: Classification) -> list[str]:
    if _has_head(task):
        labels = ", ".join(task.labels.names[:5]) + (" …" if task.num_outputs > 5 else "")
        return [f"keras_hub.models.BertTextClassifier.from_preset reads it with its head; classes in order: {labels}"]
    return ["the head is not in it: keras-hub's BertTextClassifier pools otherwise; backbone and tokenizer are"]


def _arithmetic_notes(config: Arithmetic) -> list[str]:
    if config.hidden_act in TANH_GELU and config.layer_norm_epsilon == Arithmetic().layer_norm_epsilon:
        return []
    return [
        f"keras-hub computes tanh-GELU and epsilon 1e-12, this model {config.hidden_act} and"
        f" {config.layer_norm_epsilon:g}: its hidden states differ there; keras_ft reads keras_ft.json and is exact"
    ]
