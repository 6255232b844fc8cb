import json
import unicodedata

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
from bert_reference import differing_lines, traced
from byte_pair_reference import PIECES, real_texts
from code_points import CODE_POINTS
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_piece_reference import reference
from tokenizers import Tokenizer

from keras_ft.errors import RequestError
from keras_ft.text.assemble import pair
from keras_ft.text.load import load_tokenizer, tokenizer_of
from keras_ft.text.sentence_piece import SentencePieceTokenizer
from keras_ft.text.sentence_piece_files import ALBERT_FILE, XLM_ROBERTA_FILE
from keras_ft.text.sentence_piece_json import write_sentence_piece_json
from keras_ft.text.sentence_piece_model import CONTROL, UNKNOWN, Piece, SentencePieceModel
from keras_ft.text.sentence_piece_vocabulary import ALBERT_ROLES, SentencePieceVocabulary
from tests.tiny import SENTENCES
from tests.tiny_encoders import ALBERT_PIECES, learn_pieces

DELETED = {"\0", "\x01", "\x1c", "\x7f"}
ODD = [
    *PIECES,
    "½",
    "ﬁ",
    "①",
    "e\u0301",
    "\u1100\u1161",
    "각",
    "``",
    "''",
    "`",
    "\x01",
    "\x7f",
    "▁",
    "İ",
    "Σ",
    "ς",
    "㍿",
    "ﷺ",
]


@pytest.fixture(scope="module")
def xlm_roberta(tmp_path_factory):
    folder = tmp_path_factory.mktemp("xlm_roberta")
    learn_pieces(folder / XLM_ROBERTA_FILE, SENTENCES)
    return folder


@pytest.fixture(scope="module")
def albert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("albert")
    learn_pieces(folder / ALBERT_FILE, [line.lower() for line in SENTENCES], **ALBERT_PIECES)
    return folder


@pytest.fixture(scope="module", params=["xlm_roberta", "albert"])
def tokenizer(request) -> SentencePieceTokenizer:
    return tokenizer_of(request.getfixturevalue(request.param))


def reference_of(tokenizer) -> Tokenizer:
    return reference(tokenizer.model, tokenizer.vocabulary, albert=tokenizer.lowercase)


def random_texts(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(ODD, rng.integers(0, 12))) for _ in range(count)]


def is_exact(text: str) -> bool:
    """Whether the reference says where each token stands: not of characters that become one, nor where some go."""
    together = unicodedata.normalize("NFKC", text)
    apart = "".join(unicodedata.normalize("NFKC", character) for character in text)
    return together == apart and not DELETED & set(text)


def test_odd_texts_equal_the_reference(tokenizer):
    lines = random_texts(3000)
    expected = [encoding.ids for encoding in reference_of(tokenizer).encode_batch(lines, add_special_tokens=False)]
    assert tokenizer.tokenize([line.encode() for line in lines]).to_list() == expected
    lines = [*filter(is_exact, lines), "", " ", "  a  b ", *SENTENCES]
    assert len(lines) > 1000
    assert differing_lines(tokenizer, reference_of(tokenizer), lines) == []


def test_any_text_gets_the_same_ids_with_offsets_and_without(tokenizer):
    tokenize = tf.function(tokenizer.tokenize, input_signature=[tf.TensorSpec([None], tf.string)])

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.lists(st.one_of(st.text(), st.sampled_from(ODD))).map("".join), min_size=1, max_size=6))
    def check(texts):
        strings = tf.constant([text.encode() for text in texts])
        ids, starts, ends = traced(tokenizer)(strings)
        assert ids.to_list() == tokenize(strings).to_list()
        for text, begin, end in zip(texts, starts.to_list(), ends.to_list(), strict=True):
            assert all(0 <= b < e <= len(text) for b, e in zip(begin, end, strict=True))
            assert begin == sorted(begin)

    check()


@pytest.mark.slow
def test_every_code_point_equals_the_reference(albert):
    tokenizer = tokenizer_of(albert)  # which also replaces some before SentencePiece normalizes
    some = CODE_POINTS[:0x3400] + CODE_POINTS[0xA000:0x20000] + CODE_POINTS[0x20000::97]  # and what no table names
    assert differing_lines(tokenizer, reference_of(tokenizer), some, batch_size=50_000) == []


def test_sentencepiece_itself_gives_the_same_pieces(xlm_roberta):
    ours = tokenizer_of(xlm_roberta)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(xlm_roberta / XLM_ROBERTA_FILE))
    lines = [text for text in [*random_texts(500), *SENTENCES] if "\x85" not in text]
    fairseq = [[3 if i == 0 else i + 1 for i in row] for row in theirs.encode(lines)]
    assert ours.tokenize([line.encode() for line in lines]).to_list() == fairseq


@pytest.mark.shared
@pytest.mark.slow
def test_real_texts_equal_the_reference(shared_data, tmp_path):
    lines = list(real_texts(shared_data))[::25]
    assert len(lines) >= 3000
    learn_pieces(tmp_path / XLM_ROBERTA_FILE, lines[::2], 6000, character_coverage=0.98)
    tokenizer = tokenizer_of(tmp_path)
    assert differing_lines(tokenizer, reference_of(tokenizer), lines) == []


def test_characters_that_become_one_have_the_offsets_of_all(xlm_roberta):
    ids, starts, ends = tokenizer_of(xlm_roberta).tokenize_with_offsets(["cafe\u0301 b½"])
    spans = list(zip(starts.to_list()[0], ends.to_list()[0], strict=True))
    assert (3, 5) in spans
    assert spans[-1] == (7, 8)
    deleted = tokenizer_of(xlm_roberta).tokenize_with_offsets(["\x01t\x7fh \x01", "a\x01"])
    assert [row[-1] for row in deleted[2].to_list()] == [4, 1]
    assert [row[0] for row in deleted[1].to_list()] == [1, 0]
    assert ids.dtype == starts.dtype == ends.dtype == tf.int32


def test_invalid_utf8_is_what_python_makes_of_it(tokenizer):
    texts = [b"hello\xff play", b"\xe5\x8c\x97\xe4\xba", b"\xed\xa0\x80the", b"a\0b \0"]
    expected = reference_of(tokenizer).encode_batch(
        [text.decode("utf-8", "replace") for text in texts], add_special_tokens=False
    )
    assert tokenizer.tokenize(texts).to_list() == [e.ids for e in expected]


def test_ids_become_the_text_that_the_reference_writes(tokenizer):
    expected = reference_of(tokenizer)
    rng = np.random.default_rng(0)
    normal = [i for i, piece in enumerate(tokenizer.model.pieces) if piece.kind not in (2, CONTROL)]
    rows = [rng.choice(normal, rng.integers(0, 9)).tolist() for _ in range(300)]
    texts = tokenizer.detokenize(tf.ragged.constant(rows, tf.int32)).numpy()
    assert [text.decode() for text in texts] == expected.decode_batch(rows)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tokenizer.detokenize(tf.ragged.constant([[len(tokenizer.vocabulary)]], tf.int32))
    framed = [[tokenizer.vocabulary.cls_id, normal[-1], tokenizer.vocabulary.sep_id]]
    assert tokenizer.detokenize(tf.ragged.constant(framed)) == tokenizer.detokenize(tf.ragged.constant([normal[-1:]]))


def test_no_texts_and_empty_texts(tokenizer):
    assert tokenizer.tokenize([]).to_list() == []
    assert tokenizer.tokenize(["", " ", "\x01"]).to_list() == [[], [], []]
    ids, _, ends = tokenizer.tokenize_with_offsets(tf.constant([], tf.string))
    assert (ids.dtype, ids.nrows(), ends.to_list()) == (tf.int32, 0, [])
    assert tokenizer.tokenize_with_offsets(["", "a", ""])[2].to_list()[::2] == [[], []]


def test_pairs_are_framed_as_the_reference_frames_them(tokenizer):
    encoded = reference_of(tokenizer).encode("good", "weather today")
    a, b = (tokenizer.tokenize([text]) for text in ("good", "weather today"))
    framed = pair(a, b, tokenizer.vocabulary, 64)
    assert framed.ids.to_list() == [encoded.ids]
    assert framed.segments.to_list() == [encoded.type_ids]


def test_special_tokens_in_a_text_are_text(tokenizer):
    special = [i for i, piece in enumerate(tokenizer.model.pieces) if piece.kind == CONTROL]
    texts = [piece.text for piece in tokenizer.model.pieces if piece.kind == CONTROL]
    assert texts
    assert not set(special) & set(tokenizer.tokenize([" ".join(texts)]).values.numpy().tolist())


def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.fingerprint() == tokenizer.fingerprint()
    assert loaded.tokenize(SENTENCES).to_list() == tokenizer.tokenize(SENTENCES).to_list()
    (tmp_path / "config.json").write_text(json.dumps(tokenizer.config | {"lowercase": not tokenizer.lowercase}))
    assert load_tokenizer(tmp_path).fingerprint() != tokenizer.fingerprint()
    (tmp_path / "sentencepiece.model").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(RequestError, match="is no SentencePiece model"):
        load_tokenizer(tmp_path)


def test_tokenizer_json_says_all_that_is_needed(tokenizer, tmp_path):
    write_sentence_piece_json(tokenizer, tmp_path / "tokenizer.json")
    roles = {f"{role}_token": token for role, token in tokenizer.vocabulary.special_tokens.items()}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(roles))
    again = tokenizer_of(tmp_path)
    assert again.tokenize(ODD).to_list() == tokenizer.tokenize(ODD).to_list()
    assert again.config == tokenizer.config
    theirs = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    encoded = theirs.encode_batch(SENTENCES, add_special_tokens=False)
    assert [e.ids for e in encoded] == tokenizer.tokenize(SENTENCES).to_list()


def test_alberts_numbers_are_parted_from_commas(tmp_path):
    special = [Piece("<pad>", 0.0, CONTROL), Piece("<unk>", 0.0, UNKNOWN)]
    special += [Piece(text, 0.0, CONTROL) for text in ("[CLS]", "[SEP]", "[MASK]")]
    pieces = [*special, Piece("▁2", -3.0), Piece("▁2,", -1.0), Piece(",", -5.0), Piece("0", -2.0)]
    (tmp_path / ALBERT_FILE).write_bytes(SentencePieceModel(pieces).to_bytes())
    tokenizer = tokenizer_of(tmp_path)
    assert [tokenizer.vocabulary.tokens[i] for i in tokenizer.tokenize(["2,00"]).values] == ["▁2", ",", "0", "0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normalizer": None}, "normalizer is None: only a Precompiled one"),
        ({"normalizer": {"type": "NFC"}}, "normalizer is NFC"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer is Whitespace"),
        ({"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "never"}}, "pre_tokenizer is Metaspace"),
        ({"post_processor": None}, "post_processor None frames texts otherwise"),
        ({"added_tokens": [{"id": 300, "content": "x"}]}, "added token 'x' is found in texts"),
    ],
)
def test_what_cannot_be_done_is_refused(albert, tmp_path, change, message):
    write_sentence_piece_json(tokenizer_of(albert), tmp_path / "tokenizer.json")
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps(content | change))
    with pytest.raises(RequestError) as error:
        tokenizer_of(tmp_path)
    assert message in str(error.value)


def test_a_model_of_another_kind_or_without_its_special_pieces_is_refused(albert, tmp_path):
    (tmp_path / XLM_ROBERTA_FILE).write_bytes((albert / ALBERT_FILE).read_bytes())
    with pytest.raises(RequestError, match="should begin with the pieces <unk>, <s> and </s>"):
        tokenizer_of(tmp_path)
    learn_pieces(tmp_path / XLM_ROBERTA_FILE, SENTENCES, 200, model_type="word")
    with pytest.raises(RequestError, match="model of words or characters"):
        tokenizer_of(tmp_path)
    model = SentencePieceModel(
        [piece for piece in SentencePieceModel.read(albert / ALBERT_FILE).pieces if piece.kind != 3]
    )
    with pytest.raises(RequestError, match=r"the cls token '\[CLS\]' is not among the"):
        SentencePieceVocabulary(model, ALBERT_ROLES, "bert")
