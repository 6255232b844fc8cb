"""`keras-ft export`: a run → a verified SavedModel version with warm-up requests."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.evaluation.reference import copy_reference
from keras_ft.export.expected import expected_answers, expected_texts
from keras_ft.export.saved_model import write_saved_model
from keras_ft.export.verify import Verification, record_expected
from keras_ft.export.version import version_folder, write_version
from keras_ft.export.warmup import write_warmup_requests
from keras_ft.paths import AnyPath
from keras_ft.run_folder import RunFolder
from keras_ft.search.expected import expected_search
from keras_ft.search.index import read_index
from keras_ft.search.items import ItemsFile
from keras_ft.search.vectors import TextVectors
from keras_ft.shown import to_stderr
from keras_ft.tasks.answering import AnsweringTask
from keras_ft.tasks.language import LanguageTask
from keras_ft.tasks.model import TrainedModel, load_model
from keras_ft.tasks.samples import read_samples

DTYPES = ("float32", "bfloat16")


def export(
    run: AnyPath,
    to: AnyPath,
    version: int | None = None,
    dtype: str = "float32",
    top_k: int | None = None,
    items: ItemsFile | None = None,
    tell: Callable[[str], None] = to_stderr,
) -> tuple[str, Verification]:
    """Write, verify and only then name a version, so that a server that watches the folder never sees half of one.

    In an object store, which cannot rename a folder, `saved_model.pb` is written last: without it TF Serving cannot
    load the version and tries again.

    Args:
        run: a finished run folder.
        to: `MODELS/NAME`; its last part is the name the model is served under.
        version: number of the version; the next free one if not given.
        dtype: `float32` or `bfloat16`.
        top_k: how many labels an answer lists; see `Task.answer`.
        items: texts that the signature `search` of an embedding model searches; without them it has none.
        tell: is given a line for the user.

    Returns:
        The version's folder and what verification found.

    Raises:
        RequestError: the run is not finished, the version exists, or an argument is wrong.
        WorkError: the export does not verify; nothing is left behind.
    """
    check_dtype(dtype)
    if top_k is not None and top_k < 1:
        raise RequestError(f"--top-k {top_k} should be at least 1")
    version_folder(to, version)
    source = RunFolder.opened(run)
    trained = load_model(source.model)
    vectors_of = TextVectors(trained, run, dtype) if items else None
    index = read_index(vectors_of, items, tell) if vectors_of and items else None

    def write(folder: Path, model_name: str) -> None:
        write_saved_model(trained, folder, dtype, top_k, index)
        samples = read_samples(source.model, trained.task)
        others = {"search": {"text": samples["text"][:1], "k": [-1]}} if index else {}
        write_warmup_requests(folder, model_name, trained.task, samples, others)
        copy_reference(source.model, folder, top_k)
        searched = partial(expected_search, vectors_of, index) if vectors_of and index else None
        _record_answers(trained, folder, dtype, top_k, samples, searched)

    return write_version(to, version, write)


def check_dtype(dtype: str) -> None:
    """Refuse what is no dtype of exports."""
    if dtype not in DTYPES:
        raise RequestError(f"--dtype {dtype} is unknown; known: {', '.join(DTYPES)}")


def _record_answers(
    trained: TrainedModel,
    folder: Path,
    dtype: str,
    top_k: int | None,
    samples: dict[str, list],
    searched: Callable[[list[str]], tuple[dict[str, list], dict[str, list]]] | None,
) -> None:
    """What the Python model says to the run's sample texts and to hard ones."""
    task = trained.task
    if isinstance(task, LanguageTask):
        record_expected(folder, dtype, *expected_texts(trained, task, dtype, samples))
        return
    assert isinstance(task, AnsweringTask)
    requests, expected, decisions = expected_answers(trained, task, dtype, top_k, samples)
    if searched:
        requests["search"], expected["search"] = searched(requests["serving_default"]["text"])
    record_expected(folder, dtype, requests, expected, decisions)
