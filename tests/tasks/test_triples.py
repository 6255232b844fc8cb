"""Which pairs of entities are looked at, and what triples become of the answers."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ft.tasks import triples
from keras_ft.tasks.triples import find_triples, nearest_pairs

ENTITIES = {"Alice": "person", "Bob": "person", "Acme": "organisation", "北京": "place"}
TEXTS = ["Alice and Bob work at Acme.", "nobody", "Bob 在北京", "Alice", ""]


def entities(columns):
    """Finds the names above by hand."""

    def rows(texts):
        found = [
            sorted(
                (text.index(name), text.index(name) + len(name), label)
                for name, label in ENTITIES.items()
                if name in text
            )
            for text in (text.decode() for text in texts)
        ]
        most = max(map(len, found), default=0)
        table = np.full((3, len(found), most), -1, object)
        table[2] = ""
        for i, row in enumerate(found):
            for k, entity in enumerate(row):
                table[:, i, k] = entity
        labels = np.vectorize(str.encode, otypes=[object])(table[2]) if table[2].size else table[2]
        return table[0].astype(np.int32), table[1].astype(np.int32), labels

    start, end, label = tf.numpy_function(rows, [columns["text"]], (tf.int32, tf.int32, tf.string))
    return {
        name: tf.ensure_shape(value, [None, None]) for name, value in (("start", start), ("end", end), ("label", label))
    }


def relations(columns):
    """Says which text stands between whom, and nothing where the tail comes first."""
    assert set(columns) == {"text", "head_start", "head_end", "tail_start", "tail_end"}
    length = tf.maximum(columns["tail_start"] - columns["head_end"], 0)
    between = tf.strings.substr(tf.strings.join([columns["text"], " "]), columns["head_end"], length, "UTF8_CHAR")
    label = tf.where(columns["head_start"] < columns["tail_start"], tf.strings.strip(between), "Other")
    return {"label": label, "score": tf.cast(columns["head_start"], tf.float32)}


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
def found_in(texts):
    return find_triples(texts, entities, relations, "Other", 4)


def rows_of(answers: dict) -> list[list[tuple]]:
    rows = zip(*(answers[name].numpy() for name in ("head_label", "label", "tail_label")), strict=True)
    return [[tuple(part.decode() for part in triple) for triple in zip(*row, strict=True) if triple[1]] for row in rows]


@pytest.mark.parametrize("pairs_at_once", [1, 3, 256])
def test_triples_are_those_of_the_right_text_in_its_order(monkeypatch, pairs_at_once):
    monkeypatch.setattr(triples, "PAIRS_AT_ONCE", pairs_at_once)
    found = tf.function(found_in.python_function, input_signature=found_in.input_signature, autograph=False)(
        tf.constant(TEXTS)
    )
    assert rows_of(found) == [
        [("person", "and", "person"), ("person", "work at", "organisation")],
        [],
        [("person", "在", "place")],
        [],
        [],
    ]
    assert found["head_start"].numpy()[:3].tolist() == [[0, 10], [-1, -1], [0, -1]]
    assert found["tail_end"].numpy()[:3].tolist() == [[13, 26], [-1, -1], [7, -1]]
    assert found["score"].numpy()[:2].tolist() == [[0, 10], [-1, -1]]
    assert found["truncated"].numpy().tolist() == [True, False, False, False, False]


def test_texts_without_a_pair_and_no_texts_at_all_have_no_triples():
    for texts in (["nobody", "Alice"], []):
        found = found_in(tf.constant(texts, tf.string))
        assert {values.shape[0] for name, values in found.items()} == {len(texts)}
        assert found["label"].shape == (len(texts), 0)


def test_of_many_pairs_those_with_the_fewest_entities_between_are_looked_at():
    counts = [0, 1, 2, 5, 7]
    is_entity = np.arange(7)[None] < np.array(counts)[:, None]
    for most in (1, 2, 7, 1000):
        found = nearest_pairs(tf.constant(is_entity), most)
        got = list(zip(*(part.numpy().tolist() for part in found[:3]), strict=True))
        assert got == sorted(got)
        for text, count in enumerate(counts):
            mine = [(head, tail) for i, head, tail in got if i == text]
            every = [(head, tail) for head in range(count) for tail in range(count) if head != tail]
            distances = sorted(abs(head - tail) for head, tail in every)
            assert set(mine) <= set(every)
            assert sorted(abs(head - tail) for head, tail in mine) == distances[:most]
            assert bool(found.left_out[text]) == (len(every) > most)
