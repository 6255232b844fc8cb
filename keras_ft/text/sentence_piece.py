"""SentencePiece tokenizers of XLM-R and ALBERT as graph ops."""

import hashlib
import json
from pathlib import Path

import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.text.replaced_characters import CharacterReplacement, Replaced
from keras_ft.text.sentence_piece_files import read_sentence_piece
from keras_ft.text.sentence_piece_model import BYTE, SPACE, SentencePieceModel
from keras_ft.text.sentence_piece_vocabulary import SentencePieceVocabulary
from keras_ft.text.sentence_piece_words import WordEncoder, Words, WordSplitter
from keras_ft.text.vocabulary import read_json

FILE = "sentencepiece.model"


class SentencePieceTokenizer(tf.Module):
    """Strings ⇄ ids of a SentencePiece model (Kudo 2018, arXiv:1804.10959).

    Every method is made of ops that keep nothing, so it runs wherever a graph does: in `tf.data`, under `tf.function`,
    in a SavedModel whose root refers to it.

    Args:
        model: its pieces are in the order of the ids.
        vocabulary: of the model.
        lowercase: whether to lower-case texts before the model's own normalization.
        strip_accents: whether to decompose (NFKD) before that, and delete all marks.
        plain_quotes: whether to write two grave accents or two apostrophes as a quotation mark before all else.
    """

    def __init__(
        self,
        model: SentencePieceModel,
        vocabulary: SentencePieceVocabulary,
        lowercase: bool = False,
        strip_accents: bool = False,
        plain_quotes: bool = False,
    ):
        super().__init__()
        self.model, self.vocabulary = model, vocabulary
        self.lowercase, self.strip_accents, self.plain_quotes = lowercase, strip_accents, plain_quotes
        replaces = lowercase or strip_accents or plain_quotes
        self._replace = CharacterReplacement(lowercase, strip_accents, plain_quotes) if replaces else None
        dropped = {vocabulary.cls_id, vocabulary.sep_id, vocabulary.pad_id}
        written = [b"" if i in dropped else _written(piece.text, piece.kind) for i, piece in enumerate(model.pieces)]
        self._split, self._encoder = WordSplitter(model), WordEncoder(model)
        with tf.init_scope(), tf.device("CPU:0"):
            self._written = tf.constant(written)

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Texts to ids, without anything before and behind them.

        Args:
            texts: UTF-8 strings `[N]`; they mean what `text.decode("utf-8", "replace")` gives.

        Returns:
            int32 ids `[N, None]`.
        """
        with tf.device("CPU:0"):
            words = self._split(self._replaced(texts)[1].code_points)
            ids = self._encoder.ids(words.texts)
            return _by_text(ids, words)

    def tokenize_with_offsets(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Texts to ids and where each stands in its text.

        Args:
            texts: UTF-8 strings `[N]`.

        Returns:
            int32 `(ids, starts, ends)`, each `[N, None]`. Offsets count Unicode code points of
            `text.decode("utf-8", "replace")`; ends are exclusive. A token with a part of what a character was
            normalized to has the offsets of the whole character; the space before a word is no part of its token's.
        """
        with tf.device("CPU:0"):
            row_starts, replaced = self._replaced(texts)
            words = self._split(replaced.code_points)
            by_word, first, last = self._encoder.ids_with_places(words.texts)
            begin = tf.cast(tf.gather(words.starts, by_word.value_rowids()), tf.int32)
            ids = _by_text(by_word, words)
            row_start = tf.gather(tf.cast(row_starts, tf.int32), ids.value_rowids())
            starts, ends = (tf.gather(replaced.sources, place + begin) - row_start for place in (first, last))
            return ids, ids.with_values(starts), ids.with_values(ends + 1)

    def detokenize(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Ids to texts; what stands before, behind and between texts is dropped, and what is no UTF-8 becomes U+FFFD.

        Args:
            ids: int32 or int64 `[N, None]`.

        Returns:
            Strings `[N]`.

        Raises:
            tf.errors.InvalidArgumentError: an id outside the vocabulary.
        """
        with tf.device("CPU:0"):
            written = tf.gather(self._written, ids.values)  # (T,)
            texts = tf.strings.unsorted_segment_join(written, ids.value_rowids(), ids.nrows())
            return tf.strings.unicode_transcode(tf.strings.regex_replace(texts, "^ ", ""), "UTF-8", "UTF-8")

    def _replaced(self, texts: tf.Tensor) -> tuple[tf.Tensor, Replaced]:
        """Where each text begins among all code points, and what the texts are to be normalized as."""
        decoded = tf.strings.unicode_decode(tf.convert_to_tensor(texts, tf.string), "UTF-8", errors="replace")
        return decoded.row_starts(), Replaced.nothing(decoded) if self._replace is None else self._replace(decoded)

    @property
    def config(self) -> dict:
        """The options, as `config.json` holds them."""
        return {
            "type": "sentence_piece",
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "plain_quotes": self.plain_quotes,
            "frames_as": self.vocabulary.frames_as,
            "special_tokens": self.vocabulary.special_tokens,
        }

    def fingerprint(self) -> str:
        """A SHA-256 in hexadecimal: equal for tokenizers of equal models and options."""
        content = json.dumps(self.config, sort_keys=True).encode() + self.model.to_bytes()
        return hashlib.sha256(content).hexdigest()

    def save(self, folder: str | Path) -> None:
        """Writes `sentencepiece.model` and `config.json` into a folder, which is made where absent."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_bytes(self.model.to_bytes())
        (folder / "config.json").write_text(json.dumps(self.config, indent=2, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "SentencePieceTokenizer":
        """Reads what `save` wrote.

        Raises:
            RequestError: a file is missing or damaged, or it is not of this kind.
        """
        path = Path(folder) / "config.json"
        return cls.from_config(read_json(path), SentencePieceModel.read(Path(folder) / FILE), path)

    @classmethod
    def from_hugging_face(cls, folder: str | Path) -> "SentencePieceTokenizer":
        """Reads the tokenizer of an XLM-R or ALBERT of Hugging Face, or any unigram `tokenizer.json` like theirs.

        Raises:
            RequestError: a file is missing or damaged, or it asks for what cannot be done exactly.
        """
        model, vocabulary, options = read_sentence_piece(folder)
        return cls(model, vocabulary, **options)

    @classmethod
    def from_config(cls, config: dict, model: SentencePieceModel, source: str | Path) -> "SentencePieceTokenizer":
        """A tokenizer of these options, as `config` gives them, over a model.

        Args:
            config: the options.
            model: its pieces are in the order of the ids.
            source: where the options come from, for messages.

        Raises:
            RequestError: the options are not of this kind.
        """
        options = dict(config)
        if options.pop("type", None) != "sentence_piece":
            raise RequestError(f'{source}: "type" should be "sentence_piece"')
        roles, frames_as = options.pop("special_tokens", {}), options.pop("frames_as", "bert")
        vocabulary = SentencePieceVocabulary(model, roles, frames_as, source)
        try:
            return cls(model, vocabulary, **options)
        except TypeError as error:
            raise RequestError(f"{source}: {error}") from None


def _by_text(ids: tf.RaggedTensor, words: Words) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(ids.values, tf.gather(ids.row_splits, words.row_splits), validate=False)


def _written(text: str, kind: int) -> bytes:
    if kind == BYTE:
        return bytes([int(text[1:-1], 16)])
    return text.replace(SPACE, " ").encode()
