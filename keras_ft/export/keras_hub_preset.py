"""Writing a trained model as a keras-hub preset."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError, WorkError
from keras_ft.export.score_settings import score_notes, score_settings
from keras_ft.presets.encoder_checkpoints import ENCODER_CHECKPOINTS
from keras_ft.presets.family import BERT, FAMILIES
from keras_ft.presets.pretrained import Pretrained
from keras_ft.presets.sidecar import FILE, write_sidecar
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.model import TrainedModel
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.sentence_piece import SentencePieceTokenizer
from keras_ft.text.sentence_piece_vocabulary import in_files_order
from keras_ft.text.wordpiece import WordPieceTokenizer

BERT_TOKENIZER = (WordPieceTokenizer, ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"))
KINDS: dict[str, tuple[type, tuple[str, ...]]] = {  # keras-hub's class → ours of that kind, and tokens that it wants
    "BertTokenizer": BERT_TOKENIZER,
    "DistilBertTokenizer": BERT_TOKENIZER,
    "ElectraTokenizer": BERT_TOKENIZER,
    "XLMRobertaTokenizer": (SentencePieceTokenizer, ("<s>", "</s>", "<pad>", "<unk>", "<mask>")),
    "AlbertTokenizer": (SentencePieceTokenizer, ("[CLS]", "[SEP]", "<pad>", "[MASK]")),
    "RobertaTokenizer": (BytePairTokenizer, ("<s>", "</s>", "<pad>", "<mask>")),
}
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
    if _has_head(trained, task):
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
    return [*_head_notes(trained, task), *scores, *_arithmetic_notes(pretrained)]


def check_keras_hub(trained: TrainedModel, task: Classification, folder: Path) -> None:
    """Read the head back with keras-hub.

    Raises:
        WorkError: it is another.
    """
    import keras_hub

    if not _has_head(trained, task):
        return
    dense = keras_hub.models.BertTextClassifier.from_preset(str(folder)).output_dense
    head = trained.model.head
    if not (np.array_equal(dense.kernel, head.kernel) and np.array_equal(dense.bias, head.bias)):
        raise WorkError("the preset reads back with another head; nothing was written")


def _has_head(trained: TrainedModel, task: Classification) -> bool:
    """Whether keras-hub has a classifier that computes what ours does."""
    return trained.pretrained.family == BERT.name and task.pooling == "pooler"


def _backbone(pretrained: Pretrained) -> Any:
    family = FAMILIES[pretrained.family]
    sizes = {key: getattr(pretrained.backbone, key) for key in family.keys}
    backbone = family.backbone_class(**sizes, dropout=DROPOUT, dtype="float32")
    variables = ENCODER_CHECKPOINTS[family.name].variables
    for (_, theirs), (_, ours) in zip(variables(backbone), variables(pretrained.backbone), strict=True):
        theirs.assign(ours)
    return backbone


def _tokenizer(pretrained: Pretrained) -> Any:
    import keras_hub

    tokenizer, name = pretrained.tokenizer, FAMILIES[pretrained.family].tokenizer
    kind, needed = KINDS[name]
    if not isinstance(tokenizer, kind):
        raise RequestError(
            f"keras-hub's {name} is of another kind than this {tokenizer.config['type']} one; use --format hugging-face"
        )
    missing = [token for token in needed if token not in tokenizer.vocabulary.token_to_id]
    if missing:
        raise RequestError(f"keras-hub's {name} wants {missing[0]} among the tokens; use --format hugging-face")
    made = getattr(keras_hub.models, name)
    if isinstance(tokenizer, SentencePieceTokenizer):
        model = tokenizer.model if name == "AlbertTokenizer" else in_files_order(tokenizer.model)
        return made(proto=model.to_bytes())
    if isinstance(tokenizer, BytePairTokenizer):
        merges = [" ".join(merge) for merge in tokenizer.vocabulary.merges]
        return made(tokenizer.vocabulary.token_to_id, merges, add_prefix_space=tokenizer.add_prefix_space)
    return made(vocabulary=tokenizer.vocabulary.tokens, lowercase=tokenizer.lowercase)


def _head_notes(trained: TrainedModel, task: Classification) -> list[str]:
    import keras_hub

    family = FAMILIES[trained.pretrained.family]
    classifier = family.backbone.replace("Backbone", "TextClassifier")
    if _has_head(trained, task):
        labels = ", ".join(task.labels.names[:5]) + (" …" if task.num_outputs > 5 else "")
        return [f"keras_hub.models.{classifier}.from_preset reads it with its head; classes in order: {labels}"]
    if not hasattr(keras_hub.models, classifier):
        return [f"the head is not in it: keras-hub has no {classifier}; backbone and tokenizer are"]
    return [f"the head is not in it: keras-hub's {classifier} pools otherwise; backbone and tokenizer are"]


def _arithmetic_notes(pretrained: Pretrained) -> list[str]:
    ours, theirs = pretrained.config, FAMILIES[pretrained.family].arithmetic
    tanh = ours.hidden_act in TANH_GELU and theirs.hidden_act in TANH_GELU
    if (tanh or ours.hidden_act == theirs.hidden_act) and ours.layer_norm_epsilon == theirs.layer_norm_epsilon:
        return []
    name = "tanh-GELU" if theirs.hidden_act in TANH_GELU else theirs.hidden_act
    return [
        f"keras-hub computes {name} and epsilon {theirs.layer_norm_epsilon:g}, this model {ours.hidden_act} and"
        f" {ours.layer_norm_epsilon:g}: its hidden states differ there; keras_ft reads keras_ft.json and is exact"
    ]
