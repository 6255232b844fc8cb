"""Writing a trained classifier as a folder that transformers and sentence-transformers know."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import RequestError, WorkError
from keras_ft.export.score_settings import score_notes, score_settings
from keras_ft.presets.encoder_checkpoints import ENCODER_CHECKPOINTS
from keras_ft.presets.family import ALBERT, BERT, DISTILBERT, ELECTRA
from keras_ft.presets.safetensors_files import WEIGHTS
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.model import TrainedModel
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.load import Tokenizer
from keras_ft.text.sentence_piece import SentencePieceTokenizer
from keras_ft.text.sentence_piece_json import write_sentence_piece_json
from keras_ft.text.tokenizer_json import write_tokenizer_json
from keras_ft.text.vocabulary import read_json

MODELING = Path(__file__).with_name("modeling_keras_ft.py")
MODEL_CLASS = "KerasFTForSequenceClassification"
PLAIN_CLASSES = {BERT.name: "BertForSequenceClassification", ALBERT.name: "AlbertForSequenceClassification"}
DROPOUT = 0.1  # BERT's own, for those who train on
BERT_DROPOUT_KEYS = ("hidden_dropout_prob", "attention_probs_dropout_prob")
DROPOUT_KEYS = {DISTILBERT.name: ("dropout", "attention_dropout", "seq_classif_dropout")}
ROBERTA_ROLES = {  # the names of roles in Hugging Face's files: ours
    **{"bos": "start", "cls": "start", "eos": "end", "sep": "end"},
    **{"pad": "pad", "unk": "unk", "mask": "mask"},
}


def write_hugging_face(trained: TrainedModel, task: Classification, folder: Path) -> list[str]:
    """Write config, weights and tokenizer, and a class where transformers has no such pooling; returns notes."""
    if trained.pretrained.family == ELECTRA.name and task.pooling == "pooler":
        raise RequestError("transformers' ELECTRA has no pooler, which this run uses; use --format keras-hub")
    _write_json(folder / "config.json", _config(trained, task))
    _write_weights(trained, folder / WEIGHTS)
    _write_tokenizer(trained.pretrained.tokenizer, task.max_length, folder)
    notes = score_notes(task, "keras_ft_{} in config.json")
    plain = _plain_class(trained, task)
    if plain:
        return [f"transformers reads it as {'an' if plain[0] == 'A' else 'a'} {plain}", *notes]
    _write_pooling(task.pooling, trained.pretrained.backbone.hidden_dim, folder)
    shutil.copy(MODELING, folder / MODELING.name)
    return [
        f"transformers has no {task.pooling} pooling: AutoModelForSequenceClassification.from_pretrained needs"
        f" trust_remote_code=True, which runs {MODELING.name} of this folder",
        *notes,
    ]


def check_hugging_face(trained: TrainedModel, task: Classification, folder: Path) -> None:
    """Read head and labels back.

    Raises:
        WorkError: they are others.
    """
    from safetensors.numpy import load_file

    tensors, head = load_file(folder / WEIGHTS), trained.model.head
    labels = list(read_json(folder / "config.json")["id2label"].values())
    same = labels == task.labels.names and np.array_equal(tensors["classifier.weight"].T, head.kernel)
    if not (same and np.array_equal(tensors["classifier.bias"], head.bias)):
        raise WorkError("the folder reads back with another head; nothing was written")


def _plain_class(trained: TrainedModel, task: Classification) -> str | None:
    """The class of transformers that computes what ours does; None where there is none."""
    return PLAIN_CLASSES.get(trained.pretrained.family) if task.pooling == "pooler" else None


def _config(trained: TrainedModel, task: Classification) -> dict[str, Any]:
    pretrained = trained.pretrained
    checkpoint, vocabulary = ENCODER_CHECKPOINTS[pretrained.family], pretrained.tokenizer.vocabulary
    plain = _plain_class(trained, task)
    name = plain or MODEL_CLASS
    module = MODELING.stem
    return {
        "architectures": [name],
        **({} if plain else {"auto_map": {"AutoModelForSequenceClassification": f"{module}.{name}"}}),
        **({} if plain else {"keras_ft_pooling": task.pooling}),
        **{f"keras_ft_{name}": value for name, value in score_settings(task).items()},
        **checkpoint.config_of(pretrained.backbone, pretrained.config, vocabulary.pad_id),
        **dict.fromkeys(DROPOUT_KEYS.get(pretrained.family, BERT_DROPOUT_KEYS), DROPOUT),
        "initializer_range": 0.02,
        "position_embedding_type": "absolute",
        "problem_type": "single_label_classification",
        "id2label": {str(number): label for number, label in enumerate(task.labels.names)},
        "label2id": {label: number for number, label in enumerate(task.labels.names)},
        "torch_dtype": "float32",
    }


def _write_weights(trained: TrainedModel, path: Path) -> None:
    from safetensors.numpy import save_file

    pretrained, head = trained.pretrained, trained.model.head
    checkpoint = ENCODER_CHECKPOINTS[pretrained.family]
    tensors = checkpoint.tensors_of(pretrained.backbone, pretrained.tokenizer.vocabulary.pad_id)
    tensors["classifier.weight"] = np.ascontiguousarray(np.array(head.kernel).T)
    tensors["classifier.bias"] = np.array(head.bias)
    save_file(tensors, path, metadata={"format": "pt"})


def _write_tokenizer(tokenizer: Tokenizer, max_length: int, folder: Path) -> None:
    """The generic class of transformers runs `tokenizer.json` as it is, where BertTokenizer would build its own."""
    if isinstance(tokenizer, BytePairTokenizer):
        _write_byte_pair(tokenizer, max_length, folder)
        return
    vocabulary = tokenizer.vocabulary
    names = {
        f"{role}_token": token for role, token in vocabulary.special_tokens.items() if token in vocabulary.token_to_id
    }
    if isinstance(tokenizer, SentencePieceTokenizer):
        write_sentence_piece_json(tokenizer, folder / "tokenizer.json")
    else:
        vocabulary.save(folder / "vocab.txt")
        write_tokenizer_json(tokenizer, folder / "tokenizer.json")
    _write_json(folder / "special_tokens_map.json", names)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],  # else it gives no segments
        "split_special_tokens": not getattr(tokenizer, "special_tokens_in_text", False),
        "clean_up_tokenization_spaces": False,
        "do_lower_case": tokenizer.lowercase,
        **names,
    }
    _write_json(folder / "tokenizer_config.json", config)


def _write_byte_pair(tokenizer: BytePairTokenizer, max_length: int, folder: Path) -> None:
    """The files that transformers' RobertaTokenizer reads."""
    vocabulary = tokenizer.vocabulary
    vocabulary.save(folder / "vocab.json", folder / "merges.txt")
    roles = vocabulary.special_tokens
    names = {f"{theirs}_token": roles[ours] for theirs, ours in ROBERTA_ROLES.items() if ours in roles}
    config = {
        "tokenizer_class": "RobertaTokenizer",
        "model_max_length": max_length,
        "split_special_tokens": not tokenizer.special_tokens_in_text,
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": tokenizer.add_prefix_space,
        "trim_offsets": tokenizer.trim_offsets,
        "added_tokens_decoder": {
            str(vocabulary.token_to_id[token]): {
                "content": token,
                "special": token not in tokenizer.tokens_in_text,
                "lstrip": token in tokenizer.takes_spaces_before,
                **dict.fromkeys(("single_word", "rstrip", "normalized"), False),
            }
            for token in vocabulary.added_tokens
        },
        **names,
    }
    _write_json(folder / "special_tokens_map.json", names)
    _write_json(folder / "tokenizer_config.json", config)


def _write_pooling(pooling: str, hidden: int, folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    modes = {"cls_token": pooling == "first", "mean_tokens": pooling == "mean", "max_tokens": False}
    content = {"word_embedding_dimension": hidden, **{f"pooling_mode_{mode}": on for mode, on in modes.items()}}
    _write_json(folder / "1_Pooling" / "config.json", content)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
