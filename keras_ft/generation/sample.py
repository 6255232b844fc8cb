"""Writing one token after the other: greedily, or by drawing."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from keras_ft.generation.cache import Cache, read_prompts
from keras_ft.generation.choice import drawn, log_probability, most_probable, numbers_to_draw_with
from keras_ft.generation.lookup import look_up
from keras_ft.generation.rules import Texts
from keras_ft.generation.settings import Settings
from keras_ft.generation.writer import Step, Writer, Written, over_growing_cache
from keras_ft.layers.decoder import logits_of


class _State(NamedTuple):
    """`(rows, …)` each; the last token of `texts` is not read yet."""

    texts: Texts
    log_probability: tf.Tensor  # float32
    ended: tf.Tensor  # bool
    tail: tf.Tensor  # strings
    forced: Any  # a Progress, or () without forced words
    guess: Any = ()  # of one text, what may come next


Choose = Callable[[tf.Tensor, _State], _State]


def write(writer: Writer, prompts: tf.RaggedTensor, settings: Settings, draws: bool) -> Written:
    """Continue each prompt.

    Args:
        writer: the model.
        prompts: int32 `[rows, None]`, at least one token in a row.
        settings: one value a row.
        draws: whether a row may draw; without, the most probable tokens are taken whatever the temperatures are.
    """
    prompts = prompts.with_row_splits_dtype(tf.int32)
    lengths, rows = prompts.row_lengths(), prompts.nrows()
    room = writer.room_behind(lengths, settings)  # (rows,)
    steps = tf.reduce_max(tf.concat([room, [0]], 0))
    ids = prompts.to_tensor(-1)
    ids = tf.pad(ids, [[0, 0], [0, steps]], constant_values=-1)
    choose = _choice(writer, settings, room, steps, draws)

    def goes_on(state: _State) -> tf.Tensor:
        written = state.texts.lengths - state.texts.prompts
        return tf.reduce_any(~state.ended & (written < room))

    hidden, cache = read_prompts(writer.view, prompts)
    start = _State(
        Texts(ids, lengths, lengths),
        tf.zeros([rows]),
        tf.fill([rows], False),
        writer.stop.start(rows) if writer.stop else tf.fill([rows], ""),
        writer.forced.start(rows) if writer.forced else (),
    )
    state = choose(logits_of(writer.view, hidden), start)
    # One text, as a chat has it, is worth operations of its own (docs/decisions/028, 030).
    state = tf.cond(
        rows == 1,
        lambda: _one_text(writer, choose, goes_on, state, cache.in_float32()),
        lambda: over_growing_cache([_next_of(writer, choose, [-1, 1])], goes_on, state, cache),
    )
    counts = tf.maximum(state.texts.lengths - state.texts.prompts, 1)
    score = state.log_probability / tf.cast(counts, tf.float32) ** writer.options.length_penalty
    return finished(writer, state.texts, score, state.ended)


def _one_text(writer: Writer, choose: Choose, goes_on: Callable, state: _State, cache: Cache) -> _State:
    """The one row of `state` to its end."""
    count = writer.options.prompt_lookup_num_tokens
    single = _next_of(writer, choose, [1, 1])
    if not count:
        return over_growing_cache([single], goes_on, state, cache)

    def with_guess(state: _State) -> _State:
        return state._replace(guess=look_up(state.texts, count))

    def one(state: _State, cache: Cache) -> tuple[_State, Cache]:
        state, cache = single.run(state, cache)
        return with_guess(state), cache

    def several(state: _State, cache: Cache) -> tuple[_State, Cache]:
        tokens = tf.concat([tf.reshape(state.texts.last(1), [1]), state.guess.tokens], 0)  # (1 + count,)
        positions = tf.reshape(state.texts.lengths, [1, 1]) - 1 + tf.range(1 + count)
        logits, cache = writer.next_logits(tokens[None], positions, cache)  # (1 + count, vocabulary)

        def was_read(number: tf.Tensor, state: _State) -> tf.Tensor:
            """Whether the last token is the one that was read as this one."""
            right = tf.reshape(state.texts.last(1), []) == tf.gather(tokens, tf.minimum(number, count))
            return (number <= count) & right & goes_on(state)

        def choose_one(number: tf.Tensor, state: _State) -> tuple[tf.Tensor, _State]:
            return number + 1, choose(logits[number : number + 1], state)

        _, state = tf.while_loop(was_read, choose_one, (0, state), parallel_iterations=1)
        return with_guess(state), cache

    steps = [
        Step(one, applies=lambda state: ~state.guess.found),
        Step(several, 1 + count, applies=lambda state: state.guess.found),
    ]
    return over_growing_cache(steps, goes_on, with_guess(state), cache)._replace(guess=())


def _next_of(writer: Writer, choose: Choose, shape: list[int]) -> Step:
    """The step that writes the next token of each row, of `shape` `[rows, 1]`."""

    def run(state: _State, cache: Cache) -> tuple[_State, Cache]:
        texts = state.texts
        # Not `tf.ensure_shape`: the graph optimizer takes what that says in one branch for true in the other.
        tokens, positions = tf.reshape(texts.last(1), shape), tf.reshape(texts.lengths - 1, shape)
        logits, cache = writer.next_logits(tokens, positions, cache)
        return choose(logits, state), cache

    return Step(run)


def _choice(writer: Writer, settings: Settings, room: tf.Tensor, steps: tf.Tensor, draws: bool) -> Choose:
    """What takes the next token of each row: logits `(rows, vocabulary)` and a state → the state behind it.

    Args:
        writer: the model.
        settings: one value a row.
        room: `(rows,)` int32, how many tokens each may write.
        steps: the most of them.
        draws: see `write`.
    """
    numbers = numbers_to_draw_with(settings.seed, tf.maximum(steps, 1)) if draws else None
    rules = writer.rules(settings)

    def choose(logits: tf.Tensor, state: _State) -> _State:
        texts = state.texts
        written = texts.lengths - texts.prompts
        allowed = logits
        for rule in rules:
            allowed = rule(allowed, texts)
        begins = state.ended  # of no meaning without forced words
        if writer.forced:
            allowed, begins = writer.forced.apply(logits, allowed, state.forced, room - written)
        if numbers is None:
            token = most_probable(allowed)
        else:
            number = tf.gather(numbers, tf.minimum(written, tf.maximum(steps - 1, 0)), batch_dims=1)
            token = drawn(allowed, settings, number)
        writes = ~state.ended & (written < room)
        texts = texts.with_next(token, writes)
        ended, tail = token == writer.end_id, state.tail
        if writer.stop:
            tail, stops = writer.stop.after(tail, token)
            ended |= stops
        return state._replace(
            texts=texts,
            log_probability=state.log_probability + tf.where(writes, log_probability(logits, token), 0.0),
            ended=state.ended | (writes & ended),
            tail=tail,
            forced=writer.forced.after(state.forced, token, begins, texts) if writer.forced else (),
        )

    return choose


def finished(writer: Writer, texts: Texts, score: tf.Tensor, ended: tf.Tensor) -> Written:
    """What was written, from texts that are done."""
    counts = texts.lengths - texts.prompts
    last = tf.gather(texts.ids, tf.maximum(texts.lengths - 1, 0), batch_dims=1)
    kept = counts - tf.cast((counts > 0) & (last == writer.end_id), tf.int32)
    within = tf.ragged.range(kept)  # (rows, None)
    columns = within.values + tf.repeat(texts.prompts, kept)
    ids = tf.gather_nd(texts.ids, tf.stack([tf.cast(within.value_rowids(), tf.int32), columns], axis=1))
    return Written(within.with_values(ids), counts, score, ended)
