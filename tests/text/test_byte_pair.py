import pytest

from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.load import load_tokenizer
from tests.tiny import tiny_byte_pair


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> BytePairTokenizer:
    folder = tiny_byte_pair(tmp_path_factory.mktemp("vocabulary"))
    return BytePairTokenizer.from_files(folder / "vocab.json", folder / "merges.txt")


def test_texts_come_back(tokenizer):
    texts = ["", " It's  good, isn't it?\n", "今天天气很好", "\0\ufdd0\U0010ffff", "naïve 🙂"]
    assert [text.decode() for text in tokenizer.detokenize(tokenizer.tokenize(texts)).numpy()] == texts


def test_added_tokens_get_ids_behind_the_last(tokenizer):
    added = tokenizer.with_added_tokens(["<|user|>", "<|endoftext|>", "<|bot|>"])
    assert added.vocabulary.tokens == [*tokenizer.vocabulary.tokens, "<|user|>", "<|bot|>"]


def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    added = tokenizer.with_added_tokens(["<|user|>"])
    added.save(tmp_path)
    assert load_tokenizer(tmp_path).fingerprint() == added.fingerprint() != tokenizer.fingerprint()
