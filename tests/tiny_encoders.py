"""Tiny encoders of every family, from scratch, and runs of classifiers over them."""

import io
from pathlib import Path

import numpy as np
import sentencepiece

from keras_ft.presets.load import load_pretrained
from keras_ft.presets.pretrained import Pretrained
from keras_ft.presets.saved_weights import save_weights
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.model import build_model
from keras_ft.tasks.registry import save_task
from tests.tiny import SENTENCES, tiny_byte_pair, write_vocabulary

SIZES = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 24, "max_sequence_length": 40}
NARROW = {"embedding_dim": 8}
OWN_SIZES = {"electra": NARROW, "albert": NARROW}
ALBERT_PIECES = {
    **{"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "pad_piece": "<pad>", "unk_piece": "<unk>"},
    **{
        "control_symbols": ["[CLS]", "[SEP]", "[MASK]"],
        "user_defined_symbols": ["(", ")", '"', "-", ".", "–", "£", "€"],
    },
}


def learn_pieces(path: Path, texts: list[str], size: int = 260, **options) -> Path:
    """A SentencePiece model of at most so many pieces."""
    written = io.BytesIO()
    options = {"character_coverage": 1.0, **options}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=written,
        vocab_size=size,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **options,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written.getvalue())
    return path


def scratch_options(family: str, folder: Path, **changes) -> dict:
    """What `backbone:` says; the vocabulary is written into the folder."""
    if family == "roberta":
        tiny_byte_pair(folder)
        vocabulary = {"vocabulary": str(folder / "vocab.json"), "merges": str(folder / "merges.txt")}
    elif family == "xlm-roberta":
        vocabulary = {"vocabulary": str(learn_pieces(folder / "sentencepiece.bpe.model", SENTENCES))}
    elif family == "albert":
        lower = [line.lower() for line in SENTENCES]
        vocabulary = {"vocabulary": str(learn_pieces(folder / "spiece.model", lower, **ALBERT_PIECES))}
    else:
        vocabulary = {"vocabulary": str(write_vocabulary(folder / "vocab.txt"))}
    return {"family": family, **vocabulary, **SIZES, **OWN_SIZES.get(family, {}), **changes}


def tiny_encoder(family: str, folder: Path, **changes) -> Pretrained:
    """With weights that are all different."""
    pretrained = load_pretrained(scratch_options(family, folder, **changes))
    rng = np.random.default_rng(0)
    for variable in pretrained.backbone.variables:
        variable.assign(variable.path.endswith("gamma") + rng.normal(0, 0.3, variable.shape))
    return pretrained


def write_run(family: str, folder: Path, pooling: str) -> Path:
    """The `model/` of a run, as `train` leaves it, of a classifier that has learned nothing."""
    pretrained = tiny_encoder(family, folder / "vocabulary")
    pretrained.pooling = pooling
    task = Classification(["bad", "good"], pooling, 32)
    model = build_model(task, pretrained, seed=0)
    (folder / "model").mkdir(parents=True)
    pretrained.save(folder / "model")
    save_task(task, folder / "model")
    save_weights(model, folder / "model")
    return folder
