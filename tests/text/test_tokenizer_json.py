"""Every `tokenizer.json` that is read gives the ids and offsets of Hugging Face's `tokenizers`; others are refused."""

import itertools
import json

import pytest
from bert_reference import PIECES, SPECIAL, differing_lines, reference
from code_points import CODE_POINTS
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from test_wordpiece import is_reordered
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from keras_ft.errors import RequestError
from keras_ft.text.tokenizer_json import write_tokenizer_json
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer

EXTRA = "## €€ ##€ a€ ++ ##+ ... ##. \u200b ##\u200b \x07 ##\x07 \ufffd \ufeff नमस्ते का ##ा क ##क #i ##ing# _ a_b É È"
TOKENS = list(dict.fromkeys([*SPECIAL, *PIECES.split(), *EXTRA.split(" "), "é", "É", "A", "##A"]))
TOKENS.remove("##")
LINES = [
    "Hello, WORLD!! café É È Ünï e\u0301 a\u0327\u0301",
    "a€€b €€ ++a+ ... a.b.c a_b #i ##ing ###ing x##ing ##ing# ##",
    "नमस्ते दुनिया का क\u093e",
    "北京天安门 a北b ｆｕｌｌ，！ ½ﬁ℃",
    "a\x00b \x07\x07 x\x85y a\x0bb\x1cc\u2028d\u200be\ufeff \ufffd \u00ad",
    "İstanbul ΑΣ ς straße ǅ ﬀ",
    "مرحبا بِسْمِ 각 각 👩‍👩‍👧 ❤️ 😀",
    "   tabs\t\tand\nlines\r\n ",
    "[CLS] [MASK] [unk] <e1>x</e1> http://x.com?a=1&b=2",
]
NORMALIZERS = {
    "none": None,
    "lowercase": normalizers.Lowercase(),
    "empty": normalizers.Sequence([]),
    "nfd_lower_strip": normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]),
    "lower_nfd_strip": normalizers.Sequence([normalizers.Lowercase(), normalizers.NFD(), normalizers.StripAccents()]),
    "nfd_strip_lower": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
    "nfd_strip": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
    "bert_then_lower": normalizers.Sequence(
        [normalizers.BertNormalizer(lowercase=False), normalizers.Sequence([normalizers.Lowercase()])]
    ),
    "bert_then_nfd_strip": normalizers.Sequence(
        [normalizers.BertNormalizer(lowercase=False), normalizers.NFD(), normalizers.StripAccents()]
    ),
    "bert_lower_then_nfd_strip": normalizers.Sequence(
        [normalizers.BertNormalizer(strip_accents=False), normalizers.NFD(), normalizers.StripAccents()]
    ),
    "strip": normalizers.Sequence([normalizers.Strip(), normalizers.BertNormalizer()]),
}
BERT_NORMALIZERS = {
    f"bert_{clean}_{chinese}_{strip}_{lower}": normalizers.BertNormalizer(clean, chinese, strip, lower)
    for clean, chinese, strip, lower in itertools.product(
        (True, False), (True, False), (None, True, False), (True, False)
    )
}
PRE_TOKENIZERS = {
    "bert": pre_tokenizers.BertPreTokenizer(),
    "whitespace": pre_tokenizers.Whitespace(),
    "whitespace_split": pre_tokenizers.WhitespaceSplit(),
    "split_punctuation": pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]),
    "split_whitespace": pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Whitespace()]),
    "bert_split": pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.WhitespaceSplit()]),
}


def tokenizer_of(normalizer, pre_tokenizer, tokens=TOKENS, **model) -> Tokenizer:
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, **{"unk_token": "[UNK]"} | model))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


def read(expected: Tokenizer, folder, **options) -> WordPieceTokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    expected.save(str(folder / "tokenizer.json"))
    return WordPieceTokenizer.from_hugging_face(folder, **options)


def compare(expected: Tokenizer, folder, lines) -> None:
    """Read it, and write what was read and let `tokenizers` read that."""
    tokenizer = read(expected, folder)
    assert differing_lines(tokenizer, expected, lines) == []
    write_tokenizer_json(tokenizer, folder / "written.json")
    assert differing_lines(tokenizer, Tokenizer.from_file(str(folder / "written.json")), lines) == []


def in_turn(names, words):
    """Each name once, and each of the words with some of them."""
    return [(name, list(words)[i % len(words)]) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("name", "words"), in_turn(NORMALIZERS, PRE_TOKENIZERS) + [("none", words) for words in PRE_TOKENIZERS]
)
def test_every_normalizer_and_pre_tokenizer_is_followed(tmp_path, hard_lines, name, words):
    lines = LINES + [line for line in hard_lines if not is_reordered(line)]
    compare(tokenizer_of(NORMALIZERS[name], PRE_TOKENIZERS[words]), tmp_path, lines)


@pytest.mark.parametrize(("name", "words"), in_turn(BERT_NORMALIZERS, [*PRE_TOKENIZERS][:5]))
def test_every_bert_normalizer_is_followed(tmp_path, name, words):
    compare(tokenizer_of(BERT_NORMALIZERS[name], PRE_TOKENIZERS[words]), tmp_path, LINES)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "whitespace_split"),
        ("nfd_lower_strip", "whitespace"),
        ("bert_False_True_True_True", "bert"),
        ("bert_False_False_None_False", "whitespace"),
    ],
)
def test_any_text_equals_the_reference(tmp_path, name, words):
    expected = tokenizer_of((NORMALIZERS | BERT_NORMALIZERS)[name], PRE_TOKENIZERS[words])
    tokenizer = read(expected, tmp_path)
    parts = st.sampled_from([*TOKENS, "##", "\x00", "\x85", "\u2028", "\ufdd3", "\U0010ffff", " ", "+", "€", "北"])
    lines = st.lists(st.one_of(st.text(), st.text("aAéÉ€+#_ \x00\u0301\u093e\u200b北"), parts)).map("".join)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(lines, min_size=1, max_size=8))
    @example(["##ing##ing", "##i", "a##", "\x00a", "##\u093e"])
    def check(texts):
        assume(not any(map(is_reordered, texts)))
        assert differing_lines(tokenizer, expected, texts) == []

    check()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["nfd_lower_strip", "lower_nfd_strip", "nfd_strip_lower", "none", "bert_then_nfd_strip"]
)
def test_every_code_point_equals_the_reference(tmp_path, every_character, name):
    characters = [c for c in CODE_POINTS if c != "\U0010ffff"]
    lines = [" ".join(f"a{c}b {c}" for c in characters[i : i + 128]) for i in range(0, len(characters), 128)]
    expected = tokenizer_of(NORMALIZERS[name], PRE_TOKENIZERS["whitespace"], every_character.tokens)
    assert differing_lines(read(expected, tmp_path), expected, lines) == []


@pytest.mark.parametrize("prefix", ["@@", "▁", "x"])
def test_another_prefix_of_continuing_tokens_is_followed(tmp_path, prefix):
    tokens = [token.replace("##", prefix) if token.startswith("##") else token for token in TOKENS]
    tokens = [token for token in dict.fromkeys(tokens) if token != prefix]
    expected = tokenizer_of(
        BERT_NORMALIZERS["bert_True_True_None_True"], PRE_TOKENIZERS["bert"], tokens, continuing_subword_prefix=prefix
    )
    compare(expected, tmp_path, [*LINES, f"{prefix}ing {prefix}x unaffable playing"])


def test_unknown_token_and_longest_word_come_from_the_model(tmp_path):
    tokens = ["<unk>", "[CLS]", "[SEP]", "a", "##b", "[UNK]"]
    expected = tokenizer_of(
        NORMALIZERS["lowercase"], PRE_TOKENIZERS["bert"], tokens, unk_token="<unk>", max_input_chars_per_word=3
    )
    (tmp_path / "tokenizer_config.json").write_text('{"unk_token": "[UNK]"}')
    compare(expected, tmp_path, ["ab abb abbb q [UNK]"])


def test_framing_tokens_come_from_the_post_processor(tmp_path):
    expected = tokenizer_of(NORMALIZERS["lowercase"], PRE_TOKENIZERS["bert"], ["[UNK]", "<s>", "</s>", "a"])
    expected.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    vocabulary = read(expected, tmp_path / "template").vocabulary
    assert (vocabulary.cls_id, vocabulary.sep_id) == (1, 2)
    expected.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 1))
    vocabulary = read(expected, tmp_path / "bert").vocabulary
    assert (vocabulary.cls_id, vocabulary.sep_id) == (1, 2)


def test_special_tokens_map_names_what_the_others_leave_out(tmp_path):
    expected = tokenizer_of(None, PRE_TOKENIZERS["bert"], ["[UNK]", "<s>", "</s>", "<pad>", "a"])
    names = {"cls_token": "<s>", "sep_token": {"content": "</s>"}, "pad_token": "<pad>"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(names))
    vocabulary = read(expected, tmp_path).vocabulary
    assert (vocabulary.cls_id, vocabulary.sep_id, vocabulary.pad_id) == (1, 2, 3)


def test_added_tokens_are_found_as_written(tmp_path):
    expected = tokenizer_of(BERT_NORMALIZERS["bert_True_True_None_True"], PRE_TOKENIZERS["bert"])
    expected.add_tokens([AddedToken("<e1>", normalized=False), AddedToken("Café au lait", normalized=False)])
    expected.add_special_tokens(["</e1>", "[unused0]"])
    tokenizer = read(expected, tmp_path)
    assert tokenizer.added_tokens == ["<e1>", "Café au lait", "</e1>", "[unused0]"]
    compare(expected, tmp_path, [*LINES, "a<e1>hello</e1>b <E1> Café au lait café au lait [unused0][unused1]"])
    tokenizer.save(tmp_path / "saved")
    assert WordPieceTokenizer.load(tmp_path / "saved").fingerprint() == tokenizer.fingerprint()


def test_layouts_of_the_published_berts_load(tmp_path):
    """bert-base-uncased, -cased, -chinese, -multilingual: the roles as added tokens, [unused…] in the vocabulary."""
    tokens = ["[PAD]", *(f"[unused{i}]" for i in range(1, 100)), *SPECIAL[1:], *TOKENS[5:]]
    for number, lower in enumerate([True, False]):
        expected = tokenizer_of(normalizers.BertNormalizer(lowercase=lower), PRE_TOKENIZERS["bert"], tokens)
        cls, sep = ("[CLS]", tokens.index("[CLS]")), ("[SEP]", tokens.index("[SEP]"))
        expected.post_processor = processors.TemplateProcessing(
            single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[cls, sep]
        )
        expected.enable_truncation(512)
        folder = tmp_path / str(number)
        plain = read(expected, folder)
        assert differing_lines(plain, expected, LINES) == []
        expected.add_special_tokens(SPECIAL)
        assert differing_lines(read(expected, folder, special_tokens_in_text=True), expected, LINES) == []
        assert read(expected, folder).added_tokens == []


def change(**parts):
    def spoil(content):
        content.update(parts)

    return spoil


def added(**flags):
    token = {"id": 5, "content": TOKENS[5], "special": False, "normalized": False, "single_word": False}
    return change(added_tokens=[{**token, "lstrip": False, "rstrip": False, **flags}])


def steps(*names):
    return {"type": "Sequence", "normalizers": [{"type": name} for name in names]}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change(normalizer={"type": "NFKC"}), "normalizer 'NFKC' cannot be done exactly"),
        (change(normalizer={"type": "NFD"}), "NFD: only NFD followed by StripAccents"),
        (change(normalizer=steps("StripAccents", "NFD")), "StripAccents \\+ NFD: only NFD followed by"),
        (change(normalizer=steps("Lowercase", "BertNormalizer")), "BertNormalizer should come first"),
        (
            change(normalizer=steps("BertNormalizer", "NFD", "StripAccents")),
            "strips accents twice",
        ),
        (change(pre_tokenizer={"type": "ByteLevel"}), "pre_tokenizer is 'ByteLevel': only"),
        (change(pre_tokenizer=None), "pre_tokenizer is None: only"),
        (change(post_processor={"type": "RobertaProcessing"}), "'RobertaProcessing' frames texts otherwise"),
        (change(post_processor={"type": "TemplateProcessing", "single": [], "pair": []}), "frames texts otherwise"),
        (added(normalized=True), "'the' matches in the normalized text \\(normalized\\)"),
        (added(single_word=True), "matches whole words only"),
        (added(lstrip=True), "takes the spaces before it"),
        (lambda content: content["model"].update(continuing_subword_prefix=""), "is empty"),
        (lambda content: content["model"]["vocab"].update({"a\0b": len(TOKENS)}), "U\\+0000"),
        (change(added_tokens=[{"id": len(TOKENS) + i, "content": f"<{i}>"} for i in range(31)]), "at most 30"),
    ],
)
def test_what_cannot_be_done_exactly_is_refused_in_one_line(tmp_path, spoil, message):
    tokenizer_of(None, PRE_TOKENIZERS["bert"]).save(str(tmp_path / "tokenizer.json"))
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    spoil(content)
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(RequestError, match=message) as error:
        WordPieceTokenizer.from_hugging_face(tmp_path)
    assert "\n" not in str(error.value)


def test_a_token_that_is_the_prefix_alone_is_refused_where_words_may_hold_it(tmp_path):
    expected = tokenizer_of(None, PRE_TOKENIZERS["whitespace"], [*TOKENS, "##"])
    with pytest.raises(RequestError, match="'##' is also the prefix"):
        read(expected, tmp_path)


def test_written_special_tokens_are_those_of_texts_only_where_asked(tmp_path, small_vocabulary, hard_lines):
    for special in (True, False):
        tokenizer = WordPieceTokenizer(small_vocabulary, special_tokens_in_text=special)
        write_tokenizer_json(tokenizer, tmp_path / "tokenizer.json")
        written = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        assert differing_lines(tokenizer, written, hard_lines) == []
        expected = reference(small_vocabulary)
        expected.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        assert written.encode("hello", "the").ids == expected.encode("hello", "the").ids
        assert written.encode("hello", "the").type_ids == expected.encode("hello", "the").type_ids


def test_a_vocabulary_of_real_size_is_read_from_what_is_written(tmp_path, every_character):
    tokenizer = WordPieceTokenizer(every_character, lowercase=False)
    write_tokenizer_json(tokenizer, tmp_path / "tokenizer.json")
    again = WordPieceTokenizer.from_hugging_face(tmp_path)
    assert isinstance(again.vocabulary, Vocabulary)
    assert again.fingerprint() == tokenizer.fingerprint()
