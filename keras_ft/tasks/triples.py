"""Who has which relation to whom: entities of a text, every ordered pair of them, and the relations that are found.

"Alice works at Acme." → (Alice, person) works_at (Acme, organisation)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any
Answer = Callable[[dict[str, Tensor]], dict[str, Tensor]]
PAIRS_AT_ONCE = 256  # sequences that the encoder sees together
NOWHERE = {"start": -1, "end": -1, "label": ""}


class Pairs(NamedTuple):
    """Ordered pairs of entities, those of a text one behind the other.

    Attributes:
        text: `(pairs,)` int64, the text of each.
        head, tail: `(pairs,)` int64, numbers of entities of that text.
        left_out: `(texts,)` bool, whether a text has more pairs than are here.
    """

    text: Tensor
    head: Tensor
    tail: Tensor
    left_out: Tensor


def find_triples(
    texts: Tensor, entities: Answer, relations: Answer, negative_label: str | None, max_pairs: int
) -> dict[str, Tensor]:
    """The relations between the entities of each text, in the order of their heads and then of their tails.

    Args:
        texts: `(texts,)` strings.
        entities: `text` → `start`, `end`, `label` `(texts, entities)`, padded with −1 and "", as tagging answers.
        relations: `text` and the offsets of head and tail → `label` and `score` `(pairs,)`, as signature `spans` does.
        negative_label: of the relations: there is none.
        max_pairs: of a text; see `nearest_pairs`.

    Returns:
        `head_start`, `head_end`, `head_label`, `tail_start`, `tail_end`, `tail_label` of the entities, `label` and
        `score` of the relation, `(texts, most triples)` each, padded with −1 and ""; and `truncated` `(texts,)`,
        whether a text has more pairs than were looked at.
    """
    found = entities({"text": texts})
    pairs = nearest_pairs(found["start"] >= 0, max_pairs)
    ends = {
        f"{role}_{name}": tf.gather_nd(found[name], tf.stack([pairs.text, number], 1))
        for role, number in (("head", pairs.head), ("tail", pairs.tail))
        for name in NOWHERE
    }
    offsets = {name: values for name, values in ends.items() if not name.endswith("_label")}
    label, score = _in_parts(relations, {"text": tf.gather(texts, pairs.text), **offsets})
    is_one = tf.not_equal(label, "")  # there is none where the model abstains
    if negative_label is not None:
        is_one &= tf.not_equal(label, negative_label)
    text, num_texts = tf.boolean_mask(pairs.text, is_one), tf.size(texts, tf.int64)

    def padded(values: Tensor, filler: Any) -> Tensor:
        values = tf.boolean_mask(values, is_one)
        return tf.RaggedTensor.from_value_rowids(values, text, num_texts, validate=False).to_tensor(filler)

    triples = {name: padded(values, NOWHERE[name.split("_")[1]]) for name, values in ends.items()}
    return {**triples, "label": padded(label, ""), "score": padded(score, -1.0), "truncated": pairs.left_out}


def nearest_pairs(is_entity: Tensor, max_pairs: int) -> Pairs:
    """Every ordered pair of different entities, in their order; of too many those with the fewest entities between.

    Args:
        is_entity: `(texts, entities)` bool, false where a text has fewer.
        max_pairs: of a text.
    """
    size = tf.shape(is_entity)[1]
    head, tail = tf.repeat(tf.range(size), size), tf.tile(tf.range(size), [size])  # (size * size,)
    is_pair = tf.gather(is_entity, head, axis=1) & tf.gather(is_entity, tail, axis=1) & (head != tail)
    distance = tf.abs(head - tail)[None] * tf.ones_like(is_pair, tf.int32)
    most = tf.minimum(max_pairs, size * size)
    _, nearest = tf.math.top_k(-tf.where(is_pair, distance, size), most)  # equal ones in their order
    kept = tf.sort(tf.where(tf.gather(is_pair, nearest, batch_dims=1), nearest, size * size), axis=1)
    places = tf.where(kept < size * size)  # (pairs, 2)
    number = tf.gather_nd(kept, places)
    left_out = tf.reduce_sum(tf.cast(is_pair, tf.int32), 1) > max_pairs
    return Pairs(
        places[:, 0], tf.cast(tf.gather(head, number), tf.int64), tf.cast(tf.gather(tail, number), tf.int64), left_out
    )


def _in_parts(relations: Answer, columns: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """`label` and `score` of requests, computed some at a time: a few texts may have thousands of pairs."""
    count = tf.size(columns["text"])
    parts = (count + PAIRS_AT_ONCE - 1) // PAIRS_AT_ONCE
    empty = [tf.TensorArray(kind, parts, element_shape=[None], infer_shape=False) for kind in (tf.string, tf.float32)]

    def step(part: Tensor, labels: tf.TensorArray, scores: tf.TensorArray) -> tuple[Tensor, ...]:
        start = part * PAIRS_AT_ONCE
        some = {name: values[start : start + PAIRS_AT_ONCE] for name, values in columns.items()}
        answer = relations(some)
        return part + 1, labels.write(part, answer["label"]), scores.write(part, answer["score"])

    _, labels, scores = tf.while_loop(
        lambda part, *_: part < parts, step, [0, *empty], parallel_iterations=1, swap_memory=False
    )
    return labels.concat(), scores.concat()
