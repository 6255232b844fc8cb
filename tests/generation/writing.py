"""Running a writer on lists of ids, in a graph of dynamic shapes, as an export does."""

import gzip
import json
from pathlib import Path

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
REFERENCE = json.loads(gzip.decompress((Path(__file__).parent / "transformers_texts.json.gz").read_bytes()))
TYPES = {
    "max_new_tokens": tf.int32,
    "temperature": tf.float32,
    "top_k": tf.int32,
    "top_p": tf.float32,
    "seed": tf.int32,
}


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
    """A model that reads a whole text at once, as in training."""

    def __init__(self, view):
        self.view = view
        self._all = tf.function(self._of_all, input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False)

    def _of_all(self, ids: tf.Tensor) -> tf.Tensor:
        return logits_of(self.view, decode(self.view, TokenBatch.from_lengths(ids, keras.ops.shape(ids)[:1])))

    def logits(self, prompt: list[int], written: list[int]) -> np.ndarray:
        """Of each token behind the prompt, one more than were written: `(tokens, vocabulary)` float64."""
        return self._all(tf.constant(prompt + written, tf.int32)).numpy()[len(prompt) - 1 :].astype("float64")

    def most_probable(self, prompt: list[int], written: list[int]) -> list[int]:
        """What a greedy writer should have written in place of each token, and behind the last."""
        return self.logits(prompt, written).argmax(axis=1).tolist()

    def log_probability(self, prompt: list[int], written: list[int]) -> float:
        """Of all that was written, in nats."""
        logits = self.logits(prompt, written)[:-1]
        of_all = np.logaddexp.reduce(logits, axis=1)
        return float((logits[np.arange(len(written)), written] - of_all).sum())


def holds(text: list[int], sequence: list[int]) -> bool:
    """Whether a sequence of tokens occurs in a text."""
    return any(text[start : start + len(sequence)] == sequence for start in range(len(text)))
