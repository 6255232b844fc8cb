import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from bert_reference import differing_lines
from byte_pair_reference import PIECES, real_texts, reference
from code_points import CODE_POINTS
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_ft.errors import RequestError
from keras_ft.text.assemble import single
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary
from keras_ft.text.load import load_tokenizer
from tests.tiny import tiny_byte_pair

ADDED = ["<|user|>", "<mask>", "<|user"]
TEXTS = st.lists(st.one_of(st.text(), st.sampled_from(PIECES))).map("".join)


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory) -> BytePairVocabulary:
    folder = tiny_byte_pair(tmp_path_factory.mktemp("vocabulary"))
    return BytePairVocabulary.from_files(folder / "vocab.json", folder / "merges.txt")


@pytest.fixture(scope="session")
def tokenizer(vocabulary) -> BytePairTokenizer:
    return BytePairTokenizer(vocabulary)


@pytest.fixture(scope="session")
def gpt2(shared_data) -> BytePairVocabulary:
    folder = shared_data / "vocab" / "gpt2"
    return BytePairVocabulary.from_files(folder / "encoder.json", folder / "vocab.bpe")


def check(vocabulary, lines, batch_size=512, **options):
    """Ids and offsets equal the reference's."""
    tokenizer = BytePairTokenizer(vocabulary, **options)
    found = vocabulary.added_tokens if options.pop("special_tokens_in_text", False) else ()
    assert differing_lines(tokenizer, reference(vocabulary, found=found, **options), lines, batch_size) == []


def random_texts(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(PIECES, rng.integers(0, 12))) for _ in range(count)]


@pytest.mark.slow
def test_every_code_point_equals_the_reference_and_comes_back(vocabulary, tokenizer):
    check(vocabulary, CODE_POINTS, batch_size=50_000)
    check(vocabulary, [f"a{c}b {c} c{c}{c}\t{c}1" for c in CODE_POINTS[::7] + CODE_POINTS[:0x300]], batch_size=50_000)
    texts = tokenizer.detokenize(tokenizer.tokenize([c.encode() for c in CODE_POINTS])).numpy()
    assert [text.decode() for text in texts] == CODE_POINTS


@pytest.mark.parametrize("add_prefix_space", [False, True])
@pytest.mark.parametrize("trim_offsets", [False, True])
@pytest.mark.parametrize("special_tokens_in_text", [False, True])
def test_odd_texts_equal_the_reference(vocabulary, add_prefix_space, trim_offsets, special_tokens_in_text):
    check(
        vocabulary.with_added_tokens(ADDED),
        [*random_texts(3000), "", " ", "\n", "'s's", "''s", "a'", "'r", "'v e", "x'S", "\t's", " \n's", "we'd've'll"],
        add_prefix_space=add_prefix_space,
        trim_offsets=trim_offsets,
        special_tokens_in_text=special_tokens_in_text,
        takes_spaces_before=["<mask>"],
    )


def test_any_text_equals_the_reference_and_comes_back(vocabulary, tokenizer):
    expected = reference(vocabulary)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(TEXTS, min_size=1, max_size=8))
    def compare(texts):
        assert differing_lines(tokenizer, expected, texts) == []
        back = tokenizer.detokenize(tokenizer.tokenize([text.encode() for text in texts])).numpy()
        assert [text.decode() for text in back] == texts

    compare()


@pytest.mark.shared
@pytest.mark.slow
def test_every_code_point_equals_the_reference_with_real_tokens(gpt2):
    check(gpt2, CODE_POINTS, batch_size=50_000)
    check(gpt2, [f"a{c}b {c} c" for c in CODE_POINTS], batch_size=50_000)


@pytest.mark.shared
@pytest.mark.slow
def test_real_texts_equal_the_reference_and_come_back(gpt2, shared_data):
    lines = list(real_texts(shared_data))
    assert len(lines) >= 50_000
    check(gpt2, lines)
    tokenizer = BytePairTokenizer(gpt2)
    for begin in range(0, len(lines), 4096):
        batch = lines[begin : begin + 4096]
        back = tokenizer.detokenize(tokenizer.tokenize([line.encode() for line in batch])).numpy()
        assert [text.decode() for text in back] == batch


@pytest.mark.shared
@pytest.mark.parametrize("special_tokens_in_text", [False, True])
def test_odd_texts_equal_the_reference_with_real_tokens(gpt2, special_tokens_in_text):
    check(gpt2.with_added_tokens(ADDED), random_texts(3000), special_tokens_in_text=special_tokens_in_text)


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.shared)])
def test_any_ids_become_the_text_that_the_reference_writes(vocabulary, real, request):
    vocabulary = request.getfixturevalue("gpt2") if real else vocabulary
    expected = reference(vocabulary, found=vocabulary.added_tokens)
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, len(vocabulary), rng.integers(0, 9)).tolist() for _ in range(3000)]
    bytes_only = [vocabulary.token_to_id[c] for c in vocabulary.tokens if len(c) == 1]
    rows += [rng.choice(bytes_only, rng.integers(1, 9)).tolist() for _ in range(3000)]  # mostly no UTF-8
    texts = BytePairTokenizer(vocabulary).detokenize(tf.ragged.constant(rows, tf.int32)).numpy()
    assert [text.decode() for text in texts] == expected.decode_batch(rows, skip_special_tokens=True)


def test_an_id_outside_the_vocabulary_is_an_error(tokenizer):
    with pytest.raises(tf.errors.InvalidArgumentError):
        tokenizer.detokenize(tf.ragged.constant([[len(tokenizer.vocabulary)]], tf.int32))


def test_invalid_utf8_is_what_python_makes_of_it(vocabulary, tokenizer):
    texts = [b"hello\xff play", b"\xe5\x8c\x97\xe4\xba", b"\xed\xa0\x80the", b"\xc0\xafx\xf5\x801", b"\xf0\x9f\x98"]
    some = [0x41, 0x20, 0xE5, 0x8C, 0x97, 0xF0, 0xFF, 0x00]
    texts += [bytes(row) for row in np.random.default_rng(0).choice(some, (500, 12))]
    expected = reference(vocabulary).encode_batch([text.decode("utf-8", "replace") for text in texts])
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
    assert ids.to_list() == tokenizer.tokenize(texts).to_list() == [e.ids for e in expected]
    offsets = [list(zip(*row, strict=True)) for row in zip(starts.to_list(), ends.to_list(), strict=True)]
    assert offsets == [e.offsets for e in expected]
    finding = BytePairTokenizer(vocabulary, special_tokens_in_text=True)
    assert finding.tokenize(texts).to_list() == ids.to_list()


def test_special_tokens_come_out_whole_only_where_asked(vocabulary, tokenizer):
    text = ["a<|endoftext|>b"]
    finding = BytePairTokenizer(vocabulary, special_tokens_in_text=True)
    assert vocabulary.end_id in finding.tokenize(text).to_list()[0]
    assert finding.detokenize(finding.tokenize(text)).numpy() == [b"ab"]
    assert vocabulary.end_id not in tokenizer.tokenize(text).to_list()[0]
    assert tokenizer.detokenize(tokenizer.tokenize(text)).numpy() == [b"a<|endoftext|>b"]


def test_tokens_that_are_text_are_found_and_written(vocabulary):
    added = vocabulary.with_added_tokens(["<|user|>"])
    tokenizer = BytePairTokenizer(added, tokens_in_text=["<|user|>"])
    ids = tokenizer.tokenize(["x<|user|><|endoftext|>"])
    assert added.token_to_id["<|user|>"] in ids.to_list()[0]
    assert added.end_id not in ids.to_list()[0]
    assert tokenizer.detokenize(ids).numpy() == [b"x<|user|><|endoftext|>"]
    with pytest.raises(RequestError, match="'Ġ' is no added token; these are <|endoftext|>"):
        BytePairTokenizer(vocabulary, tokens_in_text=["Ġ"])


def test_added_tokens_get_ids_behind_the_last(tokenizer):
    added = tokenizer.with_added_tokens(["<|user|>", "<|endoftext|>", "<|bot|>", "<|user|>"])
    assert added.vocabulary.tokens == [*tokenizer.vocabulary.tokens, "<|user|>", "<|bot|>"]
    with pytest.raises(RequestError, match="empty"):
        tokenizer.with_added_tokens([""])


def test_no_texts_and_empty_texts(vocabulary):
    for options in ({}, {"add_prefix_space": True}, {"special_tokens_in_text": True, "trim_offsets": True}):
        tokenizer = BytePairTokenizer(vocabulary, **options)
        assert tokenizer.tokenize([]).to_list() == []
        assert tokenizer.detokenize(tokenizer.tokenize(["", "a", ""])).numpy().tolist()[::2] == [b"", b""]
        ids, starts, ends = tokenizer.tokenize_with_offsets(tf.constant([], tf.string))
        assert (ids.dtype, starts.dtype, ends.dtype, ids.nrows()) == (tf.int32, tf.int32, tf.int32, 0)
        assert tokenizer.tokenize_with_offsets(["", "a", ""])[2].to_list() == [[], [1], []]


def test_one_very_long_word(vocabulary):
    check(vocabulary, ["a" * 20_000, "今天" * 5000, " " * 20_000, "\0" * 3000])


def test_framing_with_start_and_end(vocabulary):
    roberta = vocabulary.with_added_tokens(["<s>", "</s>"])
    roberta = BytePairVocabulary(roberta.tokens, roberta.merges, {"start": "<s>", "end": "</s>"})
    ids = BytePairTokenizer(roberta).tokenize(["a", "b a"])
    framed = single(ids, roberta, 3).ids.to_list()
    assert [(row[0], row[-1], len(row)) for row in framed] == [(roberta.start_id, roberta.end_id, 3)] * 2


def test_a_saved_tokenizer_is_the_same(vocabulary, tokenizer, tmp_path):
    added = vocabulary.with_added_tokens(ADDED)
    options = {"add_prefix_space": True, "tokens_in_text": ["<|user|>"], "takes_spaces_before": ["<mask>"]}
    saved = BytePairTokenizer(added, special_tokens_in_text=True, trim_offsets=True, **options)
    saved.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.fingerprint() == saved.fingerprint() != tokenizer.fingerprint()
    assert (loaded.config, loaded.vocabulary.tokens) == (saved.config, saved.vocabulary.tokens)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "unigram"}, r"config.json: \"type\" is 'unigram': it should be one of wordpiece, byte_pair"),
        ({"trim": True}, "config.json: .*unexpected keyword argument 'trim'"),
        ({"special_tokens": {"end": "</end>"}}, "vocab.json: the end token '</end>' is not among the 450 tokens"),
        ({"special_tokens": {"sep": "a"}}, "role 'sep' does not exist: use start, end, pad, unk, mask"),
    ],
)
def test_a_damaged_config_is_told(tokenizer, tmp_path, change, message):
    tokenizer.save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(tokenizer.config | change), "utf-8")
    with pytest.raises(RequestError, match=message):
        load_tokenizer(tmp_path)


def test_in_a_data_pipeline(tokenizer):
    batches = tf.data.Dataset.from_tensor_slices(["it's", "今天 天气", "x"] * 4).batch(3)
    rows = [ids.to_list() for ids in batches.map(tokenizer.tokenize, num_parallel_calls=2)]
    assert rows == [tokenizer.tokenize(["it's", "今天 天气", "x"]).to_list()] * 4


SESSION = """
import json, sys
import numpy, tensorflow as tf, tensorflow_text
texts = [text.encode() for text in json.load(sys.stdin)]
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    graph = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    signature = graph.signature_def["serving_default"]
    names = {name: tensor.name for name, tensor in signature.outputs.items()}
    got = session.run(names, {signature.inputs["texts"].name: texts})
    print(json.dumps({name: [x.decode() if isinstance(x, bytes) else x for x in v.tolist()] for name, v in got.items()}))
"""


class Served(tf.Module):
    """Two tokenizers of different vocabularies in one signature."""

    def __init__(self, *tokenizers):
        super().__init__()
        self.tokenizers = tokenizers

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")], autograph=False)
    def serve(self, texts):
        outputs = {}
        for i, tokenizer in enumerate(self.tokenizers):
            ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
            outputs |= {
                f"ids{i}": ids.to_tensor(-1),
                f"starts{i}": starts.to_tensor(-1),
                f"ends{i}": ends.to_tensor(-1),
            }
            outputs[f"texts{i}"] = tokenizer.detokenize(tokenizer.tokenize(texts))
        return outputs


@pytest.mark.slow
def test_a_saved_model_serves_it_without_this_package(vocabulary, tmp_path):
    fewer = BytePairVocabulary(vocabulary.tokens, vocabulary.merges[:50], vocabulary.special_tokens)
    module = Served(BytePairTokenizer(vocabulary, special_tokens_in_text=True), BytePairTokenizer(fewer, True))
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    texts = ["It's <|endoftext|> good", "", "今天天气\0很好", "  a  b "]
    result = subprocess.run(
        [sys.executable, "-c", SESSION, str(tmp_path)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        env={"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    expected = {name: value.numpy().tolist() for name, value in module.serve(tf.constant(texts)).items()}
    expected = {name: [x.decode() if isinstance(x, bytes) else x for x in v] for name, v in expected.items()}
    assert json.loads(result.stdout.splitlines()[-1]) == expected
