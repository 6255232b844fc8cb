"""Running a writer on lists of ids, in a graph of dynamic shapes, as an export does."""

import keras
import numpy as np
import tensorflow as tf

from keras_ft.batch import TokenBatch
from keras_ft.generation.beam import search
from keras_ft.generation.options import GenerationOptions
from keras_ft.generation.sample import write
from keras_ft.generation.settings import Settings
from keras_ft.generation.writer import Writer, Written
from keras_ft.layers.decoder import decode, logits_of

END = 449
TYPES = {"max_new_tokens": tf.int32, "temperature": tf.float32, "top_k": tf.int32, "top_p": tf.float32, "seed": tf.int32}


class Writing:
    """`writing(prompts, top_k=[…], …)` → texts as lists of ids; traced once, whatever the batch."""

    def __init__(self, view, end_id: int = END, banned=(), forced=None, stop=None, **options):
        self.options = GenerationOptions(**options)
        self.writer = Writer(view, end_id, self.options, [list(ids) for ids in banned], forced, stop)
        signature = {name: tf.TensorSpec([None], dtype, name) for name, dtype in TYPES.items()}
        prompts = tf.RaggedTensorSpec([None, None], tf.int32, 1, tf.int64)
        self.function = tf.function(self._write, input_signature=[prompts, signature], autograph=False)

    def _write(self, prompts: tf.RaggedTensor, inputs: dict[str, tf.Tensor]) -> Written:
        settings = Settings.of(self.options, tf.cast(prompts.nrows(), tf.int32)).asked(inputs)
        if self.options.num_beams > 1:
            return search(self.writer, prompts, settings)
        return write(self.writer, prompts, settings, draws=self.options.do_sample)

    def written(self, prompts: list[list[int]], **asked: list) -> Written:
        inputs = {name: tf.constant(asked.get(name, [-1] * len(prompts)), dtype) for name, dtype in TYPES.items()}
        flat = tf.constant([token for prompt in prompts for token in prompt], tf.int32)
        lengths = tf.constant([len(prompt) for prompt in prompts], tf.int64)
        return self.function(tf.RaggedTensor.from_row_lengths(flat, lengths), inputs)

    def __call__(self, prompts: list[list[int]], **asked: list) -> list[list[int]]:
        return self.written(prompts, **asked).ids.to_list()


class WithoutCache:
    """A model that reads the whole text again for every token: slow, and simple enough to trust."""

    def __init__(self, view):
        self.view = view
        self._last = tf.function(self._of_the_last, input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False)

    def _of_the_last(self, ids: tf.Tensor) -> tf.Tensor:
        batch = TokenBatch.from_lengths(ids, keras.ops.shape(ids)[:1])
        return logits_of(self.view, decode(self.view, batch)[-1:])[0]

    def logits(self, text: list[int]) -> np.ndarray:
        """Of what comes behind a text, `(vocabulary,)`."""
        return self._last(tf.constant(text, tf.int32)).numpy()

    def greedy(self, prompt: list[int], count: int, end_id: int = END) -> list[int]:
        """What is written, without the end."""
        text = list(prompt)
        for _ in range(count):
            token = int(np.argmax(self.logits(text)))
            if token == end_id:
                break
            text.append(token)
        return text[len(prompt) :]
