"""`keras-ft export RUN --with RUN`: entities of one model and relations of another as one model that finds triples."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.evaluation.predictor import answer_texts
from keras_ft.evaluation.reference import copy_text_reference
from keras_ft.export.expected import as_json, joined
from keras_ft.export.export import check_dtype, export
from keras_ft.export.saved_model import ServedModel, save, write_assets
from keras_ft.export.verify import Verification, record_expected
from keras_ft.export.version import write_version
from keras_ft.export.warmup import write_warmup_requests
from keras_ft.paths import AnyPath
from keras_ft.run_folder import RunFolder
from keras_ft.search.items import ItemsFile
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.model import TrainedModel, load_model
from keras_ft.tasks.relation import Relation
from keras_ft.tasks.samples import hard_requests, read_samples
from keras_ft.tasks.tagging import Tagging
from keras_ft.tasks.triples import Answer, find_triples

SIGNATURE = "triples"
MAX_PAIRS = 64


def export_runs(
    run: AnyPath,
    relations: AnyPath | None,
    to: AnyPath,
    version: int | None,
    dtype: str,
    top_k: int | None,
    max_pairs: int | None,
    items: ItemsFile | None,
) -> tuple[str, Verification]:
    """What the command line asks for: `export` of one run, or `export_joined` of two; see there.

    Raises:
        RequestError: besides, an option is given that is of the other.
    """
    if relations is None:
        if max_pairs is not None:
            raise RequestError("--max-pairs goes together with --with RELATION_RUN")
        return export(run, to, version, dtype, top_k, items)
    if top_k is not None or items is not None:
        raise RequestError(f"{'--index' if items else '--top-k'} does not go together with --with")
    return export_joined(run, relations, to, version, dtype, MAX_PAIRS if max_pairs is None else max_pairs)


def export_joined(
    entities: AnyPath,
    relations: AnyPath,
    to: AnyPath,
    version: int | None = None,
    dtype: str = "float32",
    max_pairs: int = MAX_PAIRS,
) -> tuple[str, Verification]:
    """Write, verify and name a version that answers texts with triples; see `find_triples`.

    Args:
        entities: a finished run of tagging.
        relations: a finished run of relation.
        to, version, dtype: as `export` has them.
        max_pairs: of the entities of a text, the most that are looked at.

    Returns:
        The version's folder and what verification found.

    Raises:
        RequestError: a run is not finished or of another task, the version exists, or an argument is wrong.
        WorkError: the export does not verify; nothing is left behind.
    """
    check_dtype(dtype)
    if max_pairs < 1:
        raise RequestError(f"--max-pairs {max_pairs} should be at least 1")
    source = RunFolder.opened(entities)
    tagger, relation = load_model(source.model), load_model(RunFolder.opened(relations).model)
    for run, trained, kind in ((entities, tagger, Tagging), (relations, relation, Relation)):
        if not isinstance(trained.task, kind):
            wanted = "a tagging run is exported --with a relation run"
            raise RequestError(f"{run} is a {trained.task.name} run; {wanted}")

    def write(folder: Path, model_name: str) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            save(JoinedModel(tagger, relation, dtype, max_pairs, Path(scratch)), folder)
        samples = read_samples(source.model, tagger.task)
        write_warmup_requests(folder, model_name, tagger.task, samples)
        copy_text_reference(source.model, folder, SIGNATURE)
        columns = joined(samples, hard_requests(tagger.task))
        answers = as_json(TriplePredictor(tagger, relation, dtype, max_pairs)(columns["text"]))
        names = ("serving_default", SIGNATURE)
        record_expected(folder, dtype, dict.fromkeys(names, columns), dict.fromkeys(names, answers))

    return write_version(to, version, write)


class JoinedModel(tf.Module):
    """Both models with their tokenizers and weights; texts in, triples out.

    Args:
        entities: a trained tagger.
        relations: a trained classifier of relations.
        dtype: of the stored weights and of the arithmetic.
        max_pairs: of a text that are looked at.
        scratch: a folder, where files for `assets/` are until the model is saved.
    """

    def __init__(self, entities: TrainedModel, relations: TrainedModel, dtype: str, max_pairs: int, scratch: Path):
        super().__init__(name="joined_model")
        self.entities = ServedModel(entities, dtype, None, write_assets(entities, scratch / "entities", "entities_"))
        self.relations = ServedModel(relations, dtype, 1, write_assets(relations, scratch / "relations", "relations_"))
        self._max_pairs = max_pairs

    def signatures(self) -> dict:
        """`serving_default`, and the same as `triples`."""
        task = self.relations.task
        assert isinstance(task, Relation)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")], autograph=False)
        def triples(text: tf.Tensor) -> dict[str, tf.Tensor]:
            return find_triples(text, self.entities.answer, self.relations.answer, task.negative_label, self._max_pairs)

        found = triples.get_concrete_function()
        return {tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: found, SIGNATURE: found}


class TriplePredictor:
    """The same in Python, with the models as they were trained.

    Args:
        entities: a trained tagger.
        relations: a trained classifier of relations.
        dtype: compute type.
        max_pairs: of a text that are looked at.
    """

    def __init__(
        self, entities: TrainedModel, relations: TrainedModel, dtype: str = "float32", max_pairs: int = MAX_PAIRS
    ):
        task = relations.task
        assert isinstance(task, Relation)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        def answer(texts: tf.Tensor) -> dict[str, tf.Tensor]:
            both = (_answering(entities, dtype), _answering(relations, dtype))
            return find_triples(texts, *both, task.negative_label, max_pairs)

        self._answer = answer

    def __call__(self, texts: list[str]) -> dict[str, np.ndarray]:
        """What `find_triples` gives, as arrays."""
        return {name: tensor.numpy() for name, tensor in self._answer(tf.constant(texts, tf.string)).items()}


def _answering(trained: TrainedModel, dtype: str) -> Answer:
    assert isinstance(trained.task, AnsweringTask)
    view = trained.model.view(dtype)
    return partial(answer_texts, trained.task, trained.pretrained.tokenizer, view, top_k=1)
