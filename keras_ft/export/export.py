"""`keras-ft export`: a run → a verified SavedModel version with warm-up requests."""

import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import tensorflow as tf

from keras_ft.errors import RequestError, WorkError
from keras_ft.export.expected import expected_answers, expected_texts
from keras_ft.export.saved_model import write_saved_model
from keras_ft.export.verify import Verification, record_expected, verify
from keras_ft.export.warmup import write_warmup_requests
from keras_ft.paths import AnyPath, child_folders, is_remote, push, working_folder
from keras_ft.run_folder import RunFolder
from keras_ft.search.expected import expected_search
from keras_ft.search.index import SearchIndex, read_index
from keras_ft.search.items import ItemsFile
from keras_ft.search.vectors import TextVectors
from keras_ft.shown import to_stderr
from keras_ft.tasks.base import AnsweringTask
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
    if dtype not in DTYPES:
        raise RequestError(f"--dtype {dtype} is unknown; known: {', '.join(DTYPES)}")
    if top_k is not None and top_k < 1:
        raise RequestError(f"--top-k {top_k} should be at least 1")
    target = version_folder(to, version)
    source = RunFolder.opened(run)
    trained = load_model(source.model)
    vectors_of = TextVectors(trained, run, dtype) if items else None
    index = read_index(vectors_of, items, tell) if vectors_of and items else None
    here = working_folder(to) if is_remote(to) else Path(to)
    try:
        here.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--to {to} cannot be written ({error.strerror}); give another folder") from None
    number = target.rsplit("/", 1)[-1]
    scratch = here / f".exporting-{number}-{os.getpid()}"
    try:
        _write(trained, scratch, dtype, top_k, index)
        samples = read_samples(source.model, trained.task)
        others = {"search": {"text": samples["text"][:1], "k": [-1]}} if index else {}
        write_warmup_requests(scratch, _name(to), trained.task, samples, others)
        searched = partial(expected_search, vectors_of, index) if vectors_of and index else None
        _record_answers(trained, scratch, dtype, top_k, samples, searched)
        found = verify(scratch)
        if is_remote(to):
            push(scratch, target, last=["saved_model.pb"])
        else:
            _publish(scratch, Path(target))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target, found


def _write(trained: TrainedModel, scratch: Path, dtype: str, top_k: int | None, index: SearchIndex | None) -> None:
    try:
        write_saved_model(trained, scratch, dtype, top_k, index)
    except (OSError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WorkError(f"{scratch.parent} cannot be written ({reason}); check its rights and the free space") from None


def _publish(scratch: Path, target: Path) -> None:
    try:
        scratch.rename(target)
    except OSError:
        raise RequestError(f"{target} was written by another process meanwhile; export again") from None


def version_folder(to: AnyPath, version: int | None = None) -> str:
    """Where a version would be written.

    Args:
        to: `MODELS/NAME`.
        version: its number; the next free one if not given.

    Raises:
        RequestError: `to` cannot be a model's folder, or the version exists.
    """
    if not re.fullmatch(r"[\w.-]+", _name(to)) or _name(to).isdigit():
        raise RequestError(f"{to} should end in the model's name (letters, digits, '_', '-', '.'; not only digits)")
    return f"{os.fspath(to).rstrip('/')}/{_free_version(to, version)}"


def _name(to: AnyPath) -> str:
    return os.fspath(to).rstrip("/").rsplit("/", 1)[-1] if is_remote(to) else Path(to).resolve().name


def _free_version(to: AnyPath, version: int | None) -> int:
    if not is_remote(to) and Path(to).exists() and not Path(to).is_dir():
        raise RequestError(f"--to {to} is a file; give a folder")
    taken = {int(name) for name in child_folders(to) if name.isascii() and name.isdecimal()}
    if version is None:
        return max(taken, default=0) + 1
    if version < 1:
        raise RequestError(f"--version {version} should be at least 1")
    if version in taken:
        taken_by = f"{os.fspath(to).rstrip('/')}/{version}"
        raise RequestError(f"{taken_by} exists; give another --version (next free: {max(taken) + 1})")
    return version


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
