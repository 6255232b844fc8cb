import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.evaluation.predictor import Predictor
from keras_ft.export.saved_model import write_saved_model
from keras_ft.layers.task_model import TaskModel
from keras_ft.presets.load import load_pretrained
from keras_ft.presets.pretrained import Pretrained
from keras_ft.serving.models.session_model import SessionModel
from keras_ft.tasks.encode import Encoder
from keras_ft.tasks.entity_spans import entity_spans
from keras_ft.tasks.model import TrainedModel, build_model
from keras_ft.tasks.samples import HARD_TEXTS
from keras_ft.tasks.tagging import Tagging
from keras_ft.tasks.tagging_options import TaggingOptions
from keras_ft.text.wordpiece import WordPieceTokenizer
from tests.text.test_words_of_text import any_text, reference
from tests.tiny import write_hugging_face

TASK = Tagging(["LOC", "PER"], 8, False, 2)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    return load_pretrained(str(write_hugging_face(tmp_path_factory.mktemp("bert"), num_hidden_layers=1)))


@pytest.fixture(scope="module")
def trained(pretrained) -> TrainedModel:
    """Random weights, which make sequences that BIO does not allow."""
    return TrainedModel(TASK, pretrained, random_weights(TASK, pretrained))


def random_weights(task: Tagging, pretrained: Pretrained) -> TaskModel:
    model, rng = build_model(task, pretrained, 0), np.random.default_rng(0)
    for variable in (model.head.kernel, *(model.extra.variables if model.extra else ())):
        variable.assign(rng.normal(0, 1, variable.shape))
    return model


def rows_of(texts: list[str], entities: list[list]) -> Rows:
    columns = {"text": texts, "entities": entities, "words": [None] * len(texts)}
    return Rows(columns, list(range(1, len(texts) + 1)), "a.jsonl")


def spans(chunk: dict, tags: np.ndarray) -> list[list[tuple[int, int, str]]]:
    features = {name: tf.constant(chunk[name]) for name in ("word_start", "start", "end")}
    batch = TokenBatch.from_lengths(
        tf.constant(chunk["ids"]), tf.constant(chunk["lengths"]), counts=chunk["sequences"], features=features
    )
    found = entity_spans(batch, tf.constant(tags, tf.int32), tf.zeros(len(tags)), TASK.labels)
    start, end, label = (found[name].numpy().tolist() for name in ("start", "end", "label"))
    rows = (zip(*row, strict=True) for row in zip(start, end, label, strict=True))
    return [[(s, e, name.decode()) for s, e, name in row if s >= 0] for row in rows]


@pytest.fixture(scope="module")
def encoder(pretrained) -> Encoder:
    return Encoder(TASK, pretrained.tokenizer)


@settings(max_examples=80, deadline=None)
@given(st.lists(any_text, min_size=1, max_size=3), st.randoms())
def test_entities_come_back_as_they_were_marked_whatever_the_text(encoder, pretrained, texts, rng):
    """Through words, tokens, windows, tags and spans: `text[start:end]` is what was labelled, in code points."""
    entities = []
    visible = [visible_words(pretrained.tokenizer, text) for text in texts]
    for words in visible:
        marked, i = [], 0
        while i < len(words):
            length = rng.randint(1, 3)
            if rng.random() < 0.6:
                last = words[min(i + length, len(words)) - 1]
                marked.append((words[i][0], last[1], rng.choice(TASK.labels)))
            i += length
        entities.append(marked)
    chunk = encoder(rows_of(texts, entities))
    assert spans(chunk, chunk["tag"]) == entities
    assert chunk["word_start"].sum() == sum(map(len, visible))  # each word once, in whatever windows it is
    assert chunk["lengths"].max() <= TASK.max_length


def visible_words(tokenizer: WordPieceTokenizer, text: str) -> list[tuple[int, int]]:
    """The reference's words, without those that the tokenizer strips altogether, such as an accent by itself."""
    _, starts, _ = tokenizer.tokenize_with_offsets(tf.constant([text]))
    places = starts.values.numpy()
    return [(start, end) for start, end in reference(text) if ((start <= places) & (places < end)).any()]


def test_an_entity_that_ends_within_a_word_has_the_whole_word_and_the_first_of_two_has_one_that_both_want(encoder):
    chunk = encoder(rows_of(["great film"], [[(0, 2, "LOC"), (3, 8, "PER"), (8, 10, "LOC")]]))
    assert spans(chunk, chunk["tag"]) == [[(0, 5, "LOC"), (6, 10, "PER")]]


def test_labels_come_from_training_and_others_are_refused_with_their_line():
    train = rows_of(["a b", "c"], [[(0, 1, "PER"), (2, 3, "LOC")], []])
    made = Tagging.from_data([train], TaggingOptions(), None, 64)
    assert (made.labels, made.stride, made.num_outputs) == (["LOC", "PER"], 16, 5)
    with pytest.raises(RequestError, match="a.jsonl line 1: the training data have no entity with label 'ORG'; known"):
        made.targets(rows_of(["d"], [[(0, 1, "ORG")]]))
    with pytest.raises(RequestError, match="mark no entity"):
        Tagging.from_data([rows_of(["a"], [[]])], TaggingOptions(), None, 64)
    with pytest.raises(RequestError, match="stride is 62; with data.max_length 64 it should be at most 61"):
        Tagging.from_data([train], TaggingOptions(stride=62), None, 64)
    assert Tagging(**made.to_json()).to_json() == made.to_json()


def test_a_score_is_the_geometric_mean_of_its_words_probabilities_and_only_allowed_tags_come_out(trained, pretrained):
    text = "the film is good not very great x y z this was bad"
    columns = {"text": tf.constant([text])}
    sequences = TASK.features(pretrained.tokenizer, columns)
    batch = TokenBatch.from_lengths(
        sequences.ids.flat_values, sequences.ids.row_lengths(), None, sequences.counts, None, sequences.features
    )
    outputs = TASK.forward(trained.model.view(), batch)
    kept = TASK.kept(outputs, batch)
    words = np.flatnonzero(batch.features["word_start"])
    tags, logs = kept["tag"].numpy()[words], tf.nn.log_softmax(outputs["logits"]).numpy()[words]
    before = np.concatenate([[0], tags[:-1]])
    inside = (tags > 0) & (tags % 2 == 0)
    assert (np.argmax(logs, -1) != tags).any()  # some were not allowed
    assert ((before == tags) | (before == tags - 1))[inside].all()
    answer = TASK.answer(kept, batch, columns)
    firsts = np.flatnonzero(tags % 2 == 1)
    assert len(firsts) == answer["start"].shape[1] > 1
    for number, first in enumerate(firsts):
        length = 1 + next(
            (i for i, tag in enumerate(tags[first + 1 :]) if tag != tags[first] + 1), len(tags) - first - 1
        )
        probabilities = np.exp(logs[np.arange(first, first + length), tags[first : first + length]])
        assert answer["score"].numpy()[0, number] == pytest.approx(np.prod(probabilities) ** (1 / length), rel=1e-4)


def test_a_saved_random_field_answers_hard_texts_as_the_python_model_does(pretrained, tmp_path):
    task = Tagging(TASK.labels, 8, True, 2)
    trained = TrainedModel(task, pretrained, random_weights(task, pretrained))
    write_saved_model(trained, tmp_path / "1", "float32", None)
    texts = [*HARD_TEXTS, "naïve good film 👩‍👩‍👧‍👦 公园 " * 9]
    session = SessionModel(tmp_path / "1")
    found = session.predict("tagging", {"text": np.array([t.encode() for t in texts], object)})
    expected = Predictor(trained)({"text": texts})
    assert found.keys() == expected.keys() == {"start", "end", "label", "score", "truncated"}
    for name, values in expected.items():
        if name == "score":
            np.testing.assert_allclose(found[name], values, atol=1e-5)
        else:
            assert found[name].tolist() == values.tolist()
    assert not found["truncated"].any()
    assert (tmp_path / "1" / "assets" / "tags.txt").read_text().split() == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    empty = session.predict("tagging", {"text": np.array([b"", b" "], object)})
    assert empty["start"].shape == empty["label"].shape == (2, 0)
