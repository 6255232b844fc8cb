"""Hugging Face's BERT tokenizer, the reference, and the comparison with it."""

import functools

import tensorflow as tf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from keras_ft.text.vocabulary import Vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = (
    "the un ##aff ##able ##s play ##ing hello wor ##ld straße strasse cafe café istanbul i ##i σίσυφος αςα ##ασ ας ασ "
    "привет мир 北 京 天 ##安 नम ##स ##त सलाम مرحبا 가 각 ᄀ ##ᅡ ##ᆨ ½ ﬁ ne ##ne 😀 ##😀 # ## ##ing ! ？ ? . , ' ' - / [ ] "
    "mask ##mask m ##a ##sk http ##s : com ##com 1 ##1 ##2 ##3 x ##x"
)


def reference(vocabulary: Vocabulary, special_tokens_in_text=False, max_characters_per_word=100, **normalizer):
    """Hugging Face's BERT tokenizer over a vocabulary; `normalizer` as BertNormalizer takes it."""
    tokenizer = Tokenizer(
        models.WordPiece(
            vocab=vocabulary.token_to_id,
            unk_token=vocabulary.special_tokens["unk"],
            max_input_chars_per_word=max_characters_per_word,
        )
    )
    tokenizer.normalizer = normalizers.BertNormalizer(**normalizer)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if special_tokens_in_text:
        tokenizer.add_special_tokens([vocabulary.tokens[i] for i in vocabulary.special_ids])
    return tokenizer


@functools.lru_cache(maxsize=4)
def traced(tokenizer):
    return tf.function(tokenizer.tokenize_with_offsets, input_signature=[tf.TensorSpec([None], tf.string)])


def differing_lines(tokenizer, reference, lines: list[str], batch_size: int = 512) -> list[str]:
    """The lines of which ids or offsets are not the reference's, with both."""
    tokenize = traced(tokenizer)
    differing = []
    for begin in range(0, len(lines), batch_size):
        batch = lines[begin : begin + batch_size]
        ids, starts, ends = tokenize(tf.constant([line.encode() for line in batch]))
        splits, ids = ids.row_splits.numpy().tolist(), ids.values.numpy().tolist()
        offsets = list(zip(starts.values.numpy().tolist(), ends.values.numpy().tolist(), strict=True))
        for i, expected in enumerate(reference.encode_batch(batch, add_special_tokens=False)):
            row = slice(splits[i], splits[i + 1])
            if ids[row] != expected.ids or offsets[row] != expected.offsets:
                differing.append(
                    f"{batch[i]!r}: {(ids[row], offsets[row])} instead of {(expected.ids, expected.offsets)}"
                )
    return differing
