"""Beam search, step for step as Hugging Face's `generate` does it, so that the texts are the same.

Of the candidates of a step, `2 * num_beams`, those that end a text compete with the finished ones by log-probability /
length ** length_penalty; the best of the others go on. An example is done when no running beam could, at its present
length, still beat the worst of `num_beams` finished texts.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from keras_ft.generation.cache import Cache, read_prompts
from keras_ft.generation.forced import Progress
from keras_ft.generation.rules import NEVER, Texts
from keras_ft.generation.sample import finished
from keras_ft.generation.settings import Settings
from keras_ft.generation.writer import Step, Writer, Written, over_growing_cache
from keras_ft.layers.decoder import logits_of


class _Ended(NamedTuple):
    """The best finished texts of each example, best first."""

    ids: tf.Tensor  # (examples, beams, room)
    lengths: tf.Tensor  # (examples, beams)
    scores: tf.Tensor  # (examples, beams), NEVER where there is none
    by_itself: tf.Tensor  # (examples, beams), whether it came to its end


class _State(NamedTuple):
    texts: Texts  # of the running beams, (examples * beams, …)
    scores: tf.Tensor  # (examples, beams), log-probabilities
    parents: tf.Tensor  # (examples * beams,), the rows of the cache that the running beams go on from
    ended: _Ended
    open: tf.Tensor  # (examples,)
    tail: tf.Tensor  # (examples * beams,)
    forced: Any  # a Progress, or () without forced words


def search(writer: Writer, prompts: tf.RaggedTensor, settings: Settings) -> Written:
    """Continue each prompt with the best texts that are found.

    Args:
        writer: the model.
        prompts: int32 `[examples, None]`, at least one token in a row.
        settings: one value an example.

    Returns:
        What was written, `num_return` rows an example, best first.
    """
    beams = writer.options.num_beams
    prompts = prompts.with_row_splits_dtype(tf.int32)
    examples = prompts.nrows()
    rows = tf.repeat(tf.range(examples), beams)  # (examples * beams,)
    room = writer.room_behind(prompts.row_lengths(), settings)  # (examples,)
    steps = tf.reduce_max(tf.concat([room, [0]], 0))
    ids = tf.gather(tf.pad(prompts.to_tensor(-1), [[0, 0], [0, steps]], constant_values=-1), rows)
    lengths = tf.gather(prompts.row_lengths(), rows)
    rules = writer.rules(Settings(*(tf.gather(values, rows) for values in settings)))

    def choose(logits: tf.Tensor, state: _State) -> _State:
        texts, vocabulary = state.texts, logits.shape[-1]
        written = (texts.lengths - texts.prompts)[::beams]  # (examples,)
        of_all = log_probability = tf.nn.log_softmax(logits)
        for rule in rules:
            log_probability = rule(log_probability, texts)
        begins = tf.fill([examples * beams], False)
        if writer.forced:
            left = tf.repeat(room - written, beams)
            log_probability, begins = writer.forced.apply(of_all, log_probability, state.forced, left)
        total = tf.reshape(log_probability, [examples, beams, vocabulary]) + state.scores[:, :, None]
        scores, places = tf.math.top_k(tf.reshape(total, [examples, beams * vocabulary]), 2 * beams)
        parents, tokens = places // vocabulary, places % vocabulary  # (examples, 2 * beams)
        from_row = tf.reshape(parents + beams * tf.range(examples)[:, None], [-1])
        longer = _rows_of(texts, from_row).with_next(tf.reshape(tokens, [-1]), tf.fill([tf.size(tokens)], True))
        tail, stops = tf.gather(state.tail, from_row), tokens == writer.end_id
        if writer.stop:
            tail, found = writer.stop.after(tail, tf.reshape(tokens, [-1]))
            stops |= tf.reshape(found, tf.shape(tokens))
        ends = stops | (written + 1 >= room)[:, None]  # (examples, 2 * beams)
        by_length = tf.cast(written + 1, tf.float32)[:, None] ** writer.options.length_penalty  # (examples, 1)
        is_allowed = scores > NEVER / 2  # there may be fewer texts than beams
        ended = _with_finished(state.ended, longer, scores / by_length, ends & is_allowed, stops)
        running, order = tf.math.top_k(scores + tf.where(ends, NEVER, 0.0), beams)  # (examples, beams)
        chosen = tf.reshape(order + 2 * beams * tf.range(examples)[:, None], [-1])  # among candidates
        parent_rows = tf.gather(from_row, chosen)
        after = _rows_of(longer, chosen)
        progress: Any = ()
        if writer.forced:
            before = Progress(*(tf.gather(part, parent_rows) for part in state.forced))
            token = tf.gather(tf.reshape(tokens, [-1]), chosen)
            progress = writer.forced.after(before, token, tf.gather(begins, parent_rows), after)
        worst = tf.reduce_min(ended.scores, axis=1, keepdims=True)  # NEVER while there are fewer than `num_beams`
        is_open = (running[:, :1] / by_length > worst)[:, 0] & ~tf.reduce_all(ends, axis=1)
        if writer.options.early_stopping:
            is_open &= ~tf.reduce_all(ended.scores > NEVER / 2, axis=1)
        new = _State(after, running, parent_rows, ended, state.open & is_open, tf.gather(tail, chosen), progress)
        return _where_open(state.open, new, state, beams)

    def step(state: _State, cache: Cache) -> tuple[_State, Cache]:
        cache = cache.rows(state.parents, writer.view.num_heads)
        positions = state.texts.lengths[:, None] - 1
        logits, cache = writer.next_logits(state.texts.last(1), positions, cache)
        stays = state._replace(parents=tf.range(examples * beams))
        return choose(logits, stays), cache

    hidden, cache = read_prompts(writer.view, prompts)
    first_alone = tf.where(tf.range(beams) == 0, 0.0, NEVER)
    start = _State(
        Texts(ids, lengths, lengths),
        tf.tile(first_alone[None], [examples, 1]),
        tf.range(examples * beams),
        _Ended(
            tf.reshape(ids, [examples, beams, tf.shape(ids)[1]]),
            tf.reshape(lengths, [examples, beams]),
            tf.fill([examples, beams], NEVER),
            tf.fill([examples, beams], False),
        ),
        room > 0,
        writer.stop.start(examples * beams) if writer.stop else tf.fill([examples * beams], ""),
        writer.forced.start(examples * beams) if writer.forced else (),
    )
    logits = tf.gather(logits_of(writer.view, hidden), rows)
    state = choose(logits, start)
    cache = cache.rows(rows, writer.view.num_heads)
    state = over_growing_cache([Step(step)], lambda state: tf.reduce_any(state.open), state, cache)
    return _best(writer, state.ended, lengths)


def _rows_of(texts: Texts, rows: tf.Tensor) -> Texts:
    return Texts(*(tf.gather(part, rows) for part in texts))


def _with_finished(
    ended: _Ended,
    longer: Texts,
    scores: tf.Tensor,
    ends: tf.Tensor,
    stops: tf.Tensor,
) -> _Ended:
    """The best of the finished texts and of the candidates that end.

    Args:
        ended: the finished ones so far, `(examples, beams, …)`.
        longer: the candidates, `(examples * 2 * beams, …)`, best first in each example.
        scores: theirs, `(examples, 2 * beams)`, with the length penalty in them.
        ends: whether they end; only the better half may.
        stops: whether they do so by themselves.
    """
    examples, beams, room = tf.unstack(tf.shape(ended.ids))
    may_end = ends & (tf.range(2 * beams) < beams)
    scores = tf.concat([ended.scores, tf.where(may_end, scores, NEVER)], axis=1)  # (examples, 3 * beams)
    ids = tf.concat([ended.ids, tf.reshape(longer.ids, [examples, 2 * beams, room])], axis=1)
    lengths = tf.concat([ended.lengths, tf.reshape(longer.lengths, [examples, 2 * beams])], axis=1)
    by_itself = tf.concat([ended.by_itself, stops], axis=1)
    scores, order = tf.math.top_k(scores, beams)
    ids, lengths, by_itself = (tf.gather(part, order, batch_dims=1) for part in (ids, lengths, by_itself))
    return _Ended(ids, lengths, scores, by_itself)


def _where_open(is_open: tf.Tensor, new: _State, old: _State, beams: int) -> _State:
    """The new state of open examples, the old one of the others."""

    def chosen(where: tf.Tensor, *names: str) -> dict[str, Any]:
        def pick(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
            return tf.where(tf.reshape(where, [-1, *[1] * (one.shape.rank - 1)]), one, other)

        return {name: tf.nest.map_structure(pick, getattr(new, name), getattr(old, name)) for name in names}

    of_rows = chosen(tf.repeat(is_open, beams), "texts", "parents", "tail", "forced")
    return _State(**of_rows, **chosen(is_open, "scores", "ended", "open"))


def _best(writer: Writer, ended: _Ended, prompts: tf.Tensor) -> Written:
    """The best `num_return` texts of each example, one row behind the other."""
    count = writer.options.num_return
    ids, lengths, scores, by_itself = (part[:, :count] for part in ended)
    beams = tf.shape(ended.scores)[1]
    prompts = tf.reshape(prompts, [-1, beams])[:, :count]
    flat = tf.reshape(ids, [tf.size(lengths), tf.shape(ids)[2]])
    texts = Texts(flat, tf.reshape(lengths, [-1]), tf.reshape(prompts, [-1]))
    scores = tf.reshape(tf.where(lengths > prompts, scores, 0.0), [-1])
    return finished(writer, texts, scores, tf.reshape(by_itself, [-1]))
