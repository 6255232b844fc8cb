"""Relations: how pairs are framed, what the head sees, what is answered, and one small run from end to end."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError
from keras_ft.evaluation.predictor import Predictor
from keras_ft.presets.load import load_pretrained
from keras_ft.tasks.model import build_model, load_model
from keras_ft.tasks.registry import load_task, save_task
from keras_ft.tasks.relation import Relation
from keras_ft.tasks.relation_options import RelationOptions
from keras_ft.tasks.relation_window import around_entities, framed, marker_ids
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary
from keras_ft.text.entity_pair import from_marked
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer
from tests.tiny import TOKENS, tiny_byte_pair
from tests.tiny_encoders import scratch_options
from tests.tiny_relations import MARKERS, WORDS

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LABELS = ["Other", "Whole(e1,e2)", "Whole(e2,e1)"]


def tokenizer_of(*tokens: str) -> WordPieceTokenizer:
    return WordPieceTokenizer(Vocabulary(dict.fromkeys([*SPECIAL, *tokens, *TOKENS, *WORDS])))


def tokens_of(text: str, tokenizer: WordPieceTokenizer, max_length: int = 64) -> tuple[list[str], list[int], bool]:
    found = framed(from_marked(tf.constant([text])), tokenizer, max_length)
    ids = [tokenizer.vocabulary.tokens[i] for i in found.ids[0].numpy()]
    assert not found.segments.values.numpy().any()
    return ids, found.features["entity_places"][0].numpy().tolist(), bool(found.truncated[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The <e1> cat </e1> was in the <e2>box</e2>.", "[CLS] the A cat B was in the C box D . [SEP]"),
        ("<e2>猫</e2>在<e1>盒子</e1>里", "[CLS] C 猫 D 在 A 盒 子 B 里 [SEP]"),
        ("<e1>c</e1>a<e2>ts</e2>", "[CLS] A c B a C t ##s D [SEP]"),
        ("no entities", "[CLS] [SEP]"),
    ],
)
def test_each_entity_stands_between_its_markers(text, expected):
    letters = dict(zip("ABCD", MARKERS, strict=True))
    tokens, places, truncated = tokens_of(text, tokenizer_of(*MARKERS))
    assert tokens == [letters.get(token, token) for token in expected.split()]
    assert places == [tokens.index(name) if name in tokens else -1 for name in (MARKERS[0], MARKERS[2])]
    assert not truncated


def test_a_vocabulary_without_unused_tokens_marks_with_signs_or_special_tokens():
    signs, _, _ = tokens_of("<e2>cat</e2> <e1>box</e1>", tokenizer_of("$", "#"))
    assert signs == ["[CLS]", "#", "cat", "#", "$", "box", "$", "[SEP]"]
    special, places, _ = tokens_of("<e2>cat</e2> <e1>box</e1>", tokenizer_of())
    assert special == ["[CLS]", "[SEP]", "cat", "[SEP]", "[UNK]", "box", "[UNK]", "[SEP]"]
    assert places == [4, 1]


def test_byte_pairs_take_the_space_before_a_word_along(tmp_path):
    folder = tiny_byte_pair(tmp_path)
    vocabulary = BytePairVocabulary.from_files(folder / "vocab.json", folder / "merges.txt")
    tokenizer = BytePairTokenizer(vocabulary)

    def ids_of(text: str) -> list[list[int]]:
        found = tokenizer.tokenize(tf.constant(text.split("|")))
        return found.to_list()

    found = framed(from_marked(tf.constant(["the <e1> children </e1> are <e2>in</e2>side."])), tokenizer, 64)
    head, tail = vocabulary.token_to_id["$"], vocabulary.token_to_id["#"]
    before, first, between, second, behind = ids_of("the| children| are| in|side.")
    marked = [*before, head, *first, head, *between, tail, *second, tail, *behind]
    assert found.ids.to_list() == [[*vocabulary.begin_ids, *marked, *vocabulary.end_ids]]


@pytest.mark.parametrize("family", ["xlm-roberta", "albert"])
def test_sentence_pieces_mark_with_special_tokens(family, tmp_path):
    tokenizer = load_pretrained(scratch_options(family, tmp_path)).tokenizer
    vocabulary = tokenizer.vocabulary
    before, tail, between, head, behind = tokenizer.tokenize(
        tf.constant(["the weather", "film", "is very", "good", "."])
    ).to_list()
    found = framed(from_marked(tf.constant(["the weather <e2>film</e2> is very <e1>good</e1>."])), tokenizer, 64)
    [begin], [end], unknown = vocabulary.begin_ids, vocabulary.end_ids, vocabulary.unk_id
    ids = [begin, *before, end, *tail, end, *between, unknown, *head, unknown, *behind, end]
    assert found.ids.to_list() == [ids]
    assert [ids[place] for place in found.features["entity_places"][0].numpy()] == [unknown, end]


@pytest.mark.parametrize("vocabulary", ["bert_uncased", "bert_chinese"])
@pytest.mark.shared
def test_the_vocabularies_of_bert_have_unused_tokens(vocabulary, shared_data):
    found = Vocabulary.from_vocab_txt(shared_data / "vocab" / vocabulary / "vocab.txt")
    assert [found.tokens[i] for i in marker_ids(found)] == MARKERS


def test_a_long_text_keeps_both_entities_then_what_is_between_then_what_is_round_them():
    lengths = np.random.default_rng(0).choice([0, 1, 2, 3, 5, 8, 30], (2000, 5))
    room = 16
    kept = np.stack([part.numpy() for part in around_entities(tf.constant(lengths), room)], 1)
    before, first, between, between_end, second, behind = kept.T
    between = between + between_end
    wanted_before, wanted_first, wanted_between, wanted_second, wanted_behind = lengths.T
    assert (kept >= 0).all()
    assert (kept.sum(1) == np.minimum(lengths.sum(1), room)).all()
    both = wanted_first + wanted_second
    assert ((first == wanted_first) & (second == wanted_second))[both <= room].all()
    assert (np.minimum(first, second) >= np.minimum(np.minimum(wanted_first, wanted_second), room // 2)).all()
    assert (between == np.minimum(wanted_between, np.maximum(room - both, 0))).all()
    uneven = np.abs(before - behind) > 1
    assert ((before == wanted_before) | (behind == wanted_behind))[uneven].all()
    assert (np.abs(between - 2 * between_end) <= 1).all()


@pytest.mark.parametrize("place", [0, 1, 7, 2500, 4998])
def test_entities_anywhere_in_five_thousand_words_are_framed_as_in_their_window(place):
    words = [f"{'the' if i % 2 else 'cat'}" for i in range(5000)]
    words[place], words[place + 1] = "<e1>box</e1>", "<e2>car</e2>"
    tokens, places, truncated = tokens_of(" ".join(words), tokenizer_of(*MARKERS), max_length=24)
    start = min(max(0, place - 8), 5000 - 18)  # 16 tokens are left for what is round the entities
    expected, _, short = tokens_of(" ".join(words[start : start + 18]), tokenizer_of(*MARKERS), max_length=24)
    assert (tokens, truncated, short) == (expected, True, False)
    assert [tokens[i + 1] for i in places] == ["box", "car"]
    assert len(tokens) == 24


def test_a_length_that_holds_no_two_entities_is_refused():
    with pytest.raises(RequestError, match="max_length is 7; task relation needs 8 tokens at least"):
        tokens_of("<e1>a</e1> <e2>b</e2>", tokenizer_of(), max_length=7)


@pytest.fixture(scope="module")
def run(relation_run) -> Path:
    return relation_run


@pytest.mark.parametrize("pooling", ["markers", "markers_first", "markers_mean"])
def test_the_head_sees_the_states_of_the_markers(run, pooling):
    """Against keras-hub's own forward pass over one padded sequence at a time."""
    trained = load_model(run / "model")
    task = Relation(LABELS, pooling, 32)
    model = build_model(task, trained.pretrained, seed=1)
    texts = [
        "the <e1>cat</e1> in the <e2>box</e2>",
        "<e2>猫</e2>在今天的<e1>盒子</e1>里",
        "<e1>a</e1><e2>the cat</e2> 今天",
    ]
    sequences = task.features(trained.pretrained.tokenizer, {"text": tf.constant(texts)})
    batch = TokenBatch.from_lengths(sequences.ids.flat_values, sequences.ids.row_lengths(), features=sequences.features)
    logits = task.forward(model.view(), batch)["logits"].numpy()
    kernel, bias = (weight.numpy() for weight in model.head.weights)
    markers = marker_ids(trained.pretrained.tokenizer.vocabulary)
    for i, ids in enumerate(sequences.ids.to_list()):
        padded = np.array([ids + [0] * (32 - len(ids))])
        inputs = {"token_ids": padded, "segment_ids": 0 * padded, "padding_mask": np.arange(32)[None] < len(ids)}
        hidden = trained.pretrained.backbone(inputs)["sequence_output"].numpy()[0, : len(ids)]
        parts = [hidden[ids.index(markers[0])], hidden[ids.index(markers[2])]]
        parts += {"markers": [], "markers_first": [hidden[0]], "markers_mean": [hidden.mean(0)]}[pooling]
        np.testing.assert_allclose(logits[i], np.concatenate(parts) @ kernel + bias, atol=1e-4)


def test_a_run_learns_who_is_the_whole_and_offsets_answer_as_markers_do(run):
    import json

    metrics = json.loads((run / "metrics.json").read_text())["test"]
    assert metrics["f1"] > 0.9
    assert set(metrics) == {"loss", "precision", "recall", "f1", "macro_f1", "accuracy", "semeval_f1"}
    assert (run / "report.html").is_file()
    trained = load_model(run / "model")
    assert trained.task.negative_label == "Other"
    texts = [
        "the <e1>box</e1> has a <e2>cat</e2>",
        "the <e2>box</e2> has a <e1>cat</e1>",
        "<e1>狗</e1>在<e2> 车 </e2>里",
    ]
    marked = Predictor(trained)({"text": texts})
    assert marked["label"].tolist() == [b"Whole(e1,e2)", b"Whole(e2,e1)", b"Whole(e2,e1)"]
    requests = trained.task.as_other_requests("spans", {"text": texts})
    assert requests["text"][0] == "the box has a cat"
    assert [requests[name][1] for name in ("head_start", "head_end", "tail_start", "tail_end")] == [14, 17, 4, 7]
    spanned = Predictor(trained, signature="spans")(requests)
    for name, values in marked.items():
        assert spanned[name].tolist() == values.tolist(), name


def test_a_request_whose_entities_cannot_be_told_has_no_label_and_spoils_no_other(run):
    trained = load_model(run / "model")
    texts = [
        "the <e1>box</e1> has a <e2>cat</e2>",
        "the box has a cat",
        "<e1>box</e1> <e2></e2>",
        "",
        "<e1>a<e2>b</e1>c</e2>",
    ]
    found, alone = Predictor(trained)({"text": texts}), Predictor(trained)({"text": texts[:1]})
    assert found["label"].tolist() == [b"Whole(e1,e2)", b"", b"", b"", b""]
    assert found["score"][1:].tolist() == [0, 0, 0, 0]
    assert found["labels"][1:].tolist() == [[b""] * 3] * 4
    assert not found["scores"][1:].any()
    np.testing.assert_allclose(found["scores"][0], alone["scores"][0], atol=1e-6)
    offsets = {"head_start": [4, 4, -1], "head_end": [7, 99, 3], "tail_start": [14, 14, 4], "tail_end": [17, 17, 7]}
    spanned = Predictor(trained, signature="spans")({"text": ["the box has a cat"] * 3, **offsets})
    assert spanned["label"].tolist() == [b"Whole(e1,e2)", b"", b""]


@pytest.mark.parametrize(
    ("labels", "wanted", "found"),
    [
        (["Other", "a"], None, "Other"),
        (["a", "no_relation"], None, "no_relation"),
        (["a", "b"], None, None),
        (["a", "b"], "b", "b"),
    ],
)
def test_the_negative_label_is_looked_for_or_named(labels, wanted, found, tmp_path):
    rows = Rows({"text": ["", ""], "label": labels}, [1, 2], "a.jsonl")
    task = Relation.from_data([rows], RelationOptions(negative_label=wanted), "mean", 16)
    assert (task.negative_label, task.pooling) == (found, "markers")
    save_task(task, tmp_path)
    assert load_task(tmp_path).to_json() == task.to_json()


def test_a_negative_label_that_the_data_lack_is_refused():
    rows = Rows({"text": ["", ""], "label": ["Other", "a"]}, [1, 2], "a.jsonl")
    with pytest.raises(
        RequestError, match="negative_label is 'other', which the training data do not have; did you mean"
    ):
        Relation.from_data([rows], RelationOptions(negative_label="other"), None, 16)


def test_a_run_of_relations_is_not_converted_to_a_classifier(run, tmp_path):
    from keras_ft.export.convert import convert

    with pytest.raises(RequestError, match="is a relation run; runs of classification and pair can be converted"):
        convert(run, tmp_path / "out", "hugging-face")


def test_states_at_places_are_those_of_the_sequence():
    batch = TokenBatch.from_lengths(np.arange(9, dtype="int32"), np.array([3, 1, 5], "int32"))
    found = batch.at(np.arange(9.0)[:, None], np.array([[0, 2], [0, 0], [4, 1]]))
    assert np.array(found)[..., 0].tolist() == [[0, 2], [3, 3], [8, 5]]
