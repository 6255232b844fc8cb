import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.tasks.embedding import Embedding
from keras_ft.tasks.embedding_metrics import EmbeddingMetrics, crowding, ranks
from keras_ft.tasks.embedding_options import EmbeddingOptions
from keras_ft.tasks.embedding_rows import text_keys
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer
from tests.tiny import TOKENS

PAIRS = {"text_a": ["今天真好", "good film", "bad"], "text_b": ["天气好", "great film", "awful"]}
SCORED = {**PAIRS, "label": [5.0, 4.0, 0.5]}
TRIPLETS = {**PAIRS, "text_c": ["很差", "awful", "good"]}
TEXTS = {"text": ["今天真好", "good film", "bad"]}


def rows(columns: dict[str, list]) -> Rows:
    return Rows(columns, list(range(1, 1 + len(next(iter(columns.values()))))), "train.jsonl")


def task_of(columns: dict[str, list], **options) -> Embedding:
    return Embedding.from_data([rows(columns)], EmbeddingOptions(**options), None, 16)


def batch_of(task: Embedding, columns: dict[str, list], places: int) -> tuple[TokenBatch, np.ndarray]:
    """A batch with targets, and vectors `(examples, places, hidden)`; one token a sequence."""
    count = len(next(iter(columns.values())))
    batch = TokenBatch.from_lengths(
        np.zeros(count * places, "int32"), np.ones(count * places, "int32"), counts=np.full(count, places, "int32")
    )
    batch.features.update(task.targets(rows(columns)))
    return batch, np.random.default_rng(0).normal(size=(count, places, 8)).astype("float32")


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one / np.linalg.norm(one, axis=-1, keepdims=True)) @ (
        other / np.linalg.norm(other, axis=-1, keepdims=True)
    ).T


def ranking(anchors: np.ndarray, candidates: np.ndarray, allowed: list[list[int]], scale: float = 20.0) -> list[float]:
    """−log softmax of each anchor's own candidate among those that are allowed."""
    logits = scale * cosines(anchors, candidates).astype(np.float64)
    return [np.log(np.exp(logits[i, some]).sum()) - logits[i, i] for i, some in enumerate(allowed)]


@pytest.mark.parametrize(
    ("labels", "options", "wanted"),
    [
        ([1.0, 3.0, 5.0], {}, [0.0, 0.5, 1.0]),
        ([1.0, 3.0, 5.0], {"label_range": [0, 5]}, [0.2, 0.6, 1.0]),
        ([-1.0, 0.5, 3.0], {}, [-1.0, -0.25, 1.0]),
    ],
)
def test_cosines_learn_the_labels_on_the_scale_of_the_training_data(labels, options, wanted):
    columns = {**PAIRS, "label": labels}
    task = task_of(columns, **options)
    batch, vectors = batch_of(task, columns, 2)
    losses, weights = task.loss({"vectors": vectors.reshape(-1, 8)}, batch)
    found = np.diagonal(cosines(vectors[:, 0], vectors[:, 1]))
    np.testing.assert_allclose(losses, (found - wanted) ** 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(task.evaluation_loss({"vectors": vectors.reshape(-1, 8)}, batch)[0], losses)
    assert float(task.divisor(batch)) == float(tf.reduce_sum(weights)) == 3
    assert Embedding(**task.to_json()).to_json() == task.to_json()


def test_ranking_holds_an_anchor_against_the_other_partners():
    task = task_of(PAIRS, scale=7.0)
    batch, vectors = batch_of(task, PAIRS, 2)
    losses, _ = task.loss({"vectors": vectors.reshape(-1, 8)}, batch)
    np.testing.assert_allclose(
        losses, ranking(vectors[:, 0], vectors[:, 1], [[0, 1, 2]] * 3, 7.0), rtol=1e-5, atol=1e-6
    )
    alone, _ = task.evaluation_loss({"vectors": vectors.reshape(-1, 8)}, batch)
    np.testing.assert_allclose(alone, 1 - np.diagonal(cosines(vectors[:, 0], vectors[:, 1])), rtol=1e-5, atol=1e-6)


def test_what_is_a_partner_too_is_no_negative():
    columns = {"text_a": ["a", "b", "a", "c", "d"], "text_b": ["x", "x", "y", "z", "c"]}
    task = task_of(columns)
    batch, vectors = batch_of(task, columns, 2)
    # 1 has the partner of 0, 2 the text of 0; 4's partner is 3's own text; row 4 itself is held against all
    allowed = [[0, 3, 4], [1, 2, 3, 4], [2, 1, 3, 4], [3, 0, 1, 2], [4, 0, 1, 2, 3]]
    losses, _ = task.loss({"vectors": vectors.reshape(-1, 8)}, batch)
    np.testing.assert_allclose(losses, ranking(vectors[:, 0], vectors[:, 1], allowed), rtol=1e-5, atol=1e-6)


def test_examples_that_only_fill_up_are_no_negatives():
    task = task_of(PAIRS)
    batch, vectors = batch_of(task, PAIRS, 2)
    filled = TokenBatch(**{**vars(batch), "example_weights": np.array([1, 1, 0], "float32")})
    losses, weights = task.loss({"vectors": vectors.reshape(-1, 8)}, filled)
    np.testing.assert_allclose(losses[:2], ranking(vectors[:2, 0], vectors[:, 1], [[0, 1]] * 2), rtol=1e-5, atol=1e-6)
    assert float(task.divisor(filled)) == 2
    assert np.isfinite(losses).all()
    assert weights[2] == 0


def test_ranking_holds_an_anchor_against_all_negatives_that_are_not_its_partner():
    columns = {**TRIPLETS, "text_c": ["great film", "很差", "today"]}
    task = task_of(columns)
    batch, vectors = batch_of(task, columns, 3)
    candidates = np.concatenate([vectors[:, 1], vectors[:, 2]])
    allowed = [[0, 1, 2, 3, 4, 5], [0, 1, 2, 4, 5], [0, 1, 2, 3, 4, 5]]  # 3 is the text that 1 should find
    losses, _ = task.loss({"vectors": vectors.reshape(-1, 8)}, batch)
    np.testing.assert_allclose(losses, ranking(vectors[:, 0], candidates, allowed), rtol=1e-5, atol=1e-6)


def test_triplets_are_apart_by_the_margin():
    task = task_of(TRIPLETS, loss="triplet", margin=0.3)
    batch, vectors = batch_of(task, TRIPLETS, 3)
    losses, _ = task.loss({"vectors": vectors.reshape(-1, 8)}, batch)
    near, far = (np.diagonal(cosines(vectors[:, 0], vectors[:, k])) for k in (1, 2))
    np.testing.assert_allclose(losses, np.maximum(0.3 + far - near, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(task.evaluation_loss({"vectors": vectors.reshape(-1, 8)}, batch)[0], losses)


def test_simcse_tells_a_text_from_the_others_and_not_from_its_double():
    columns = {"text": ["a", "b", "a"]}
    task = task_of(columns)
    batch, vectors = batch_of(task, columns, 2)
    losses, _ = task.loss({"vectors": vectors.reshape(-1, 8)}, batch)
    np.testing.assert_allclose(
        losses, ranking(vectors[:, 0], vectors[:, 1], [[0, 1], [0, 1, 2], [1, 2]]), rtol=1e-5, atol=1e-6
    )


def test_gradients_are_finite_at_vectors_of_zeros():
    task = task_of(PAIRS)
    batch, _ = batch_of(task, PAIRS, 2)
    vectors = tf.zeros([6, 8])
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        loss = tf.reduce_sum(task.loss({"vectors": vectors}, batch)[0])
    assert np.isfinite(loss)
    assert np.isfinite(tf.convert_to_tensor(tape.gradient(loss, vectors))).all()


@pytest.fixture(scope="module")
def tokenizer() -> WordPieceTokenizer:
    return WordPieceTokenizer(Vocabulary(TOKENS))


def features(task: Embedding, tokenizer: WordPieceTokenizer, columns: dict[str, list]):
    count = len(next(iter(columns.values())))
    given = {name: [value or "" for value in columns.get(name, [""] * count)] for name in task.feature_columns}
    return task.features(tokenizer, {name: tf.constant(values) for name, values in given.items()})


@pytest.mark.parametrize(
    ("columns", "counts"), [(SCORED, [2, 2, 2]), (PAIRS, [2, 2, 2]), (TRIPLETS, [3, 3, 3]), (TEXTS, [2, 2, 2])]
)
def test_each_text_of_an_example_is_a_sequence_as_a_request_has_it(tokenizer, columns, counts):
    task = task_of(columns)
    found = features(task, tokenizer, columns)
    assert found.counts.numpy().tolist() == counts
    texts = [columns[name] for name in task.feature_columns if name in columns]
    texts = texts * 2 if len(texts) == 1 else texts
    alone = task.features(tokenizer, {"text": tf.constant([text for row in zip(*texts, strict=True) for text in row])})
    assert found.ids.to_list() == alone.ids.to_list()
    assert alone.counts is None


def test_an_example_is_truncated_where_one_of_its_texts_is(tokenizer):
    columns = {"text_a": ["good", "good", "very " * 20], "text_b": ["film", "film " * 20, "film"]}
    assert features(task_of(columns), tokenizer, columns).truncated.numpy().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text_a": "a", "text": "b"}, "train.csv line 3 has 'text' and 'text_a'"),
        ({"text_b": "b"}, "train.csv line 3 has neither 'text' nor 'text_a'"),
        ({"text_a": "a", "label": 1}, "has 'label' but no 'text_b'"),
        ({"text_a": "a", "text_c": "c"}, "has 'text_c' but no 'text_b'"),
        ({"text_a": "a", "text_b": "b", "text_c": "c", "label": 1}, "has 'text_c' and 'label'"),
        ({"text_a": "a", "text_b": "b", "label": "much"}, "the label is no finite number ('much')"),
        ({"text_a": "a", "text_b": "b", "label": float("nan")}, "the label is no finite number"),
        ({"text_a": "a", "text_b": "b", "label": True}, "the label is no finite number"),
    ],
)
def test_a_malformed_row_is_refused_by_its_line(row, message):
    values = dict.fromkeys(Embedding.reads()) | row
    with pytest.raises(RequestError) as refused:
        Embedding.read_row(values, "train.csv line 3")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_labels_of_csv_are_numbers():
    values = dict.fromkeys(Embedding.reads()) | {"text_a": "a", "text_b": "b", "label": "2.5"}
    assert Embedding.read_row(values, "")["label"] == 2.5


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"text_a": ["a", "b"], "text_b": ["c", None]}, {}, "line 2 has text alone; train.jsonl line 1, the first row"),
        (PAIRS, {"loss": "cosine"}, "loss cosine learns from rows with text_a, text_b and label"),
        (
            SCORED,
            {"loss": "ranking"},
            "those of data.train have text_a, text_b and label, for which the loss can be cos",
        ),
        ({**PAIRS, "label": [2.0] * 3}, {}, "all training rows have the label 2"),
        (PAIRS, {"measure": "similarity"}, "rows with text_a and text_b measure retrieval, not similarity"),
    ],
)
def test_training_rows_that_do_not_suit_are_refused(columns, options, message):
    with pytest.raises(RequestError, match=message):
        task_of(columns, **options)


def test_other_splits_have_the_columns_of_training_or_of_what_is_measured():
    task = task_of(TEXTS, measure="similarity")
    assert task.main_metric == "spearman"
    np.testing.assert_array_equal(task.targets(rows(SCORED))["label"], np.array(SCORED["label"], "float32"))
    assert np.isnan(task.targets(rows(TEXTS))["label"]).all()
    with pytest.raises(RequestError, match="line 1 has text_a and text_b; the model learns from rows with text alone"):
        task.targets(rows(PAIRS))
    metrics = task.metrics()
    metrics.update({"similarity": np.zeros(3)}, task.targets(rows(TEXTS)))
    with pytest.raises(RequestError, match="similarity is measured on rows with"):
        metrics.result()


def brute_force_ranks(anchors, partners, texts_a, texts_b):
    unique = {text: i for i, text in reversed(list(enumerate(texts_b)))}
    scores = cosines(anchors, partners)
    found = []
    for i, (a, b) in enumerate(zip(texts_a, texts_b, strict=True)):
        partners_of_a = {other for text, other in zip(texts_a, texts_b, strict=True) if text == a}
        rivals = [scores[i, j] for text, j in unique.items() if text not in partners_of_a]
        found.append(1 + sum(score >= scores[i, unique[b]] for score in rivals))
    return found


def test_ranks_are_among_all_different_partners_whatever_is_computed_at_once(monkeypatch):
    rng = np.random.default_rng(1)
    texts_a = [f"a{i}" for i in rng.integers(0, 20, 60)]
    texts_b = [f"乙{i}" for i in rng.integers(0, 30, 60)]
    vector_of = {text: rng.normal(size=6) for text in {*texts_a, *texts_b}}
    anchors, partners = (np.array([vector_of[text] for text in texts], np.float32) for texts in (texts_a, texts_b))
    columns = {
        "embedding": anchors,
        "positive": partners,
        "text_key": text_keys(rows({"text_a": texts_a, "text_b": texts_b}), twice=False),
    }
    expected = brute_force_ranks(anchors, partners, texts_a, texts_b)
    assert max(expected) > 10
    assert ranks(columns).tolist() == expected
    monkeypatch.setattr("keras_ft.tasks.embedding_metrics.AT_ONCE", 100)
    assert ranks(columns).tolist() == expected
    metrics = EmbeddingMetrics("retrieval", triplets=False)
    for part in (slice(0, 7), slice(7, 60)):
        metrics.update(
            {n: columns[n][part] for n in ("embedding", "positive")}, {"text_key": columns["text_key"][part]}
        )
    expected = np.array(expected)
    assert metrics.result() == pytest.approx(
        {"recall_at_1": (expected == 1).mean(), "recall_at_10": (expected <= 10).mean(), "mrr": (1 / expected).mean()}
    )


def test_a_model_whose_vectors_are_all_alike_finds_nothing():
    keys = text_keys(rows({"text_a": list("abcd"), "text_b": list("efgh")}), twice=False)
    same = np.ones((4, 3), np.float32)
    assert ranks({"embedding": same, "positive": same, "text_key": keys}).tolist() == [4] * 4


def test_uniformity_is_that_of_wang_and_isola():
    vectors = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    squares = ((unit[:, None] - unit[None]) ** 2).sum(-1)[~np.eye(40, dtype=bool)]
    metrics = EmbeddingMetrics("uniformity", triplets=False)
    metrics.update({"embedding": vectors}, {})
    assert metrics.result()["uniformity"] == pytest.approx(np.log(np.exp(-2 * squares).mean()), rel=1e-5)
    assert crowding(vectors).shape == (40,)


def test_similarity_is_measured_by_scipy_and_undefined_is_zero():
    from scipy.stats import spearmanr

    label, cosine = np.arange(9.0), np.array([0, 2, 1, 3, 3, 5, 4, 8, 7.0])
    metrics = EmbeddingMetrics("similarity", triplets=False)
    metrics.update({"similarity": cosine}, {"label": label})
    assert metrics.result()["spearman"] == pytest.approx(spearmanr(label, cosine).statistic)
    flat = EmbeddingMetrics("similarity", triplets=False)
    flat.update({"similarity": np.ones(9)}, {"label": label})
    assert flat.result() == {"spearman": 0.0, "pearson": 0.0}
