import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import PreTokenizedString
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from keras_ft.text.words_of_text import WordFinder, character_classes, first_visible

FINDER = WordFinder()
HARD = [
    "EU rejects German call, doesn't it?",
    "在北京大学，我爱NLP！",
    "👩‍👩‍👧‍👦 in Zürich ❤️‍🔥",
    "naïve café Ångström é İstanbul",
    "नमस्ते दुनिया, مرحبا",
    "\u200b a\u200bb \ufeff\x00 tab\tnew\u3000wide line\u2028end",
    "",
    " \n",
]


def reference(text: str) -> list[tuple[int, int]]:
    """Where BERT's pre-tokenizer puts its words when nothing is lower-cased or stripped."""
    normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    found = PreTokenizedString(text)
    found.normalize(normalizer.normalize)
    BertPreTokenizer().pre_tokenize(found)
    return [place for _, place, _ in found.get_splits("original") if place[0] < place[1]]


def words(texts: list[str]) -> list[list[tuple[int, int]]]:
    found = FINDER(tf.constant([text.encode() for text in texts], tf.string))
    spans = list(zip(found.starts.numpy().tolist(), found.ends.numpy().tolist(), strict=True))
    splits = found.row_splits.numpy()
    return [spans[begin:end] for begin, end in itertools.pairwise(splits)]


def test_words_are_those_of_berts_pre_tokenizer_on_hard_texts():
    assert words(HARD) == [reference(text) for text in HARD]


any_text = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("a. 北，é\u0301👩\u200d\u00a0"), max_size=30
)


@settings(max_examples=100, deadline=None)
@given(st.lists(any_text, max_size=4))
def test_words_are_those_of_berts_pre_tokenizer_on_any_unicode(texts):
    found = words(texts)
    assert found == [reference(text) for text in texts]
    for text, spans in zip(texts, found, strict=True):
        firsts = [(i, i + 1) for i in [first_visible(text)]] if spans else []
        assert [(start, start + 1) for start, _ in spans[:1]] == firsts


@pytest.mark.parametrize(("text", "classes"), [("a ,\u200b北", [0, 2, 1, -1, 1]), ("", [])])
def test_every_character_has_a_class(text, classes):
    assert np.array_equal(character_classes(text), classes)
