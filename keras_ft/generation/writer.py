"""What every way of writing has in common: the weights, the rules, the end, and the loop over a growing cache."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from keras_ft.generation.cache import Cache, read_next
from keras_ft.generation.forced import ForcedWords
from keras_ft.generation.options import GenerationOptions
from keras_ft.generation.rules import Rule, banned, no_repeat_ngram, not_the_end_yet, repetition_penalty
from keras_ft.generation.settings import Settings
from keras_ft.generation.stop import StopStrings
from keras_ft.layers.decoder import logits_of
from keras_ft.layers.gpt2_view import GPT2View


class Written(NamedTuple):
    """What was written behind each prompt.

    Attributes:
        ids: int32 `[rows, None]`, without the end-of-text token.
        num_tokens: `(rows,)` int32, with it.
        score: `(rows,)` float32, log-probability in nats / num_tokens ** length_penalty; 0 where there is no token.
        ended: `(rows,)` bool, whether the text came to its end rather than to the most tokens it may have.
    """

    ids: tf.RaggedTensor
    num_tokens: tf.Tensor
    score: tf.Tensor
    ended: tf.Tensor


@dataclass(frozen=True)
class Writer:
    """A model that writes, with what its recipe says about it.

    Attributes:
        view: the weights.
        end_id: of the token that ends a text.
        options: of the recipe.
        banned: sequences of tokens that must not occur.
        forced: words that must occur.
        stop: strings that end a text.
    """

    view: GPT2View
    end_id: int
    options: GenerationOptions
    banned: list[list[int]] = field(default_factory=list)
    forced: ForcedWords | None = None
    stop: StopStrings | None = None

    def rules(self, settings: Settings) -> list[Rule]:
        """The rules of these settings, one value a row; of those that would change nothing, none."""
        options, rules = self.options, []
        if options.repetition_penalty != 1.0:
            rules.append(repetition_penalty(settings.repetition_penalty))
        if options.no_repeat_ngram:
            rules.append(no_repeat_ngram(options.no_repeat_ngram))
        if self.banned:
            rules.append(banned(self.banned))
        if options.min_new_tokens:
            rules.append(not_the_end_yet(self.end_id, settings.min_new_tokens))
        return rules

    def next_logits(self, tokens: tf.Tensor, positions: tf.Tensor, cache: Cache) -> tuple[tf.Tensor, Cache]:
        """Read tokens, `(rows, count)`: logits behind each, `(rows * count, vocabulary)` float32, and the cache."""
        hidden, cache = read_next(self.view, tokens, positions, cache)
        return logits_of(self.view, hidden), cache

    def room_behind(self, lengths: tf.Tensor, settings: Settings) -> tf.Tensor:
        """How many tokens each row may write: `(rows,)` int32, no more than the model has positions for."""
        return tf.minimum(settings.max_new_tokens, self.view.position_embedding.shape[0] - lengths)


class Step(NamedTuple):
    """A step of a loop.

    Attributes:
        run: state and cache → the next.
        reads: how many tokens of a row.
        applies: state → whether this step is the next, a bool.
    """

    run: Callable[[Any, Cache], tuple[Any, Cache]]
    reads: int = 1
    applies: Callable[[Any], tf.Tensor] = lambda state: True


def over_growing_cache(
    steps: list[Step],
    goes_on: Callable[[Any], tf.Tensor],
    state: Any,
    cache: Cache,
) -> Any:
    """Repeat steps while the state says so, and let the cache grow when it is full.

    Args:
        steps: of which one applies to any state.
        goes_on: state → whether there is another step.
        state: to begin with, whose `texts` are read but for the last token; shapes stay.
        cache: to begin with.
    """
    most = max(step.reads for step in steps)

    # A cache of unknown length for the outer loop, of one length for those in it.
    def fill(state: Any, cache: Cache) -> tuple[Any, Cache]:
        cache = cache.grown()
        places = cache.places

        def fits(state: Any) -> tf.Tensor:
            return goes_on(state) & (tf.reduce_max(state.texts.lengths) - 1 + most <= places)

        # A loop for each step rather than a branch in one: what is not taken of a branch takes time, too.
        def run(state: Any, cache: Cache) -> tuple[Any, Cache]:
            for step in steps:
                more = partial(lambda step, state, _: fits(state) & step.applies(state), step)
                state, cache = tf.while_loop(more, step.run, (state, cache), parallel_iterations=1)
            return state, cache

        if len(steps) == 1:
            return run(state, cache)
        return tf.while_loop(lambda state, _: fits(state), run, (state, cache), parallel_iterations=1)

    shapes = tf.nest.map_structure(lambda tensor: tensor.shape, state)
    layers = tf.nest.map_structure(lambda tensor: tf.TensorShape([None, None, tensor.shape[-1]]), cache)
    state, _ = tf.while_loop(
        lambda state, _: goes_on(state),
        fill,
        (state, cache),
        shape_invariants=(shapes, layers),
        parallel_iterations=1,
    )
    return state
