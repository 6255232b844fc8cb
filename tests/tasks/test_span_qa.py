"""Windows, targets, answers and thresholds of span_qa, against plain statements of what they should be."""

import json
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.tasks.encode import Encoder, read_examples
from keras_ft.tasks.registry import load_task, save_task
from keras_ft.tasks.span_qa import SpanQA
from keras_ft.tasks.span_qa_metrics import choose_threshold
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer
from tests.tiny import TOKENS, tiny_byte_pair, write_jsonl
from tests.tiny_qa import best_of, question_rows

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


def task(**changes) -> SpanQA:
    return SpanQA(**{"max_length": 16, "stride": 4, "max_question_length": 6, "max_answer_length": 4, **changes})


@pytest.fixture(scope="module")
def tokenizer() -> WordPieceTokenizer:
    return WordPieceTokenizer(Vocabulary(TOKENS))


@pytest.fixture(scope="module", params=["word pieces", "byte pairs"])
def ask(request, tokenizer, tmp_path_factory):
    """Answers by random logits, for questions and contexts: sequences, logits, and what `answer` says."""
    qa = task()
    if request.param == "byte pairs":
        folder = tiny_byte_pair(tmp_path_factory.mktemp("bpe"))
        plain = BytePairVocabulary.from_files(folder / "vocab.json", folder / "merges.txt")
        plain = plain.with_added_tokens(["<s>", "</s>"])
        tokenizer = BytePairTokenizer(
            BytePairVocabulary(plain.tokens, plain.merges, {"start": "<s>", "end": "</s>"})
        )  # frames with four tokens

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2, autograph=False)
    def answered(question: tf.Tensor, context: tf.Tensor):
        columns = {"question": question, "context": context}
        found = qa.features(tokenizer, columns)
        batch = TokenBatch.from_lengths(
            found.ids.flat_values,
            found.ids.row_lengths(),
            found.segments.flat_values,
            found.counts,
            found.window_start,
            found.features,
        )
        logits = tf.random.stateless_normal([tf.shape(batch.ids)[0], 2], [1, 2])
        sequences = {"splits": found.ids.row_splits, "counts": found.counts, **found.features}
        return (
            sequences,
            logits,
            qa.answer({"logits": logits}, batch, columns),
            qa.answer({"logits": logits}, batch, {}),
        )

    return lambda questions, contexts: answered(tf.constant(questions, tf.string), tf.constant(contexts, tf.string))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS | st.just("the film 电影 " * 30)), min_size=1, max_size=4))
def test_every_answer_is_what_stands_at_its_offsets_and_the_best_of_all_spans(ask, pairs):
    questions, contexts = zip(*pairs, strict=True)
    found, logits, answers, spans = ask(list(questions), list(contexts))
    answers = {name: tensor.numpy() for name, tensor in answers.items()}
    splits, counts = found["splits"].numpy(), found["counts"].numpy()
    places = np.stack([found["start"], found["end"]], axis=1)
    windows = [(logits.numpy()[a:b], places[a:b]) for a, b in pairwise(splits)]
    first = 0
    for i, context in enumerate(contexts):
        expected = best_of(windows[first : first + counts[i]], 4)
        first += counts[i]
        for name in ("start", "end", "score", "no_answer_score"):
            assert answers[name][i] == pytest.approx(expected[name], rel=1e-5)
        start, end = answers["start"][i], answers["end"][i]
        assert answers["answer"][i].decode() == (context[start:end] if start >= 0 else "")
        assert start == -1 or start < end
    assert first == len(windows)
    np.testing.assert_array_equal(spans["best_start"], answers["start"])


@pytest.mark.parametrize("words", [0, 1, 9, 10, 11, 57])
def test_windows_hold_the_whole_context_each_behind_the_question(tokenizer, words):
    context = " ".join(["film", "great", "the", "is", "was", "this"][i % 6] for i in range(words))
    columns = {"question": tf.constant(["is this good?"]), "context": tf.constant([context])}
    found = task().features(tokenizer, columns)
    ids, starts = found.ids.to_list(), found.features["start"].numpy()
    question = tokenizer.tokenize(columns["question"]).to_list()[0]
    whole = tokenizer.tokenize(columns["context"]).to_list()[0]
    seen: dict[int, int] = {}
    for number, sequence in enumerate(ids):
        assert sequence[:6] == [2, *question, 3]
        assert sequence[-1] == 3
        assert len(sequence) <= 16
        begin = int(found.window_start[number])
        seen |= {begin + i: token for i, token in enumerate(sequence[6:-1])}
        assert number == len(ids) - 1 or len(sequence) == 16
    assert [seen[i] for i in range(len(whole))] == whole
    assert found.counts.numpy().tolist() == [len(ids)]
    steps = np.diff(found.window_start.numpy())
    assert (steps == 5).all()  # of nine tokens of a context four are shared
    segments = np.concatenate([[0] * 6 + [1] * (len(s) - 6) for s in ids])
    np.testing.assert_array_equal(found.segments.flat_values, segments)
    context_tokens = np.concatenate([[False] * 6 + [True] * (len(s) - 7) + [False] for s in ids])
    np.testing.assert_array_equal(starts >= 0, context_tokens)
    assert not found.truncated.numpy().any()


def test_a_long_question_is_cut_and_told_and_leaves_half_to_the_context(tokenizer):
    columns = {"question": tf.constant(["is this " * 40, "good?"]), "context": tf.constant(["the film"] * 2)}
    for limit, kept in ((5, 5), (50, 6)):
        found = task(max_question_length=limit).features(tokenizer, columns)
        assert found.truncated.numpy().tolist() == [True, False]
        assert found.segments.to_list()[0].count(0) == kept + 2
        assert len(found.ids.to_list()[0]) == kept + 2 + 2 + 1


def test_a_stride_as_long_as_a_window_leaves_a_quarter_of_each_new(tokenizer):
    columns = {"question": tf.constant(["good?"]), "context": tf.constant(["the film " * 50])}
    found = task(stride=1000).features(tokenizer, columns)
    assert set(np.diff(found.window_start.numpy())) == {3}  # room is 11


def encoded(tokenizer, rows: list[dict], qa: SpanQA) -> dict[str, np.ndarray]:
    columns = {name: [row[name] for row in rows] for name in ("question", "context")}
    columns["answers"] = [SpanQA.read_row({"is_impossible": None, **row}, "row 1")["answers"] for row in rows]
    return Encoder(qa, tokenizer)(Rows(columns, list(range(1, len(rows) + 1)), "a.jsonl"))


def test_targets_are_in_the_windows_that_hold_the_whole_answer(tokenizer):
    rows = question_rows(40, longest=40)
    wide = "film the great is was"  # five tokens, which some windows hold only in part
    context = f"{'bad ' * 7}{wide}{' bad' * 9}"
    rows.append({"question": "good?", "context": context, "answers": [{"text": wide, "answer_start": 28}]})
    chunk = encoded(tokenizer, rows, task())
    ends = np.cumsum(chunk["lengths"])
    example = np.repeat(np.arange(len(rows)), chunk["sequences"])
    held, partly = np.zeros(len(rows), int), 0
    for i, (begin, end) in enumerate(zip(ends - chunk["lengths"], ends, strict=True)):
        row, place = rows[example[i]], (chunk["start"][begin:end], chunk["end"][begin:end])
        first, last = int(chunk["answer_start"][i]), int(chunk["answer_end"][i])
        if first:
            found = row["context"][place[0][first] : place[1][last]]
            assert found == row["answers"][0]["text"]
            held[example[i]] += 1
        else:
            assert last == 0
            inside = place[0] >= 0
            if row["answers"]:
                a = row["answers"][0]["answer_start"]
                b = a + len(row["answers"][0]["text"])
                overlaps = (place[0][inside].max() >= a) and (place[1][inside].min() < b)
                assert not (place[0][inside].min() <= a and b <= place[1][inside].max())
                partly += bool(overlaps and ((place[0][inside] < b) & (place[1][inside] > a)).any())
    assert partly
    assert [bool(n) for n in held] == [bool(row["answers"]) for row in rows]
    assert json.loads(chunk["answers"][0]) == [rows[0]["answers"][0]["text"]]
    assert chunk["context"] == [row["context"] for row in rows]


def test_an_answer_without_a_token_of_its_own_is_learned_as_none(tokenizer):
    row = {"question": "good?", "context": "bad \u200b\u200b film", "answers": [{"text": "\u200b", "answer_start": 4}]}
    chunk = encoded(tokenizer, [row], task())
    assert chunk["answer_start"].tolist() == chunk["answer_end"].tolist() == [0]


def row(**changes) -> dict:
    return {"question": "who?", "context": "The Normans came.", **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answers": [{"text": "Normans", "answer_start": 5}]}, "not at its answer_start .*'ormans ' is, and is at 4"),
        ({"answers": {"text": ["Franks"], "answer_start": [4]}}, "not at its answer_start .* and is nowhere"),
        ({"answers": {"text": ["Normans"], "answer_start": [-1]}}, "starts outside the context .*at -1 of 17"),
        ({"answers": {"text": ["came"], "answer_start": [17]}}, "starts outside the context"),
        ({"answers": {"text": ["The  Normans"], "answer_start": [0]}}, "differ in white space"),
        ({"answers": {"text": ["The"], "answer_start": []}}, "lacks as many 'answer_start'"),
        ({"answers": {"text": [" "], "answer_start": [3]}}, "text of an answer is empty"),
        ({"answers": {"text": ["The"], "answer_start": ["0"]}}, "no whole number"),
        ({"answers": "The"}, "'answers' is no answers"),
        ({"answers": [], "is_impossible": False}, "no answers, but 'is_impossible' is false"),
        ({"answers": [{"text": "The", "answer_start": 0}], "is_impossible": True}, "there are answers"),
        ({"answers": [], "context": 7}, "'context' is a number"),
        ({"answers": [], "question": " "}, "has no 'question'"),
        ({}, "has no 'answers'"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(tmp_path, changes, message):
    from keras_ft.data.readers import find_sources

    good = row(answers={"text": ["Normans", "The Normans"], "answer_start": [4, 0]}, is_impossible=False)
    path = write_jsonl(tmp_path / "a.jsonl", [good, row(**changes), row(answers=[]), row(answers=[], is_impossible=1)])
    sources = find_sources(path)
    with pytest.raises(RequestError, match=rf"a\.jsonl line 2:? .*{message}"):
        list(read_examples(SpanQA, sources, {}))
    skipped: list[RequestError] = []
    (rows,) = read_examples(SpanQA, sources, {}, skipped.append)
    assert rows.lines == [1, 3, 4]
    assert len(skipped) == 1
    assert SpanQA.strata(rows) == ["answer", "no answer", "no answer"]


def test_squad_files_are_read_as_they_are(tmp_path):
    from keras_ft.data.readers import find_sources

    answers = [{"text": "Normans", "answer_start": 4}]
    questions = [{"id": "1", "question": "who?", "answers": answers}, {"id": "2", "question": "why?", "answers": []}]
    tree = {"data": [{"paragraphs": [{"context": "The Normans came.", "qas": questions}]}]}
    (tmp_path / "a.json").write_text(json.dumps(tree))
    (rows,) = read_examples(SpanQA, find_sources(tmp_path / "a.json"), {})
    assert [found["answer_start"] for found in rows.columns["answers"]] == [[4], []]


def made_from(answers: list[dict], **options) -> SpanQA:
    count = len(answers)
    rows = Rows({"question": ["q"] * count, "context": ["c"] * count, "answers": answers}, list(range(count)), "a")
    return SpanQA.from_data([rows], SpanQA.Options(**options), None, 128)


def test_what_is_learned_from_the_data_is_kept(tmp_path):
    none, some = {"text": [], "answer_start": []}, {"text": ["北京市"], "answer_start": [0]}
    english = {"text": ["the city"], "answer_start": [0]}
    assert made_from([some, none]).no_answer_threshold == "auto"
    assert made_from([some]).no_answer_threshold is None
    assert made_from([some, none], no_answer_threshold="never").no_answer_threshold is None
    assert made_from([some], no_answer_threshold=1.5).no_answer_threshold == 1.5
    assert made_from([some, none]).normalization == "cmrc"
    assert made_from([some, english, english]).normalization == "squad"
    assert made_from([english], normalization="cmrc").normalization == "cmrc"
    with pytest.raises(RequestError, match="no row of the training data has an answer"):
        made_from([none])
    with pytest.raises(RequestError, match="needs 6 at least"):
        SpanQA.from_data([], SpanQA.Options(), None, 5)
    save_task(made_from([some], stride=7, max_answer_length=50), tmp_path)
    assert load_task(tmp_path).to_json() == made_from([some], stride=7, max_answer_length=50).to_json()


def best_threshold(scores: np.ndarray, f1: np.ndarray, f1_of_none: np.ndarray) -> float:
    """The best mean F1 over all thresholds that part the examples otherwise."""
    edges = [scores.min() - 1, *scores]
    return max(float(np.where(scores <= edge, f1, f1_of_none).mean()) for edge in edges)


@pytest.mark.parametrize("seed", range(8))
def test_the_threshold_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    answerable = rng.random(200) < 0.6
    scores = (rng.normal(0, 2, 200) - 2 * answerable).round(1).astype("float32")  # with ties
    f1 = np.where(answerable, rng.random(200), 0.0)
    chosen = choose_threshold(scores, f1, (~answerable).astype(float))
    assert chosen.f1 == pytest.approx(best_threshold(scores, f1, (~answerable).astype(float)))
    assert np.float32(chosen.score) == chosen.score
    assert chosen.empty == np.mean(scores > chosen.score)


def test_where_every_threshold_is_as_good_it_is_the_nearest_to_zero():
    assert choose_threshold(np.array([-3.0, 5.0], "float32"), np.array([1.0, 0.0]), np.array([0.0, 0.0])).score == 1


def validation(count: int, wrong_from: float) -> tuple[dict, dict]:
    """Questions whose answer is right and whose no-answer score rises; those above `wrong_from` have no answer."""
    scores = np.linspace(-4, 4, count).astype("float32")
    start = np.full(count, 4)
    outputs = {"best_start": start, "best_end": start + 7, "no_answer_score": scores}
    answers = np.array(["[]" if score > wrong_from else '["Normans"]' for score in scores], object)
    return outputs, {"context": np.array(["The Normans came."] * count, object), "answers": answers}


def test_calibration_finds_the_threshold_and_keeps_it():
    qa, told = task(no_answer_threshold="auto"), []
    assert qa.wants_calibration
    found = qa.calibrate(*validation(200, 1.0), told.append)
    assert not qa.wants_calibration
    assert found["no_answer_threshold"] == qa.no_answer_threshold == pytest.approx(1.0, abs=0.05)
    assert found["f1"] == 1.0
    assert "threshold 1" in told[0]
    assert qa.to_json()["no_answer_threshold"] == qa.no_answer_threshold


@pytest.mark.parametrize(("count", "wrong_from"), [(50, 1.0), (200, 9.0), (200, -9.0)])
def test_where_validation_tells_nothing_the_threshold_is_zero(count, wrong_from):
    qa, told = task(no_answer_threshold="auto"), []
    assert qa.calibrate(*validation(count, wrong_from), told.append)["no_answer_threshold"] == 0.0
    assert qa.no_answer_threshold == 0.0
    assert "do not tell it" in told[0]


def test_an_answer_is_withheld_above_the_threshold_alone():
    batch = TokenBatch.from_lengths(
        tf.constant([2, 5, 3, 6, 7, 3]), tf.constant([6]), features={"start": tf.constant([-1, -1, -1, 0, 2, -1])}
    )
    batch.features["end"] = batch.features["start"] + 1
    logits = {"logits": tf.constant([[2.0, 2.0], [9, 9], [9, 9], [1, 0], [0, 1.5], [9, 9]])}
    texts = {"question": tf.constant(["?"]), "context": tf.constant(["a 京"])}
    for threshold, answer in ((None, "a 京"), (1.5, "a 京"), (1.4, ""), ("auto", "")):
        found = task(no_answer_threshold=threshold).answer(logits, batch, texts)
        assert found["answer"].numpy()[0].decode() == answer
        assert (found["start"].numpy()[0], found["end"].numpy()[0]) == ((0, 3) if answer else (-1, -1))
        assert found["no_answer_score"].numpy()[0] == 1.5
        assert found["score"].numpy()[0] > 0


def test_metrics_are_over_all_questions_and_apart_for_those_without_an_answer():
    metrics = task(no_answer_threshold=0.0).metrics()
    contexts = ["The Normans came."] * 4
    golds = [["Normans"], ["Normans", "Normans came"], [], []]
    start, end = np.array([0, 4, -1, 4]), np.array([11, 16, -1, 11])
    targets = {"context": contexts, "answers": [json.dumps(gold) for gold in golds]}
    metrics.update({"start": start[:3], "end": end[:3]}, {name: values[:3] for name, values in targets.items()})
    metrics.update({"start": start[3:], "end": end[3:]}, {name: values[3:] for name, values in targets.items()})
    expected = {"exact_match": 0.75, "f1": 0.75, "has_answer_f1": 1.0, "no_answer_f1": 0.5}
    assert metrics.result() == pytest.approx(expected)
    assert set(metrics.names) == set(expected)
    assert set(task().metrics().names) == {"exact_match", "f1"}
