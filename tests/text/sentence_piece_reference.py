"""Hugging Face's tokenizers over the pieces of SentencePiece models."""

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from keras_ft.text.sentence_piece_model import CONTROL, UNKNOWN, SentencePieceModel
from keras_ft.text.sentence_piece_vocabulary import SentencePieceVocabulary


def reference(model: SentencePieceModel, vocabulary: SentencePieceVocabulary, albert: bool = False) -> Tokenizer:
    """As transformers builds its XLMRobertaTokenizer and AlbertTokenizer, but special tokens in a text are text."""
    never = "\uffff"
    pieces = [(never * (piece.kind in (UNKNOWN, CONTROL)) + piece.text, piece.score) for piece in model.pieces]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=vocabulary.unk_id, byte_fallback=False))
    steps = [normalizers.Precompiled(model.charsmap)]
    if albert:
        quotes = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
        steps = [*quotes, normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), *steps]
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(Regex(" {2,}"), " ")])
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    cls, sep = vocabulary.special_tokens["cls"], vocabulary.special_tokens["sep"]
    frame = "{cls} $A {sep} {sep} $B {sep}" if vocabulary.frames_as == "roberta" else "{cls} $A {sep} $B:1 {sep}:1"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=frame.format(cls=cls, sep=sep),
        special_tokens=[(cls, vocabulary.cls_id), (sep, vocabulary.sep_id)],
    )
    return tokenizer
