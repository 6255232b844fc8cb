"""Requests in, texts out: prompts, generation and detokenizing, as one graph."""

from dataclasses import replace
from typing import Any

import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.generation.beam import search
from keras_ft.generation.forced import ForcedWords
from keras_ft.generation.sample import write
from keras_ft.generation.settings import Settings
from keras_ft.generation.stop import StopStrings
from keras_ft.generation.writer import Writer
from keras_ft.layers.gpt2_view import for_generation
from keras_ft.layers.task_model import ModelView
from keras_ft.tasks.language import LanguageTask, end_id
from keras_ft.text.byte_pair import BytePairTokenizer

Tensor = Any
INTEGERS, NUMBERS = ("max_new_tokens", "top_k", "seed"), ("temperature", "top_p")
ASKED = dict.fromkeys(INTEGERS, tf.int32) | dict.fromkeys(NUMBERS, tf.float32)


class TextWriter:
    """What a task's model writes to requests. Words and stop strings of the recipe are looked up once, here.

    Args:
        task: frames requests, and says how to write.
        tokenizer: of the model.
    """

    def __init__(self, task: LanguageTask, tokenizer: BytePairTokenizer):
        self.task, self.tokenizer = task, tokenizer
        options, end = task.generation, end_id(tokenizer)
        forced = [self._ids(word) for word in options.forced_words]
        self._parts: dict[str, Any] = {
            "end_id": end,
            "options": options,
            "banned": [self._ids(word) for banned in options.banned_words for word in (banned, f" {banned}")],
            "forced": ForcedWords(forced, end) if forced else None,
            "stop": StopStrings(options.stop, tokenizer.written) if options.stop else None,
        }

    def __call__(
        self, view: ModelView, columns: dict[str, tf.Tensor], asked: dict[str, tf.Tensor] | None = None
    ) -> dict[str, tf.Tensor]:
        """The texts for requests.

        Args:
            view: the weights, as tensors or as an export's variables.
            columns: by the task's text column: strings `(examples,)`, or `(examples, longest)` where it holds lists.
            asked: settings of each example by the names of `ASKED`, `(examples,)`, −1 for the recipe's; with them the
                model samples, also where the recipe searches.

        Returns:
            `text`, `num_tokens` (end-of-text included), `score` (log-probability in nats / num_tokens **
            length_penalty), `truncated` (whether the request was too long), `(examples,)` each. Where the recipe wants
            several texts, also `texts` and `scores`, `(examples, num_return)`, best first.
        """
        options, count = self.task.generation, 1
        writer = Writer(view.backbone, **self._parts)
        prompts = self.task.prompts(self.tokenizer, columns)
        settings = Settings.of(options, tf.shape(prompts.truncated)[0])
        if asked is not None:
            written = write(writer, prompts.ids, settings.asked(asked), draws=True)
        elif options.num_beams > 1:
            written, count = search(writer, prompts.ids, settings), options.num_return
        else:
            written = write(writer, prompts.ids, settings, draws=options.do_sample)
        texts = self.tokenizer.detokenize(written.ids)
        if writer.stop:
            texts = writer.stop.cut(texts)
        answers = {
            "text": texts[::count],
            "num_tokens": written.num_tokens[::count],
            "score": written.score[::count],
            "truncated": prompts.truncated,
        }
        if count > 1:
            answers |= {"texts": tf.reshape(texts, [-1, count]), "scores": tf.reshape(written.score, [-1, count])}
        return answers

    def score(self, view: ModelView, columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """How probable given texts are.

        Args:
            view: the weights.
            columns: strings by the task's feature columns that must be there.

        Returns:
            `(examples,)` each: `log_likelihood`, in nats, of the tokens that the task predicts (the whole of a text, a
            target, or replies), `num_tokens` (how many they are), and `truncated`.
        """
        filled = {name: tf.zeros_like(next(iter(columns.values()))) for name in self.task.optional_columns}
        found = self.task.features(self.tokenizer, columns | filled)
        limit = view.backbone.position_embedding.shape[0]
        ids, segments = found.ids[:, :limit], found.segments[:, :limit]
        batch = TokenBatch.from_lengths(ids.flat_values, ids.row_lengths(), segments.flat_values)
        loss, counts = self.task.evaluation_loss(self.task.forward(view, batch), batch)
        return {
            "log_likelihood": -loss * counts,
            "num_tokens": tf.cast(counts, tf.int32),
            "truncated": found.truncated | (found.ids.row_lengths() > limit),
        }

    def _ids(self, word: str) -> list[int]:
        return self.tokenizer.tokenize(tf.constant([word])).numpy()[0].tolist()


def for_writing(view: ModelView) -> ModelView:
    """A view whose weights are laid out as writing reads them."""
    return replace(view, backbone=for_generation(view.backbone))


def asked_specs() -> dict[str, tf.TensorSpec]:
    """What a signature takes of settings, `(examples,)` each."""
    return {name: tf.TensorSpec([None], dtype, name=name) for name, dtype in ASKED.items()}


def request_specs(columns: tuple[str, ...], lists: tuple[str, ...]) -> dict[str, tf.TensorSpec]:
    """What a signature takes: strings `(examples,)`, or `(examples, longest)` of the columns that hold lists."""
    shapes = {name: [None, None] if name in lists else [None] for name in columns}
    return {name: tf.TensorSpec(shape, tf.string, name=name) for name, shape in shapes.items()}
