"""Milliseconds a query on one core: 100,000 texts in an export of MiniLM, encoding included.

    python benchmarks/search.py

English sentences of ../shared/data are the texts, others of the same sources the queries, asked one by one through a
Session in a process that is bound to one core. Beside the export stands the same one made to read all vectors for every
query. The ten nearest texts are held against numpy's brute force. Encoding takes ten minutes once and is kept in
results/cache/search.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from report import RESULTS, Bar, machine, publish

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SOURCES = {  # folder: the columns of sentences
    "en_intent/banking77": ["text"],
    "en_intent/clinc150": ["text"],
    "pairs/stsb": ["text_a", "text_b"],
    "pairs/mrpc": ["text_a", "text_b"],
    "en_classification/sst2": ["text"],
    "en_classification/ag_news": ["text"],
    "multilabel/goemotions": ["text"],
    "translation/multi30k_en_de": ["src"],
    "translation/tatoeba_en_zh": ["src"],
}
PRESET, MAX_LENGTH = "minilm_l6_en_uncased", 128
K = 10
MOST_MILLISECONDS = 20.0


def main(
    texts: Annotated[int, typer.Option(help="in the index")] = 100_000,
    queries: Annotated[int, typer.Option(help="asked one by one")] = 300,
    core: Annotated[int, typer.Option(help="that answers")] = 0,
) -> None:
    """Measure, print, and write results/search.json."""
    before = machine()
    os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
    found = sentences()
    if len(found) < texts + queries:
        sys.exit(f"{DATA} holds {len(found):,} sentences, fewer than {texts:,} and {queries}")
    indexed, asked = found[:texts], found[texts : texts + queries]
    vectors, of_queries = encoded(indexed + asked, texts)
    scores = of_queries @ vectors.T  # (queries, texts)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, small in {"as exported": None, "all vectors read": len(indexed)}.items():
            folder = write_export(indexed, vectors, Path(scratch) / name, small)
            answers = asked_on_one_core(folder, asked, core)
            rows.append(row(name, answers, scores))
    bars = [
        Bar("milliseconds a query, the median", MOST_MILLISECONDS, rows[0]["median ms"], at_most=True),
        Bar("share of queries whose ten are those of numpy", 1.0, rows[0]["as numpy"]),
    ]
    publish("search", f"Search among {texts:,} texts on one core, encoding included", rows, bars, before)


def sentences() -> list[str]:
    """All different ones, shuffled the same way each time."""
    found: dict[str, None] = {}
    for folder, columns in SOURCES.items():
        for line in (DATA / folder / "train.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            found.update(dict.fromkeys(record[column] for column in columns))
    texts = list(found)
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]


def trained():
    """MiniLM as it comes, under the embedding task."""
    from keras_ft.presets.load import load_pretrained
    from keras_ft.tasks.embedding import Embedding
    from keras_ft.tasks.model import TrainedModel, build_model

    task = Embedding("pairs", "ranking", "retrieval", "mean", MAX_LENGTH)
    pretrained = load_pretrained(PRESET)
    return TrainedModel(task, pretrained, build_model(task, pretrained, seed=0))


def encoded(texts: list[str], split: int) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of the indexed texts and of the queries, from the cache if they are there."""
    from keras_ft.data.progress import tracked
    from keras_ft.search.vectors import TextVectors

    cache = RESULTS / "cache" / "search" / f"{len(texts)}.npy"
    if not cache.is_file():
        vectors_of = TextVectors(trained(), PRESET)
        chunks = [texts[start : start + 2048] for start in range(0, len(texts), 2048)]
        passing = tracked(chunks, "Encoding", lambda line: print(line, file=sys.stderr), len(texts))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, np.concatenate([vectors_of(chunk) for chunk in passing]))
    vectors = np.load(cache)
    return vectors[:split], vectors[split:]


def write_export(texts: list[str], vectors: np.ndarray, folder: Path, small: int | None) -> Path:
    """A SavedModel with the index; with `small` as many vectors as are read for every query."""
    from keras_ft.export.saved_model import write_saved_model
    from keras_ft.search.index import SearchIndex
    from keras_ft.search.items import Items
    from keras_ft.search.nearest import SMALL

    index = SearchIndex(Items([str(i) for i in range(len(texts))], texts), vectors, SMALL if small is None else small)
    write_saved_model(trained(), folder, "float32", None, index)
    return folder


def asked_on_one_core(folder: Path, queries: list[str], core: int) -> dict[str, list]:
    """Milliseconds, ids and scores of each query, by a process of its own."""
    script = Path(__file__).with_name("search_session.py")
    command = ["taskset", "--cpu-list", str(core), sys.executable, str(script), str(folder), str(K)]
    done = subprocess.run(command, input=json.dumps(queries), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def row(name: str, answers: dict[str, list], scores: np.ndarray) -> dict:
    """The figures of one export; where scores are as good as equal, either text may stand first."""
    milliseconds = np.array(answers["milliseconds"])
    best = -np.sort(-scores, axis=1)[:, :K]
    said, ids = np.array(answers["scores"]), np.array(answers["ids"], int)
    own = np.take_along_axis(scores, ids, axis=1)
    alike = (np.abs(said - best) < 1e-5).all(axis=1) & (np.abs(own - best) < 1e-5).all(axis=1)
    return {
        "export": name,
        "median ms": float(np.median(milliseconds)),
        "90 % within ms": float(np.quantile(milliseconds, 0.9)),
        "fastest ms": float(milliseconds.min()),
        "of it encoding ms": float(np.median(answers["encoding"])),
        "as numpy": float(alike.mean()),
    }


if __name__ == "__main__":
    typer.run(main)
