"""The signature `search` of an export: texts that mean the same as a query, with ids and scores."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_ft.data.progress import tracked
from keras_ft.errors import RequestError
from keras_ft.evaluation.predictor import answer_texts
from keras_ft.layers.contrastive import unit
from keras_ft.layers.task_model import ModelView
from keras_ft.search.items import Items, ItemsFile
from keras_ft.search.nearest import SMALL, NearestVectors
from keras_ft.search.vectors import TextVectors
from keras_ft.tasks.embedding import Embedding
from keras_ft.text.load import Tokenizer

MOST_ITEMS = 200_000
DEFAULT_K = 10
NO_SCORE = -1.0  # where there is no text


class SearchIndex(tf.Module):
    """Texts with their ids and vectors, as variables: a graph may hold 2 GB, and variables what they want.

    Args:
        items: all of them.
        vectors: `(items, hidden)` float32 of length 1.
        small: see `NearestVectors`.
    """

    def __init__(self, items: Items, vectors: np.ndarray, small: int = SMALL):
        super().__init__(name="search_index")
        self.nearest = NearestVectors(vectors, small)
        self.ids = tf.Variable(items.ids, trainable=False, name="ids", dtype=tf.string)
        self.texts = tf.Variable(items.texts, trainable=False, name="texts", dtype=tf.string)

    def __call__(self, queries: tf.Tensor, is_empty: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The nearest texts of each query, best first.

        Args:
            queries: `(queries, hidden)` float32 of length 1.
            is_empty: `(queries,)` bool; an empty query finds nothing.
            k: `(queries,)` int32: how many texts are wanted, −1 for ten.

        Returns:
            `ids`, `texts`, `scores` (cosines), `(queries, most)` each, where `most` is the largest k, or the number of
            texts if that is less. A query that wants fewer has empty strings and −1 at the end.

        Raises:
            tf.errors.InvalidArgumentError: a k is below −1.
        """
        message = "k should be 0 or more, or -1 for the default; given"
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(k >= -1), [message, k], summarize=8)]):
            wanted = tf.minimum(tf.where(k == -1, DEFAULT_K, k), self.nearest.count)
        most = tf.maximum(tf.reduce_max(wanted), 0)  # of no queries the maximum is very small
        scores, places = self.nearest(queries, most)  # (queries, most)
        is_found = (tf.range(most) < wanted[:, None]) & ~is_empty[:, None]
        return {
            "ids": tf.where(is_found, tf.gather(self.ids, places), ""),
            "texts": tf.where(is_found, tf.gather(self.texts, places), ""),
            "scores": tf.where(is_found, scores, NO_SCORE),
        }


def search_specs() -> dict[str, tf.TensorSpec]:
    """What the signature takes, `(queries,)` each."""
    return {"text": tf.TensorSpec([None], tf.string, "text"), "k": tf.TensorSpec([None], tf.int32, "k")}


def search(
    task: Embedding, tokenizer: Tokenizer, view: ModelView, index: SearchIndex, given: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """The whole way of a query: a text without a token is empty.

    Args:
        task, tokenizer, view: of the model whose vectors the index has.
        index: what is searched.
        given: by the names of `search_specs`.

    Returns:
        What the index answers, and `truncated` `(queries,)`.
    """
    answers = answer_texts(task, tokenizer, view, {"text": given["text"]}, None)
    is_empty = tokenizer.tokenize(given["text"]).row_lengths() == 0
    return {**index(unit(answers["embedding"]), is_empty, given["k"]), "truncated": answers["truncated"]}


def read_index(vectors_of: TextVectors, source: ItemsFile, tell: Callable[[str], None]) -> SearchIndex:
    """The texts of a file and their vectors.

    Args:
        vectors_of: of the model that will be asked.
        source: the file.
        tell: is given a line for the user.

    Raises:
        RequestError: what `ItemsFile.read` raises, or there are more texts than are searched one by one.
    """
    chunks: list[Items] = []
    total = 0
    for items in source.read():
        chunks.append(items)
        total += len(items)
        if total > MOST_ITEMS:
            raise RequestError(
                f"{source.file} has more than {MOST_ITEMS:,} texts, the most that an export searches; write an index"
                f" for a larger engine instead: keras-ft index RUN {source.file} --to FOLDER --hnsw"
            )
    passing = tracked(chunks, "Encoding", tell, total)
    vectors = np.concatenate([vectors_of(items.texts) for items in passing])
    joined = Items([i for items in chunks for i in items.ids], [text for items in chunks for text in items.texts])
    return SearchIndex(joined, vectors)
