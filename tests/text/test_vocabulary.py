import json

import pytest
from tokenizers import Tokenizer, models

from keras_ft.errors import RequestError
from keras_ft.text.vocabulary import Vocabulary

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "##s", "北", "😀"]


def write(path, content: bytes):
    path.write_bytes(content)
    return path


def test_ids_are_places(tmp_path):
    vocabulary = Vocabulary.from_vocab_txt(write(tmp_path / "vocab.txt", "\n".join(TOKENS).encode()))
    assert vocabulary.tokens == TOKENS
    assert len(vocabulary) == 9
    assert vocabulary.token_to_id["北"] == 7
    assert (vocabulary.pad_id, vocabulary.unk_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id) == (
        *range(5),
    )


def test_only_line_feeds_end_a_token(tmp_path):
    tokens = ["[UNK]", "[CLS]", "[SEP]", "\u2028", "\u0085", "\x0c", "", "a b", "\x1c"]
    path = write(tmp_path / "vocab.txt", "".join(token + "\r\n" for token in tokens).encode())
    assert Vocabulary.from_vocab_txt(path).tokens == tokens


def test_saving_and_reading_back_changes_nothing(tmp_path):
    tokens = [*TOKENS, "\u2028", "\u0085", "a\rb", ""]
    Vocabulary(tokens).save(tmp_path / "vocab.txt")
    assert Vocabulary.from_vocab_txt(tmp_path / "vocab.txt").tokens == tokens


def test_a_token_that_ends_a_line_cannot_be_saved(tmp_path):
    with pytest.raises(RequestError, match="token 9"):
        Vocabulary([*TOKENS, "a\nb"]).save(tmp_path / "vocab.txt")


def test_pad_and_mask_may_be_absent():
    vocabulary = Vocabulary(["[UNK]", "[CLS]", "[SEP]"])
    assert vocabulary.pad_id is None
    assert vocabulary.mask_id is None
    assert vocabulary.special_ids == [0, 1, 2]


def test_special_tokens_can_have_other_names():
    vocabulary = Vocabulary(["<s>", "</s>", "<unk>", "<pad>"], {"cls": "<s>", "sep": "</s>", "unk": "<unk>"})
    assert (vocabulary.cls_id, vocabulary.sep_id, vocabulary.unk_id, vocabulary.pad_id) == (0, 1, 2, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: it should hold one token per line"),
        (b"[UNK]\n[CLS]\n[SEP]\na\nb\na\n", "token 'a' stands on lines 4 and 6"),
        (b"[UNK]\n[CLS]\n", r"the sep token '\[SEP\]' is not among the 2 tokens"),
        (b"[UNK]\n[CLS]\n\xff\n", "byte 12: this is no UTF-8"),
    ],
)
def test_bad_vocab_txt_says_what_is_wrong(tmp_path, content, message):
    path = write(tmp_path / "vocab.txt", content)
    with pytest.raises(RequestError, match=message) as error:
        Vocabulary.from_vocab_txt(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_absent_file_says_so(tmp_path):
    with pytest.raises(RequestError, match=r"nowhere\.txt cannot be read: No such file"):
        Vocabulary.from_vocab_txt(tmp_path / "nowhere.txt")


def test_unknown_role_says_which_exist():
    with pytest.raises(RequestError, match="'bos' does not exist: use unk, cls"):
        Vocabulary(TOKENS, {"bos": "the"})


def test_tokenizer_json_gives_model_and_added_tokens(tmp_path):
    tokenizer = Tokenizer(models.WordPiece(vocab={t: i for i, t in enumerate(TOKENS)}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[SEP]", "[ENTITY]"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert Vocabulary.from_tokenizer_json(tmp_path / "tokenizer.json").tokens == [*TOKENS, "[ENTITY]"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"type": "BPE"}}, "model type is 'BPE': only 'WordPiece' can be read"),
        ({"model": None}, "model type is None"),
        ([1], "holds a list: it should hold a JSON object"),
        ({"model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "[CLS]": 2}}}, "has the id 1"),
        ({"model": {"type": "WordPiece", "vocab": {}}}, "is empty"),
        ({"model": {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "<u>"}}, "the unk token '<u>' is not among"),
    ],
)
def test_bad_tokenizer_json_says_what_is_wrong(tmp_path, content, message):
    with pytest.raises(RequestError, match=message):
        Vocabulary.from_tokenizer_json(write(tmp_path / "tokenizer.json", json.dumps(content).encode()))


def test_broken_json_names_the_line(tmp_path):
    with pytest.raises(RequestError, match="line 2: this is no JSON"):
        Vocabulary.from_tokenizer_json(write(tmp_path / "tokenizer.json", b'{"model":\n oops}'))
