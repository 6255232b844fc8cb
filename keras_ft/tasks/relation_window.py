"""Two entities and what stands round them as one sequence, each entity between two marker tokens.

    [CLS] the [unused1] church [unused2] has six [unused3] portal ##s [unused4] . [SEP]

A text that is too long loses what is farthest from its entities.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.text.assemble import Sequences
from keras_ft.text.entity_pair import EntityPairs
from keras_ft.text.load import Tokenizer
from keras_ft.text.slices import joined_slices
from keras_ft.text.wordpiece import WordPieceTokenizer

NUM_MARKERS = 4
NUM_SPECIAL = 2 + NUM_MARKERS  # [CLS] and [SEP] too
SHORTEST = NUM_SPECIAL + 2
MARKERS = (
    ("[unused1]", "[unused2]", "[unused3]", "[unused4]"),  # Baldini Soares et al. 2019, arXiv:1906.03158
    ("$", "$", "#", "#"),  # Wu and He 2019, arXiv:1905.08284
)


class Kept(NamedTuple):
    """How many tokens are left of each part of a text, `(texts,)` int64.

    Of what is before, the last ones stay; of the entities, of what is between and behind, the first; what is between
    also keeps `between_end` of its last.
    """

    before: tf.Tensor
    first: tf.Tensor
    between: tf.Tensor
    between_end: tf.Tensor
    second: tf.Tensor
    behind: tf.Tensor


def marker_ids(vocabulary: Any) -> list[int]:
    """The ids before and after the head, before and after the tail.

    The first of `MARKERS` that the vocabulary has; else the tokens for what is unknown and for a text's end.
    """
    known = vocabulary.token_to_id
    for names in MARKERS:
        if all(name in known for name in names):
            return [known[name] for name in names]
    end = vocabulary.end_ids[0]
    unknown = vocabulary.begin_ids[0] if vocabulary.unk_id is None else vocabulary.unk_id
    return [unknown, unknown, end, end]


def framed(pairs: EntityPairs, tokenizer: Tokenizer, max_length: int) -> Sequences:
    """[CLS] before [marker] entity [marker] between [marker] entity [marker] behind [SEP], all of segment 0.

    Of a pair that is not valid nothing stands between [CLS] and [SEP]; other vocabularies have other tokens there.

    Args:
        pairs: the texts.
        tokenizer: each piece of text is tokenized by itself, so that an entity has its own tokens.
        max_length: tokens in a sequence.

    Returns:
        Sequences with the feature `entity_places` `(texts, 2)` int32: where the markers before head and tail stand;
        −1 where the pair is not valid.

    Raises:
        RequestError: max_length leaves no room for two entities.
    """
    if max_length < SHORTEST:
        raise RequestError(f"data.max_length is {max_length}; task relation needs {SHORTEST} tokens at least")
    texts = pairs.pieces if isinstance(tokenizer, WordPieceTokenizer) else _spaces_before_words(pairs.pieces)
    ids = tokenizer.tokenize(tf.reshape(texts, [-1])).with_row_splits_dtype(tf.int64)
    lengths = tf.reshape(ids.row_lengths(), [-1, 5])
    vocabulary: Any = tokenizer.vocabulary
    begin, end = vocabulary.begin_ids, vocabulary.end_ids
    room = max_length - len(begin) - len(end) - NUM_MARKERS
    kept = around_entities(lengths, room)
    special = [*marker_ids(vocabulary), *begin, *end]
    pool = tf.concat([special, ids.values], 0)
    before, first, between, second, behind = tf.unstack(len(special) + tf.reshape(ids.row_starts(), [-1, 5]), axis=1)

    one, zero = tf.cast(pairs.valid, tf.int64), tf.zeros_like(lengths[:, 0])
    opens_first = tf.where(pairs.head_first, zero, 2)  # in the pool; what closes it comes after
    opens_second = 2 - opens_first
    slices = [
        (zero + NUM_MARKERS, zero + len(begin)),
        (before + lengths[:, 0] - kept.before, kept.before),
        (opens_first, one),
        (first, kept.first),
        (opens_first + 1, one),
        (between, kept.between),
        (between + lengths[:, 2] - kept.between_end, kept.between_end),
        (opens_second, one),
        (second, kept.second),
        (opens_second + 1, one),
        (behind, kept.behind),
        (zero + NUM_MARKERS + len(begin), zero + len(end)),
    ]
    starts, counts = (tf.stack(parts, 1) for parts in zip(*slices, strict=True))
    sequences = joined_slices(pool, starts, counts, tf.zeros_like(counts, tf.int32))
    place = tf.cumsum(counts, axis=1, exclusive=True)  # (texts, slices)
    places = tf.where(pairs.head_first[:, None], tf.gather(place, [2, 7], axis=1), tf.gather(place, [7, 2], axis=1))
    places = tf.where(pairs.valid[:, None], places, -1)
    truncated = tf.reduce_sum(lengths, 1) > room
    return Sequences(*sequences, truncated, features={"entity_places": tf.cast(places, tf.int32)})


def around_entities(lengths: tf.Tensor, room: int) -> Kept:
    """What of texts fits into `room` tokens: the entities before what is between, and that before what is round them.

    Args:
        lengths: `(texts, 5)` int64 tokens of the pieces.
        room: tokens, at least 2.
    """
    before, first, between, second, behind = tf.unstack(lengths, axis=1)
    half, whole = tf.constant(room // 2, tf.int64), tf.constant(room, tf.int64)
    first = tf.minimum(first, tf.maximum(half, whole - second))
    second = tf.minimum(second, whole - first)
    left = whole - first - second
    kept_between = tf.minimum(between, left)
    left -= kept_between
    kept_before = tf.minimum(before, tf.maximum(left // 2, left - behind))
    between_end = kept_between // 2
    return Kept(
        kept_before, first, kept_between - between_end, between_end, second, tf.minimum(behind, left - kept_before)
    )


def _spaces_before_words(pieces: tf.Tensor) -> tf.Tensor:
    """Pieces with white space between two at the beginning of the second, where tokens have it that hold spaces."""
    words = tf.strings.strip(pieces)
    begins = tf.strings.regex_full_match(pieces, r"(?s)\s.*")
    ends = tf.strings.regex_full_match(pieces, r"(?s).*\s")
    before = tf.concat([tf.zeros_like(ends[:, :1]), ends[:, :-1]], 1)
    return tf.strings.join([tf.where((begins | before) & tf.not_equal(words, ""), " ", ""), words])
