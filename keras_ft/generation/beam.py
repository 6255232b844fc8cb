"""Beam search, step for step as Hugging Face's `generate` does it, so that the texts are the same.

Of the candidates of a step, `2 * num_beams`, those that end a text compete with the finished ones by log-probability /
length ** length_penalty; the best of the others go on. An example is done when no running beam could, at its present
length, still beat the worst of `num_beams` finished texts.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from keras_ft.generation.cache import Cache, read_prompts
from keras_ft.generation.forced import Progress
from keras_ft.generation.rules import NEVER, Rule, Texts
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


class _Candidates(NamedTuple):
    """The `2 * num_beams` best continuations of each example, best first."""

    texts: Texts  # (examples * 2 * beams, …)
    tokens: tf.Tensor  # (examples, 2 * beams), the last ones
    scores: tf.Tensor  # (examples, 2 * beams), log-probabilities
    rows: tf.Tensor  # (examples * 2 * beams,), the running beams that they go on from
    stops: tf.Tensor  # (examples, 2 * beams), whether they come to their ends
    tail: tf.Tensor  # (examples * 2 * beams,)
    begins: tf.Tensor  # (examples * beams,), whether a running beam goes on with a forced word


def search(writer: Writer, prompts: tf.RaggedTensor, settings: Settings) -> Written:
    """Continue each prompt with the best texts that are found.

    Args:
        writer: the model.
        prompts: int32 `[examples, None]`, at least one token in a row.
        settings: one value an example.

    Returns:
        What was written, `num_return` rows an example, best first.
    """
    prompts = prompts.with_row_splits_dtype(tf.int32)
    rows = tf.repeat(tf.range(prompts.nrows()), writer.options.num_beams)  # (examples * beams,)
    rules = writer.rules(Settings(*(tf.gather(values, rows) for values in settings)))
    running = _Search(writer, rules, writer.room_behind(prompts.row_lengths(), settings))
    hidden, cache = read_prompts(writer.view, prompts)
    logits = tf.gather(logits_of(writer.view, hidden), rows)
    state = running.choose(logits, running.start(prompts, rows))
    cache = cache.rows(rows, writer.view.num_heads)
    state = over_growing_cache([Step(running.step)], lambda state: tf.reduce_any(state.open), state, cache)
    return _best(writer, state)


@dataclass(frozen=True)
class _Search:
    """The steps of a search.

    Attributes:
        writer: the model.
        rules: of its settings, for each running beam.
        room: `(examples,)`, how many tokens may be written.
    """

    writer: Writer
    rules: list[Rule]
    room: tf.Tensor

    def start(self, prompts: tf.RaggedTensor, rows: tf.Tensor) -> _State:
        """Beams that are all the prompt, of which the first alone goes on; `rows` says of which example each is."""
        writer, examples, beams = self.writer, prompts.nrows(), self.writer.options.num_beams
        steps = tf.reduce_max(tf.concat([self.room, [0]], 0))
        ids = tf.gather(tf.pad(prompts.to_tensor(-1), [[0, 0], [0, steps]], constant_values=-1), rows)
        lengths = tf.gather(prompts.row_lengths(), rows)
        first_alone = tf.where(tf.range(beams) == 0, 0.0, NEVER)
        return _State(
            Texts(ids, lengths, lengths),
            tf.tile(first_alone[None], [examples, 1]),
            tf.range(examples * beams),
            _Ended(
                tf.reshape(ids, [examples, beams, tf.shape(ids)[1]]),
                tf.reshape(lengths, [examples, beams]),
                tf.fill([examples, beams], NEVER),
                tf.fill([examples, beams], False),
            ),
            self.room > 0,
            writer.stop.start(examples * beams) if writer.stop else tf.fill([examples * beams], ""),
            writer.forced.start(examples * beams) if writer.forced else (),
        )

    def step(self, state: _State, cache: Cache) -> tuple[_State, Cache]:
        """Read the last token of each running beam, and choose the next ones."""
        cache = cache.rows(state.parents, self.writer.view.num_heads)
        positions = state.texts.lengths[:, None] - 1
        logits, cache = self.writer.next_logits(state.texts.last(1), positions, cache)
        stays = state._replace(parents=tf.range(tf.size(state.parents)))
        return self.choose(logits, stays), cache

    def choose(self, logits: tf.Tensor, state: _State) -> _State:
        """The state behind a step, from `(examples * beams, vocabulary)`."""
        options, beams = self.writer.options, self.writer.options.num_beams
        written = _written(state, beams) + 1  # by the candidates
        candidates = self._candidates(logits, state)
        ends = candidates.stops | (written >= self.room)[:, None]  # (examples, 2 * beams)
        by_length = tf.cast(written, tf.float32)[:, None] ** options.length_penalty  # (examples, 1)
        may_end = ends & (candidates.scores > NEVER / 2)  # there may be fewer texts than beams
        ended = _with_finished(state.ended, candidates, candidates.scores / by_length, may_end)
        scores, order = tf.math.top_k(candidates.scores + tf.where(ends, NEVER, 0.0), beams)  # (examples, beams)
        worst = tf.reduce_min(ended.scores, axis=1, keepdims=True)  # NEVER while there are fewer than `num_beams`
        is_open = (scores[:, :1] / by_length > worst)[:, 0] & ~tf.reduce_all(ends, axis=1)
        if options.early_stopping:
            is_open &= ~tf.reduce_all(ended.scores > NEVER / 2, axis=1)
        chosen = tf.reshape(order + 2 * beams * tf.range(tf.size(written))[:, None], [-1])
        texts, parents = _rows_of(candidates.texts, chosen), tf.gather(candidates.rows, chosen)
        forced = self._forced_behind(state, candidates, chosen, texts)
        tail = tf.gather(candidates.tail, chosen)
        new = _State(texts, scores, parents, ended, state.open & is_open, tail, forced)
        return _where_open(state.open, new, state, beams)

    def _candidates(self, logits: tf.Tensor, state: _State) -> _Candidates:
        writer, beams, vocabulary = self.writer, self.writer.options.num_beams, logits.shape[-1]
        of_all = log_probability = tf.nn.log_softmax(logits)
        for rule in self.rules:
            log_probability = rule(log_probability, state.texts)
        begins = tf.fill([tf.size(state.parents)], False)
        if writer.forced:
            left = tf.repeat(self.room - _written(state, beams), beams)
            log_probability, begins = writer.forced.apply(of_all, log_probability, state.forced, left)
        examples = tf.size(self.room)
        total = tf.reshape(log_probability, [examples, beams, vocabulary]) + state.scores[:, :, None]
        scores, places = tf.math.top_k(tf.reshape(total, [examples, beams * vocabulary]), 2 * beams)
        parents, tokens = places // vocabulary, places % vocabulary  # (examples, 2 * beams)
        rows = tf.reshape(parents + beams * tf.range(examples)[:, None], [-1])
        texts = _rows_of(state.texts, rows).with_next(tf.reshape(tokens, [-1]), tf.fill([tf.size(tokens)], True))
        tail, stops = tf.gather(state.tail, rows), tokens == writer.end_id
        if writer.stop:
            tail, found = writer.stop.after(tail, tf.reshape(tokens, [-1]))
            stops |= tf.reshape(found, tf.shape(tokens))
        return _Candidates(texts, tokens, scores, rows, stops, tail, begins)

    def _forced_behind(self, state: _State, candidates: _Candidates, chosen: tf.Tensor, texts: Texts) -> Any:
        """How far the chosen candidates are with their forced words, as in a state."""
        if not self.writer.forced:
            return ()
        rows = tf.gather(candidates.rows, chosen)
        before = Progress(*(tf.gather(part, rows) for part in state.forced))
        tokens = tf.gather(tf.reshape(candidates.tokens, [-1]), chosen)
        return self.writer.forced.after(before, tokens, tf.gather(candidates.begins, rows), texts)


def _written(state: _State, beams: int) -> tf.Tensor:
    """`(examples,)`, how many tokens each running beam has written."""
    return (state.texts.lengths - state.texts.prompts)[::beams]


def _rows_of(texts: Texts, rows: tf.Tensor) -> Texts:
    return Texts(*(tf.gather(part, rows) for part in texts))


def _with_finished(
    ended: _Ended,
    candidates: _Candidates,
    scores: tf.Tensor,
    ends: tf.Tensor,
) -> _Ended:
    """The best of the finished texts and of the candidates that end.

    Args:
        ended: the finished ones so far, `(examples, beams, …)`.
        candidates: best first in each example.
        scores: theirs, `(examples, 2 * beams)`, with the length penalty in them.
        ends: whether they end; only the better half may.
    """
    examples, beams, room = tf.unstack(tf.shape(ended.ids))
    may_end = ends & (tf.range(2 * beams) < beams)
    scores = tf.concat([ended.scores, tf.where(may_end, scores, NEVER)], axis=1)  # (examples, 3 * beams)
    ids = tf.concat([ended.ids, tf.reshape(candidates.texts.ids, [examples, 2 * beams, room])], axis=1)
    lengths = tf.concat([ended.lengths, tf.reshape(candidates.texts.lengths, [examples, 2 * beams])], axis=1)
    by_itself = tf.concat([ended.by_itself, candidates.stops], axis=1)
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


def _best(writer: Writer, state: _State) -> Written:
    """The best `num_return` texts of each example, one row behind the other."""
    count = writer.options.num_return
    ids, lengths, scores, by_itself = (part[:, :count] for part in state.ended)
    prompts = tf.reshape(state.texts.prompts, [-1, writer.options.num_beams])[:, :count]
    flat = tf.reshape(ids, [tf.size(lengths), tf.shape(ids)[2]])
    texts = Texts(flat, tf.reshape(lengths, [-1]), tf.reshape(prompts, [-1]))
    scores = tf.reshape(tf.where(lengths > prompts, scores, 0.0), [-1])
    return finished(writer, texts, scores, tf.reshape(by_itself, [-1]))
