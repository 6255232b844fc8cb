"""The signature `search`, and indexes for larger engines, of a tiny model of English and Chinese sentences."""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.evaluation.predict import predict
from keras_ft.export.export import export
from keras_ft.export.saved_model import write_saved_model
from keras_ft.export.verify import EXPECTED_FILE
from keras_ft.recipe_file import load_recipe
from keras_ft.search import index as index_module
from keras_ft.search.folder import write_index_folder
from keras_ft.search.items import ItemsFile
from keras_ft.search.nearest import NearestVectors
from keras_ft.serving.models.session_model import SessionModel
from keras_ft.serving.status import StatusError
from keras_ft.tasks.model import load_model
from keras_ft.tasks.samples import HARD_TEXTS
from keras_ft.training.train import train
from tests.tiny import BAD, GOOD, write_jsonl, write_recipe

TEXTS = [*GOOD, *BAD, "今天天气真好", "我们去公园吧", "good film", "good film"]  # the last is there twice
IDS = [f"号{i}" if i % 2 else f"n{i}" for i in range(len(TEXTS))]
QUERIES = ["今天好", "great film", "bad", "公园 film"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("embedding")
    recipe = write_recipe(folder, task="embedding", train="{steps: 4, batch_size: 8, learning_rate: 1.0e-3}")
    rows = [{"text_a": f"{text} {i}", "text_b": f"{text} film {i}"} for i, text in enumerate((GOOD + BAD) * 3)]
    write_jsonl(folder / "train.jsonl", rows)
    write_jsonl(folder / "test.jsonl", [{"text_a": "今天好", "text_b": "真好"}, {"text_a": "bad", "text_b": "awful"}])
    train(load_recipe(recipe), folder / "run", tell=lambda line: None)
    return folder / "run"


@pytest.fixture(scope="module")
def texts_file(tmp_path_factory) -> Path:
    rows = [{"name": name, "sentence": text} for name, text in zip(IDS, TEXTS, strict=True)]
    return write_jsonl(tmp_path_factory.mktemp("texts") / "texts.jsonl", rows)


@pytest.fixture(scope="module")
def exported(run, texts_file, tmp_path_factory) -> Path:
    items = ItemsFile(texts_file, "sentence", "name")
    folder, found = export(run, tmp_path_factory.mktemp("models") / "search", items=items, tell=lambda line: None)
    assert found.largest_difference < 1e-5
    return Path(folder)


@pytest.fixture(scope="module")
def served(exported) -> SessionModel:
    return SessionModel(exported)


def vectors_of(model: SessionModel, texts: list[str]) -> np.ndarray:
    return model.predict("embedding", {"text": as_bytes(texts)})["embedding"]


def as_bytes(texts: list[str]) -> np.ndarray:
    return np.array([text.encode() for text in texts], object)


def search(model: SessionModel, texts: list[str], k: list[int]) -> dict[str, np.ndarray]:
    return model.predict("search", {"text": as_bytes(texts), "k": np.array(k, np.int32)})


def test_the_ten_nearest_are_those_of_brute_force(served):
    vectors, queries = vectors_of(served, TEXTS), vectors_of(served, QUERIES)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, rtol=1e-5)
    together = search(served, QUERIES, [-1] * 4)
    for i, text in enumerate(QUERIES):
        scores = vectors @ queries[i]
        order = np.argsort(-scores, kind="stable")[:10]
        alone = search(served, [text], [-1])
        for found in ({name: values[i] for name, values in together.items()}, {n: v[0] for n, v in alone.items()}):
            np.testing.assert_allclose(found["scores"], scores[order], atol=1e-5)
            gaps = np.abs(np.subtract.outer(scores[order], scores)) < 1e-5  # of equal ones any may stand there
            assert all(gaps[rank, IDS.index(name.decode())] for rank, name in enumerate(found["ids"]))
            assert [TEXTS[IDS.index(name.decode())].encode() for name in found["ids"]] == found["texts"].tolist()
            assert len(set(found["ids"])) == 10


def test_each_query_has_its_k_and_an_empty_one_finds_nothing(served):
    found = search(served, ["good", "good", "", "\u200b ", "good", "word " * 99], [2, 0, 5, -1, 99, 1])
    assert found["ids"].shape == (6, len(TEXTS)) == found["scores"].shape == found["texts"].shape
    assert (found["ids"] != b"").sum(axis=1).tolist() == [2, 0, 0, 0, len(TEXTS), 1]
    assert np.array_equal(found["ids"] == b"", found["scores"] == -1)
    assert found["truncated"].tolist() == [False] * 5 + [True]
    none = search(served, [], [])
    assert none["ids"].shape == (0, 0)
    with pytest.raises(StatusError, match="k should be 0 or more, or -1 for the default"):
        search(served, ["a"], [-2])


def test_signatures_are_those_of_the_interface_and_search_is_verified_and_warmed_up(served):
    assert set(served.signatures) == {"serving_default", "embedding", "search"}
    assert set(served.signatures["serving_default"].outputs) == {"embedding", "truncated"}
    assert set(served.signatures["search"].outputs) == {"ids", "texts", "scores", "truncated"}
    assert served.warm_up() == 4
    expected = json.loads((served.folder / EXPECTED_FILE).read_text(encoding="utf-8"))
    assert len(expected["answers"]["search"]["ids"]) == len(expected["requests"]["search"]["text"]) > len(HARD_TEXTS)


def test_an_export_without_an_index_gives_the_vectors_of_the_run(run, tmp_path):
    write_saved_model(load_model(run / "model"), tmp_path / "1", "float32", None)
    model = SessionModel(tmp_path / "1")
    assert set(model.signatures) == {"serving_default", "embedding"}
    texts = [*HARD_TEXTS, *QUERIES]
    expected = [answer["embedding"] for answer in predict(run, texts, None)]
    np.testing.assert_allclose(vectors_of(model, texts), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["clustered", "random", "alike"])
def test_what_is_left_out_by_its_bound_is_not_among_the_nearest(kind):
    """Of one query, vectors are left out unread; the answer is that of all, also where nothing can be left out."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3000, 48))
    if kind == "clustered":
        vectors = vectors * 0.5 ** np.arange(48) + 0.3 * rng.normal(size=(30, 48))[rng.integers(0, 30, 3000)]
    if kind == "alike":
        vectors[:] = vectors[0]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    nearest = NearestVectors(vectors, small=100)
    ask = tf.function(nearest, input_signature=[tf.TensorSpec([None, 48]), tf.TensorSpec([], tf.int32)])
    queries = vectors[:8] + 0.05 * rng.normal(size=(8, 48)).astype(np.float32)
    for k in (1, 10, 3000):
        all_scores, _ = ask(queries, k)
        for i, query in enumerate(queries):
            scores, places = (tensor.numpy()[0] for tensor in ask(query[None], k))
            exact = vectors @ query
            np.testing.assert_allclose(scores, np.sort(exact)[::-1][:k], atol=1e-5)
            np.testing.assert_allclose(exact[places], scores, atol=1e-5)
            np.testing.assert_allclose(all_scores[i], scores, atol=1e-5)
            assert len(set(places.tolist())) == k
    assert ask(queries[:1], 0)[0].shape == (1, 0)


def test_vectors_for_larger_engines_are_those_of_the_export_and_hnsw_finds_the_same(run, served, texts_file, tmp_path):
    hnswlib = pytest.importorskip("hnswlib")
    made = write_index_folder(run, ItemsFile(texts_file, "sentence", "name"), tmp_path / "index", hnsw=True)
    assert (made["items"], made["dim"]) == (len(TEXTS), 32)
    lines = (tmp_path / "index" / "items.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": name, "text": text} for name, text in zip(IDS, TEXTS, strict=True)
    ]
    vectors = np.load(tmp_path / "index" / "vectors.npy")
    np.testing.assert_allclose(vectors, vectors_of(served, TEXTS), atol=1e-5)
    engine = hnswlib.Index(space="ip", dim=32)
    engine.load_index(str(tmp_path / "index" / "index.hnsw"))
    _, distances = engine.knn_query(vectors[:5], k=3)
    np.testing.assert_allclose(1 - distances, np.sort(vectors[:5] @ vectors.T, axis=1)[:, :-4:-1], atol=1e-5)
    with pytest.raises(RequestError, match="is there already"):
        write_index_folder(run, ItemsFile(texts_file, "sentence"), tmp_path / "index")


@pytest.mark.parametrize(
    ("rows", "items", "message"),
    [
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], {"id_column": "id"}, "line 2: the id 'a' is that of .* line 1 too"),
        ([{"id": 1.5, "text": "x"}], {"id_column": "id"}, "line 1: 'id' is 1.5 .a float.; an id is a string or a whole"),
        ([{"text": "x"}, {"text": " "}], {}, "line 2 has no 'text': it is empty"),
        ([{"question": "x"}], {}, "line 1 has no 'text'; its columns are 'question'"),
        ([{"text": "x"}], {"id_column": "id"}, "line 1 has no 'id'"),
        ([], {}, "texts.jsonl holds no records"),
        ([{"text": "x"}] * 5, {}, "has more than 4 texts, .* keras-ft index RUN .* --to FOLDER"),
    ],
)  # fmt: skip
def test_texts_that_cannot_be_searched_are_refused_in_one_line(run, tmp_path, monkeypatch, rows, items, message):
    monkeypatch.setattr(index_module, "MOST_ITEMS", 4)
    file = write_jsonl(tmp_path / "texts.jsonl", rows)
    with pytest.raises(RequestError, match=message) as refused:
        export(run, tmp_path / "models" / "search", items=ItemsFile(file, **items))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "models").exists()


def test_texts_without_ids_are_known_by_their_lines(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("one\n\ntwo 二\n", encoding="utf-8")
    (items,) = ItemsFile(file).read()
    assert (items.ids, items.texts) == (["1", "3"], ["one", "two 二"])


def test_only_an_embedding_run_has_an_index(tiny_run, texts_file, tmp_path):
    with pytest.raises(RequestError, match="is a classification run; an index needs an embedding run"):
        export(tiny_run, tmp_path / "models" / "x", items=ItemsFile(texts_file, "sentence"))


def test_hnsw_without_its_library_says_what_to_install(run, texts_file, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_ft.search.folder.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'keras-ft\[search\]'"):
        write_index_folder(run, ItemsFile(texts_file, "sentence"), tmp_path / "index", hnsw=True)
