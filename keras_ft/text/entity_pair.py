"""Two entities in a text, a head and a tail, found in the graph by markers or by offsets.

    "The <e1>church</e1> has six <e2>portals</e2>."     or     "The church has six portals.", 4, 10, 19, 26

Both ways give the same five pieces of text, so what comes after cannot tell them apart.
"""

from typing import NamedTuple

import tensorflow as tf

HEAD, TAIL = ("<e1>", "</e1>"), ("<e2>", "</e2>")
_ANY_MARKER = "</?e[12]>"


class EntityPairs(NamedTuple):
    """Texts cut at the ends of their entities.

    Attributes:
        pieces: `(texts, 5)` strings: before the first entity, it, between both, the second, behind it.
        head_first: `(texts,)` bool, whether the first entity is the head.
        valid: `(texts,)` bool; the pieces of others are empty.
    """

    pieces: tf.Tensor
    head_first: tf.Tensor
    valid: tf.Tensor


def from_marked(texts: tf.Tensor) -> EntityPairs:
    """Texts `(texts,)` whose head stands within `<e1> </e1>` and whose tail within `<e2> </e2>`, in either order.

    One is valid that has each of the four markers once, whose entities do not overlap and hold a character each.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")  # RE2 reads nothing else
    head_first = tf.strings.regex_full_match(texts, _in_order(HEAD, TAIL))
    tail_first = tf.strings.regex_full_match(texts, _in_order(TAIL, HEAD))
    alike = tf.strings.regex_replace(texts, _ANY_MARKER, HEAD[0])
    pieces = tf.strings.split(alike, HEAD[0])
    valid = (pieces.row_lengths() == 5) & (head_first | tail_first)
    return EntityPairs(_only(valid, pieces.to_tensor("", shape=[None, 5])), head_first, valid)


def from_spans(
    texts: tf.Tensor, head_start: tf.Tensor, head_end: tf.Tensor, tail_start: tf.Tensor, tail_end: tf.Tensor
) -> EntityPairs:
    """Texts `(texts,)` with the places of their entities, `(texts,)` int32 each.

    Offsets count Unicode code points of `text.decode("utf-8", "replace")`; ends are exclusive. One is valid whose
    spans lie within the text, are not empty and do not overlap.
    """
    decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    length = tf.cast(decoded.row_lengths(), tf.int32)
    head_first = head_start < tail_start
    starts, ends = tf.minimum(head_start, tail_start), tf.maximum(head_end, tail_end)
    first_end = tf.where(head_first, head_end, tail_end)
    second_start = tf.maximum(head_start, tail_start)
    inside = (starts >= 0) & (ends <= length) & (head_start < head_end) & (tail_start < tail_end)
    valid = inside & (first_end <= second_start)
    cuts = tf.stack([0 * starts, starts, first_end, second_start, ends], 1)  # (texts, 5)
    cuts = decoded.row_starts()[:, None] + tf.cast(tf.where(valid[:, None], cuts, 0), tf.int64)
    splits = tf.concat([tf.reshape(cuts, [-1]), decoded.row_splits[-1:]], 0)
    pieces = tf.raw_ops.UnicodeEncode(input_values=decoded.values, input_splits=splits, output_encoding="UTF-8")
    return EntityPairs(_only(valid, tf.reshape(pieces, [-1, 5])), head_first, valid)


def _in_order(first: tuple[str, str], second: tuple[str, str]) -> str:
    return f"(?s).*{first[0]}.+{first[1]}.*{second[0]}.+{second[1]}.*"


def _only(valid: tf.Tensor, pieces: tf.Tensor) -> tf.Tensor:
    return tf.where(valid[:, None], pieces, "")
