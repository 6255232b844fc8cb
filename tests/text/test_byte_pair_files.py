import json

import pytest
from bert_reference import differing_lines
from byte_pair_reference import PIECES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary
from tests.tiny import tiny_byte_pair

LINES = [*PIECES, "".join(PIECES), "It's a <mask> day</s>, <unk> hello\tthere  <|endoftext|>", " <s>今天"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_byte_pair(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture
def gpt2(folder) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


def test_gpt2s_tokenizer_json(gpt2, tmp_path):
    gpt2.save(str(tmp_path / "tokenizer.json"))
    tokenizer = BytePairTokenizer.from_hugging_face(tmp_path, special_tokens_in_text=True)
    assert differing_lines(tokenizer, gpt2, LINES) == []
    assert tokenizer.vocabulary.special_tokens == {"end": "<|endoftext|>"}


def test_robertas_tokenizer_json(gpt2, tmp_path):
    gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    gpt2.add_special_tokens(["<s>", "</s>", "<pad>", "<unk>", AddedToken("<mask>", lstrip=True)])
    ends = [(token, gpt2.token_to_id(token)) for token in ("</s>", "<s>")]
    gpt2.post_processor = processors.RobertaProcessing(*ends, trim_offsets=True, add_prefix_space=True)
    gpt2.save(str(tmp_path / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "mask_token": {"content": "<mask>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(names), "utf-8")
    tokenizer = BytePairTokenizer.from_hugging_face(tmp_path, special_tokens_in_text=True)
    assert differing_lines(tokenizer, gpt2, LINES) == []
    roles = {"start": "<s>", "end": "</s>", "pad": "<pad>", "mask": "<mask>"}
    assert tokenizer.vocabulary.special_tokens == roles


def test_added_tokens_that_are_not_special_are_always_found(gpt2, tmp_path):
    gpt2.add_tokens(["hello", "<|user|>"])
    gpt2.save(str(tmp_path / "tokenizer.json"))
    tokenizer = BytePairTokenizer.from_hugging_face(tmp_path)
    lines = [line.replace("<|endoftext|>", "") for line in LINES]
    assert differing_lines(tokenizer, gpt2, lines) == []
    assert tokenizer.tokens_in_text == ["hello", "<|user|>"]


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
def test_a_vocabulary_and_merges_beside_added_tokens(gpt2, folder, tmp_path, names):
    for name, source in zip(names, ("vocab.json", "merges.txt"), strict=True):
        (tmp_path / name).write_bytes((folder / source).read_bytes())
    (tmp_path / "added_tokens.json").write_text('{"<|user|>": 450}', "utf-8")
    tokenizer = BytePairTokenizer.from_hugging_face(tmp_path, special_tokens_in_text=True)
    gpt2.add_special_tokens(["<|user|>"])
    assert differing_lines(tokenizer, gpt2, LINES) == []


def test_what_keras_hub_holds(gpt2, folder):
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    merges = (folder / "merges.txt").read_text("utf-8").splitlines()[1:]
    tokenizer = BytePairTokenizer.from_keras_hub(vocabulary, merges)
    lines = [line.replace("<|endoftext|>", "") for line in LINES]
    assert differing_lines(tokenizer, gpt2, lines) == []


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("normalizer", {"type": "NFC"}, "normalizer is NFC: only byte-pair tokenizers without one can be read"),
        ("pre_tokenizer", {"type": "Whitespace"}, "pre_tokenizer is Whitespace: only ByteLevel"),
        ("pre_tokenizer", None, "pre_tokenizer is None: only ByteLevel"),
        ("pre_tokenizer", {"type": "ByteLevel", "use_regex": False}, "use_regex false: only GPT-2's pattern"),
        ("decoder", {"type": "Metaspace"}, "decoder is 'Metaspace': only ByteLevel"),
        ("post_processor", {"type": "BertProcessing"}, "post_processor 'BertProcessing' cannot be read"),
        ("model", {"dropout": 0.1}, "model has dropout 0.1"),
        ("model", {"byte_fallback": True}, "model has byte_fallback True"),
        ("model", {"type": "Unigram"}, "model type is 'Unigram': only 'BPE'"),
        ("model", {"merges": ["a b c"]}, "'a b c' is no merge: it should be two tokens"),
        ("model", {"vocab": []}, "model.vocab is no object"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(gpt2, tmp_path, part, value, message):
    content = json.loads(gpt2.to_str())
    content[part] = content[part] | value if part == "model" else value
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(RequestError, match=message):
        BytePairTokenizer.from_hugging_face(tmp_path)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(RequestError, match=r"holds neither tokenizer.json nor vocab.json and merges.txt"):
        BytePairTokenizer.from_hugging_face(tmp_path)


def damaged(folder, tmp_path, vocabulary=None, merges=None):
    content = json.loads((folder / "vocab.json").read_text("utf-8"))
    lines = (folder / "merges.txt").read_text("utf-8").splitlines()
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary(content) if vocabulary else content), "utf-8")
    (tmp_path / "merges.txt").write_text("\n".join(merges(lines) if merges else lines), "utf-8")
    return BytePairVocabulary.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": lambda v: v | {"!": v["a"]}}, "'!' and 'a' have the same id 64: they should differ"),
        ({"vocabulary": lambda v: v | {"<new>": 460}}, "no token has the id 450, but one has 460"),
        ({"vocabulary": lambda v: v | {"a": "0"}}, "the id of 'a' is '0': it should be a whole number"),
        ({"vocabulary": lambda v: []}, "holds a list: it should hold a JSON object"),
        ({"vocabulary": lambda v: {}}, "is empty: it should hold tokens and their ids"),
        ({"vocabulary": lambda v: {"a": 0}, "merges": lambda m: []}, "the byte 0x00 .* is not among the 1 tokens"),
        ({"merges": lambda m: [*m, "q ẑ"]}, "needs the token 'ẑ', which is not in the vocabulary: add it"),
        ({"merges": lambda m: [*m, "abc"]}, "'abc' is no merge: it should be two tokens and a space"),
        ({"merges": lambda m: [m[0], *m[:0:-1]]}, "it should come after it"),
        ({"merges": lambda m: [*m, m[1]]}, "makes the same token as merge 1: one of them should go"),
    ],
)
def test_damaged_files_are_told(folder, tmp_path, changes, message):
    with pytest.raises(RequestError, match=message):
        damaged(folder, tmp_path, **changes)


def test_a_merge_that_can_never_happen_is_told():
    from keras_ft.text.byte_pair_vocabulary import CHARACTERS

    tokens = [*CHARACTERS, "aa", "aaa", "aab"]
    BytePairVocabulary(tokens, [("a", "a"), ("aa", "a")])
    with pytest.raises(RequestError, match="merge 2, 'a' \\+ 'aa', can never happen"):
        BytePairVocabulary(tokens, [("a", "a"), ("a", "aa")])


def test_files_that_are_no_text_are_told(tmp_path):
    (tmp_path / "vocab.json").write_bytes(b'{"\xff": 0}')
    (tmp_path / "merges.txt").write_bytes(b"")
    with pytest.raises(RequestError, match="byte 2: this is no UTF-8"):
        BytePairVocabulary.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")
    (tmp_path / "vocab.json").write_text("", "utf-8")
    with pytest.raises(RequestError, match="line 1: this is no JSON"):
        BytePairVocabulary.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")
