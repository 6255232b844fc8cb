"""The SavedModel: a tf.Module that owns its tokenizer and its variables, each stored once."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_ft.evaluation.predictor import answer_texts
from keras_ft.layers.task_model import ModelView, map_tensors
from keras_ft.search.index import SearchIndex, search, search_specs
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.embedding import Embedding
from keras_ft.tasks.language import LanguageTask
from keras_ft.tasks.model import TrainedModel
from keras_ft.tasks.writing import ASKED, TextWriter, asked_specs, for_writing, request_specs

CONSTANTS_UP_TO = 64 << 20  # bytes


class ServedModel(tf.Module):
    """Strings in, answers out. Query, key and value kernels are fused, and weights cast, once, here.

    The weights are its variables. Only a small bfloat16 encoder's, without its embeddings, are constants of the graph:
    TensorFlow then keeps the kernels in the order that its CPU products read them in (docs/decisions/011).

    Args:
        trained: from `load_model`.
        dtype: of the stored weights and of the arithmetic; heads stay float32.
        top_k: see `Task.answer`.
        assets: files to be copied into `assets/`.
        index: what the signature `search` of an embedding model searches, if it is to have one.
    """

    def __init__(
        self,
        trained: TrainedModel,
        dtype: str,
        top_k: int | None,
        assets: list[Path],
        index: SearchIndex | None = None,
    ):
        super().__init__(name="served_model")
        self.task = trained.task
        self.tokenizer = trained.pretrained.tokenizer
        self.dtype = tf.as_dtype(dtype)
        self.owned: list[tf.Variable] = []
        self.assets = [tf.saved_model.Asset(str(path)) for path in assets]
        view = trained.model.view(dtype)
        self._writes = TextWriter(self.task, self.tokenizer) if isinstance(self.task, LanguageTask) else None
        if self._writes:
            view = for_writing(view)
        small = self.dtype.size * _size_without_tables(view) <= CONSTANTS_UP_TO
        self._constants = self.dtype == tf.bfloat16 and small and not self._writes
        self._view = map_tensors(view, self._own)
        self._top_k = top_k
        self.index = index

    def signatures(self) -> dict[str, Any]:
        """`serving_default`, the same under the task's name, and the task's further ones.

        Of a task that writes those are `sample` and `score`.
        """
        task, writes = self.task, self._writes
        requests = request_specs(task.text_columns, task.list_columns)
        if writes is None:
            assert isinstance(task, AnsweringTask)
            default = _compiled(requests, self.answer)
            others = {name: _compiled(specs, self.answer) for name, specs in task.other_requests().items()}
            named = {tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: default, task.name: default, **others}
            return named | self._searching()
        default = _compiled(requests, lambda given: writes(self._view, given))

        def sample(given: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return writes(self._view, {name: given[name] for name in requests}, {name: given[name] for name in ASKED})

        texts = [name for name in task.feature_columns if name not in task.optional_columns]
        return {
            tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: default,
            task.name: default,
            "sample": _compiled(requests | asked_specs(), sample),
            "score": _compiled(
                request_specs(tuple(texts), task.list_columns), lambda given: writes.score(self._view, given)
            ),
        }

    def answer(self, given: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The answers of a task that has them, to requests by text column or by the inputs of a further signature."""
        assert isinstance(self.task, AnsweringTask)
        return answer_texts(self.task, self.tokenizer, self._view, given, self._top_k)

    def _searching(self) -> dict[str, Any]:
        """The signature `search` of a model with an index."""
        task, index = self.task, self.index
        if index is None:
            return {}
        assert isinstance(task, Embedding)
        return {
            "search": _compiled(search_specs(), lambda given: search(task, self.tokenizer, self._view, index, given))
        }

    def _own(self, name: str, tensor: Any) -> Any:
        if name.startswith("backbone.pooler") and not self.task.uses_pooler:
            return tf.convert_to_tensor(tensor)  # never read, so never stored
        value = tf.cast(tensor, tf.float32 if name.startswith(("head.", "extra.")) else self.dtype)
        if self._constants and not _is_table(name):
            return value
        variable = tf.Variable(value, trainable=False, name=name)
        self.owned.append(variable)
        return variable


def _compiled(specs: dict[str, tf.TensorSpec], answer: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]) -> Any:
    """A signature with these inputs by name."""

    @tf.function(input_signature=list(specs.values()), autograph=False)
    def signature(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(dict(zip(specs, tensors, strict=True)))

    return signature.get_concrete_function()


def _is_table(name: str) -> bool:
    return name.endswith("_embedding")


def _size_without_tables(view: ModelView) -> int:
    sizes: list[int] = []
    map_tensors(view, lambda name, tensor: None if _is_table(name) else sizes.append(tensor.shape.num_elements()))
    return sum(sizes)


def write_saved_model(
    trained: TrainedModel, folder: Path, dtype: str, top_k: int | None, index: SearchIndex | None = None
) -> None:
    """Write a SavedModel with the vocabulary's files and the task's own in `assets/`, and an empty `assets.extra/`.

    Args:
        trained: from `load_model`.
        folder: does not exist yet.
        dtype: `float32` or `bfloat16`.
        top_k: see `Task.answer`.
        index: see `ServedModel`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        save(ServedModel(trained, dtype, top_k, write_assets(trained, Path(scratch)), index), folder)


def write_assets(trained: TrainedModel, folder: Path, prefix: str = "") -> list[Path]:
    """The files of the vocabulary and of the task; `prefix` stands before their names."""
    folder.mkdir(exist_ok=True)
    trained.pretrained.tokenizer.save(folder)  # all of it, so that a server can count tokens outside the graph
    for name, lines in trained.task.asset_files().items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [path.rename(folder / f"{prefix}{path.name}") for path in list(folder.iterdir())]


def save(module: Any, folder: Path) -> None:
    """Write a module that has `signatures()`, and an empty `assets.extra/` beside it."""
    tf.saved_model.save(module, str(folder), signatures=module.signatures())
    (folder / "assets.extra").mkdir()
