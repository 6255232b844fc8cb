import numpy as np
import tensorflow as tf

from keras_ft.tasks.pair import Pair
from keras_ft.tasks.registry import load_task, save_task
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer
from tests.tiny import write_vocabulary


def test_two_texts_are_framed_in_two_segments_and_the_longer_is_cut(tmp_path):
    tokenizer = WordPieceTokenizer(Vocabulary.from_vocab_txt(write_vocabulary(tmp_path / "vocab.txt")))
    task = Pair(["no", "yes"], "mean", 9)
    columns = {"text_a": tf.constant(["good film", "a b c d e f g h"]), "text_b": tf.constant(["今天", "bad"])}
    sequences = task.features(tokenizer, columns)
    tokens = [[tokenizer.vocabulary.tokens[i] for i in row] for row in sequences.ids.to_list()]
    assert tokens == [
        ["[CLS]", "good", "film", "[SEP]", "今", "天", "[SEP]"],
        ["[CLS]", "a", "b", "c", "d", "e", "[SEP]", "bad", "[SEP]"],
    ]
    assert sequences.segments.to_list() == [[0] * 4 + [1] * 3, [0] * 7 + [1] * 2]
    assert sequences.truncated.numpy().tolist() == [False, True]


def test_it_is_kept_as_a_pair_and_answers_as_a_classification_does(tmp_path):
    save_task(Pair(["no", "yes"], "mean", 9, temperature=2.0), tmp_path)
    task = load_task(tmp_path)
    assert type(task) is Pair
    answer = task.answer({"logits": np.array([[0.0, 2.0]], "float32")})
    assert answer["label"].numpy().tolist() == [b"yes"]
    np.testing.assert_allclose(answer["scores"], [[0.731059, 0.268941]], rtol=1e-5)
