"""`keras-ft index`: the vectors of a file's texts, for engines that search more of them than an export does.

FOLDER/vectors.npy   (items, hidden) float32 of length 1; faiss, ScaNN and numpy read it
FOLDER/items.jsonl   {"id": …, "text": …}, a line an item, in the order of the vectors
FOLDER/index.hnsw    hnswlib's index over their inner products, if it is wanted; labels are numbers of items
FOLDER/index.json    counts, and what the vectors are of; written last: without it the folder holds nothing
"""

import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from keras_ft.data.npy import NpyWriter
from keras_ft.data.progress import tracked
from keras_ft.errors import RequestError
from keras_ft.paths import AnyPath, is_remote, write_whole
from keras_ft.run_folder import RunFolder
from keras_ft.search.items import ItemsFile
from keras_ft.search.vectors import TextVectors
from keras_ft.shown import to_stderr
from keras_ft.tasks.model import load_model

# Malkov & Yashunin 2016, arXiv:1603.09320: links an item, and how many candidates are kept while building.
LINKS, CANDIDATES = 16, 200


def write_index_folder(
    run: AnyPath, source: ItemsFile, to: AnyPath, hnsw: bool = False, tell: Callable[[str], None] = to_stderr
) -> dict[str, Any]:
    """Write vectors and items; memory does not grow with the file, but for the ids and the HNSW index.

    Args:
        run: a finished embedding run.
        source: the texts.
        to: a local folder, absent or empty.
        hnsw: whether to build an HNSW index.
        tell: is given a line for the user.

    Returns:
        What `index.json` holds, and `folder`.

    Raises:
        RequestError: the run has no vectors, the folder is taken, a row is wrong, or hnswlib is not installed.
    """
    if is_remote(to):
        raise RequestError(f"--to {to} is in an object store; give a local folder, and copy it there")
    folder = Path(to)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"--to {to} is there already; give a folder that is absent or empty")
    if hnsw and find_spec("hnswlib") is None:
        raise RequestError("--hnsw needs hnswlib; install it with: pip install 'keras-ft[search]'")
    trained = load_model(RunFolder.opened(run).model)
    vectors_of = TextVectors(trained, run)
    scratch = folder.resolve().parent / f".indexing-{folder.resolve().name}-{os.getpid()}"
    try:
        scratch.mkdir(parents=True)
        count = _write(vectors_of, source, scratch, tell)
        if hnsw:
            tell(f"Linking {count:,} vectors")
            _link(scratch)
        made = {"items": count, "dim": vectors_of.dim, "run": os.fspath(run), "source": os.fspath(source.file)}
        write_whole(scratch / "index.json", json.dumps(made, ensure_ascii=False) + "\n")
        if folder.is_dir():
            folder.rmdir()
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {**made, "folder": str(folder)}


def _write(vectors_of: TextVectors, source: ItemsFile, folder: Path, tell: Callable[[str], None]) -> int:
    with (
        NpyWriter(folder / "vectors.npy", np.float32, (vectors_of.dim,)) as vectors,
        (folder / "items.jsonl").open("w", encoding="utf-8") as items_file,
    ):
        for items in tracked(source.read(), "Encoding", tell):
            vectors.append(vectors_of(items.texts))
            for name, text in zip(items.ids, items.texts, strict=True):
                items_file.write(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n")
        return vectors.length


def _link(folder: Path) -> None:
    import hnswlib

    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=LINKS, ef_construction=CANDIDATES, random_seed=0)
    for start in range(0, len(vectors), 8192):
        part = np.asarray(vectors[start : start + 8192])
        index.add_items(part, np.arange(start, start + len(part)))
    index.save_index(str(folder / "index.hnsw"))
