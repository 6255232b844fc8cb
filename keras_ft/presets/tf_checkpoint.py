"""Folders as BERT's authors published them: `bert_config.json`, `vocab.txt` and `bert_model.ckpt.*`.

Devlin et al. 2018, arXiv:1810.04805; https://github.com/google-research/bert.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.presets.checkpoint import read_config
from keras_ft.presets.encoder_checkpoints import BERT_CHECKPOINT
from keras_ft.presets.pretrained import Pretrained, check_vocabulary
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer

CONFIG = "bert_config.json"
CHECKPOINT = "bert_model.ckpt"


def load_tf_checkpoint(folder: Path, name: str) -> Pretrained:
    """Load an original TensorFlow checkpoint.

    Its code computes the tanh approximation under the name `gelu`, so that is followed. Nothing in the folder says
    whether texts are lower-cased: see `is_lowercase`.

    Args:
        folder: holds `bert_config.json`, `vocab.txt` and a checkpoint (`bert_model.ckpt`, or the only one there).
        name: how the recipe called it, for messages.

    Raises:
        RequestError: a file is missing or corrupt, or a weight has another shape.
    """
    config = BERT_CHECKPOINT.complete(read_config(folder / CONFIG, name), folder / CONFIG, name)
    prefix = _checkpoint(folder, name)
    backbone = BERT_CHECKPOINT.backbone_of(config)
    has_pooler = BERT_CHECKPOINT.fill(backbone, _read_weights(prefix), config, prefix)
    vocabulary = Vocabulary.from_vocab_txt(folder / "vocab.txt")
    tokenizer = WordPieceTokenizer(vocabulary, lowercase=is_lowercase(folder, vocabulary))
    check_vocabulary(name, backbone, tokenizer)
    arithmetic = BERT_CHECKPOINT.arithmetic_of(config)
    if arithmetic.hidden_act == "gelu":
        arithmetic = replace(arithmetic, hidden_act="gelu_new")
    return Pretrained(name, backbone, arithmetic, tokenizer, "pooler" if has_pooler else "first")


def is_lowercase(folder: Path, vocabulary: Vocabulary) -> bool:
    """Whether a checkpoint wants lower-cased texts.

    The folder's name says `uncased` or `cased` where its authors named it; otherwise a vocabulary without a single
    word in capitals is one of lower-cased texts.
    """
    named = re.search(r"(?<![a-z])(un)?cased", folder.resolve().name.lower())
    if named:
        return named[1] is not None
    words = (token.removeprefix("##") for token in vocabulary.tokens)
    return not any(word.isalpha() and word != word.lower() for word in words)


def _checkpoint(folder: Path, name: str) -> Path:
    prefixes = sorted(path.with_suffix("") for path in folder.glob("*.index"))
    if folder / CHECKPOINT in prefixes:
        return folder / CHECKPOINT
    if len(prefixes) != 1:
        found = f"{len(prefixes)} checkpoints" if prefixes else "no checkpoint"
        raise RequestError(f"backbone {name}: {folder} holds {found}; it should hold {CHECKPOINT}.index and its data")
    return prefixes[0]


def _read_weights(prefix: Path) -> dict[str, np.ndarray]:
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = [name for name in reader.get_variable_to_shape_map() if name.startswith("bert/")]
        return {_canonical(name): reader.get_tensor(name) for name in names if "/adam_" not in name}
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RequestError(f"{prefix} is corrupt or incomplete ({reason}); fetch or copy it again") from None


def _canonical(name: str) -> str:
    """`bert/encoder/layer_0/attention/self/query/kernel` → `encoder.layer.0.attention.self.query.weight`."""
    name = re.sub(r"/layer_(\d+)/", r"/layer/\1/", name.removeprefix("bert/"))
    name = re.sub(r"/(kernel|gamma)$", "/weight", re.sub(r"/beta$", "/bias", name))
    return re.sub(r"(_embeddings)$", r"\1/weight", name).replace("/", ".")
