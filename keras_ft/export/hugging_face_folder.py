"""Writing a trained classifier as a folder that transformers and sentence-transformers know."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.errors import WorkError
from keras_ft.export.score_settings import score_notes, score_settings
from keras_ft.presets.bert_checkpoint import BACKBONE_FROM_CONFIG, is_kernel, variables
from keras_ft.presets.safetensors_files import WEIGHTS
from keras_ft.tasks.classification import Classification
from keras_ft.tasks.model import TrainedModel
from keras_ft.text.tokenizer_json import write_tokenizer_json
from keras_ft.text.vocabulary import read_json
from keras_ft.text.wordpiece import WordPieceTokenizer

MODELING = Path(__file__).with_name("modeling_keras_ft.py")
MODEL_CLASS = "KerasFTForSequenceClassification"
DROPOUT = 0.1  # BERT's own, for those who train on


def write_hugging_face(trained: TrainedModel, task: Classification, folder: Path) -> list[str]:
    """Write config, weights and tokenizer, and a class where transformers has no such pooling; returns notes."""
    _write_json(folder / "config.json", _config(trained, task))
    _write_weights(trained, folder / WEIGHTS)
    _write_tokenizer(trained.pretrained.tokenizer, task.max_length, folder)
    notes = score_notes(task, "keras_ft_{} in config.json")
    if task.pooling == "pooler":
        return ["transformers reads it as a BertForSequenceClassification", *notes]
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


def _config(trained: TrainedModel, task: Classification) -> dict[str, Any]:
    pretrained = trained.pretrained
    plain = task.pooling == "pooler"
    name = "BertForSequenceClassification" if plain else MODEL_CLASS
    module = MODELING.stem
    return {
        "architectures": [name],
        **({} if plain else {"auto_map": {"AutoModelForSequenceClassification": f"{module}.{name}"}}),
        **({} if plain else {"keras_ft_pooling": task.pooling}),
        **{f"keras_ft_{name}": value for name, value in score_settings(task).items()},
        "model_type": "bert",
        **{theirs: getattr(pretrained.backbone, ours) for ours, theirs in BACKBONE_FROM_CONFIG.items()},
        "hidden_act": pretrained.config.hidden_act,
        "layer_norm_eps": pretrained.config.layer_norm_epsilon,
        "hidden_dropout_prob": DROPOUT,
        "attention_probs_dropout_prob": DROPOUT,
        "initializer_range": 0.02,
        "position_embedding_type": "absolute",
        "pad_token_id": pretrained.tokenizer.vocabulary.pad_id,
        "problem_type": "single_label_classification",
        "id2label": {str(number): label for number, label in enumerate(task.labels.names)},
        "label2id": {label: number for number, label in enumerate(task.labels.names)},
        "torch_dtype": "float32",
    }


def _write_weights(trained: TrainedModel, path: Path) -> None:
    from safetensors.numpy import save_file

    tensors = {}
    for name, variable in variables(trained.pretrained.backbone):
        values = np.array(variable)
        if is_kernel(name):
            outputs = trained.pretrained.backbone.intermediate_dim if "intermediate" in name else _hidden(trained)
            values = values.reshape(-1, outputs).T  # torch keeps (outputs, inputs)
        elif name.startswith("encoder.") and values.ndim > 1:
            values = values.reshape(-1)  # keras-hub keeps biases of heads as (heads, head_dim)
        tensors[f"bert.{name}"] = np.ascontiguousarray(values)
    head = trained.model.head
    tensors["classifier.weight"] = np.ascontiguousarray(np.array(head.kernel).T)
    tensors["classifier.bias"] = np.array(head.bias)
    save_file(tensors, path, metadata={"format": "pt"})


def _hidden(trained: TrainedModel) -> int:
    return trained.pretrained.backbone.hidden_dim


def _write_tokenizer(tokenizer: WordPieceTokenizer, max_length: int, folder: Path) -> None:
    """The generic class of transformers runs `tokenizer.json` as it is, where BertTokenizer would build its own."""
    vocabulary = tokenizer.vocabulary
    names = {
        f"{role}_token": token for role, token in vocabulary.special_tokens.items() if token in vocabulary.token_to_id
    }
    vocabulary.save(folder / "vocab.txt")
    write_tokenizer_json(tokenizer, folder / "tokenizer.json")
    _write_json(folder / "special_tokens_map.json", names)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "split_special_tokens": not tokenizer.special_tokens_in_text,
        "clean_up_tokenization_spaces": False,
        "do_lower_case": tokenizer.lowercase,
        **names,
    }
    _write_json(folder / "tokenizer_config.json", config)


def _write_pooling(pooling: str, hidden: int, folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    modes = {"cls_token": pooling == "first", "mean_tokens": pooling == "mean", "max_tokens": False}
    content = {"word_embedding_dimension": hidden, **{f"pooling_mode_{mode}": on for mode, on in modes.items()}}
    _write_json(folder / "1_Pooling" / "config.json", content)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
