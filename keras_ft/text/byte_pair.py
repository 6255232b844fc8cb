"""GPT-2's and RoBERTa's byte-pair tokenizer as graph ops, equal to Hugging Face's id for id and offset for offset."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair_files import read_byte_pair
from keras_ft.text.byte_pair_offsets import Origins, Spans, TokenLengths
from keras_ft.text.byte_pair_pieces import WordEncoder, byte_pairs
from keras_ft.text.byte_pair_segments import Segments, TokenFinder
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary, parse_merges, tokens_in_order
from keras_ft.text.byte_pair_words import WordSplitter
from keras_ft.text.vocabulary import read_json


class BytePairTokenizer(tf.Module):
    """Strings ⇄ ids of GPT-2 (Radford et al. 2019; Sennrich et al. 2016, arXiv:1508.07909).

    Every method is made of stateless ops without tables that change or Python functions, so it runs wherever a graph
    does: in `tf.data`, under `tf.function`, in a SavedModel whose root refers to it.

    Args:
        vocabulary: the tokens and merges.
        add_prefix_space: whether a text gets a space before it, unless one is there, so that its first word is the
            same token as elsewhere.
        special_tokens_in_text: whether special tokens written in a text, such as "<|endoftext|>", come out as what
            they say. Leave it off for text from users.
        tokens_in_text: added tokens that are no special ones: they are always found in a text as they are written,
            also inside words, and `detokenize` writes them.
        takes_spaces_before: added tokens that swallow the white space before them where they are found, as RoBERTa's
            "<mask>" does.
        trim_offsets: whether offsets leave out the spaces that tokens begin and end with, as RoBERTa's do.

    Attributes:
        written: `(vocabulary,)` what `detokenize` writes for each token, in bytes.

    Raises:
        RequestError: an option names a token that is no added one.
    """

    def __init__(
        self,
        vocabulary: BytePairVocabulary,
        add_prefix_space: bool = False,
        special_tokens_in_text: bool = False,
        tokens_in_text: Sequence[str] = (),
        takes_spaces_before: Sequence[str] = (),
        trim_offsets: bool = False,
    ):
        super().__init__()
        self.vocabulary = vocabulary
        self.add_prefix_space = add_prefix_space
        self.special_tokens_in_text = special_tokens_in_text
        self.tokens_in_text = list(tokens_in_text)
        self.takes_spaces_before = list(takes_spaces_before)
        self.trim_offsets = trim_offsets
        _check_names("tokens_in_text", self.tokens_in_text, vocabulary.added_tokens)
        _check_names("takes_spaces_before", self.takes_spaces_before, vocabulary.added_tokens)

        found = vocabulary.added_tokens if special_tokens_in_text else self.tokens_in_text
        spaced = [token for token in self.takes_spaces_before if token in found]
        ids = [vocabulary.token_to_id[token] for token in found]
        self._finder = TokenFinder(found, ids, spaced) if found else None
        self._splitter = WordSplitter(byte_pairs(vocabulary))
        self._encoder = WordEncoder(vocabulary)
        self._lengths = TokenLengths(vocabulary)
        special = set(vocabulary.added_tokens) - set(self.tokens_in_text)
        written = [b"" if token in special else vocabulary.token_bytes(token) for token in vocabulary.tokens]
        with tf.init_scope(), tf.device("CPU:0"):
            self.written = tf.constant(written)

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Texts to ids, without anything before and behind them.

        Args:
            texts: UTF-8 strings `[N]`; they mean what `text.decode("utf-8", "replace")` gives.

        Returns:
            int32 ids `[N, None]`.
        """
        with tf.device("CPU:0"):
            segments, _ = self._segments(texts)
            ids = self._pieces(tf.strings.unicode_decode(segments.texts, "UTF-8", errors="replace"))
            if self._finder is None:
                return ids
            source, segment_splits = segments.place(ids)
            values = tf.gather(tf.concat([ids.values, segments.ids], 0), source)
            return _ragged(values, tf.gather(segment_splits, segments.row_splits))

    def tokenize_with_offsets(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Texts to ids and where each stands in its text.

        Args:
            texts: UTF-8 strings `[N]`.

        Returns:
            int32 `(ids, starts, ends)`, each `[N, None]`. Offsets count Unicode code points of
            `text.decode("utf-8", "replace")`; ends are exclusive. A token with a part of a character has the offsets
            of the whole character.
        """
        with tf.device("CPU:0"):
            segments, prefixed = self._segments(texts)
            decoded = tf.strings.unicode_decode(segments.texts, "UTF-8", errors="replace")
            pieces = self._pieces(decoded)
            source, segment_splits = segments.place(pieces)
            spans = self._lengths.spans(pieces.values, decoded.values)
            splits = tf.cast(decoded.row_splits, tf.int32)
            first = tf.gather(tf.concat([spans.first, splits[:-1]], 0), source)
            last = tf.gather(tf.concat([spans.last, splits[1:] - 1], 0), source)
            segment = tf.repeat(tf.range(tf.size(segments.ids)), segment_splits[1:] - segment_splits[:-1])
            starts, ends = Origins.of(splits, prefixed, segments.row_splits).place(Spans(first, last), segment)
            values = tf.gather(tf.concat([pieces.values, segments.ids], 0), source)
            ids = _ragged(values, tf.gather(segment_splits, segments.row_splits))
            if self.trim_offsets:
                found = tf.gather(segments.ids >= 0, segment)
                starts, ends = self._lengths.trim(ids, starts, ends, found, keep_prefix=self.add_prefix_space)
            return ids, ids.with_values(starts), ids.with_values(ends)

    def detokenize(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Ids to texts; special tokens are dropped, and what is no UTF-8 becomes U+FFFD.

        Args:
            ids: int32 or int64 `[N, None]`.

        Returns:
            Strings `[N]`.

        Raises:
            tf.errors.InvalidArgumentError: an id outside the vocabulary.
        """
        with tf.device("CPU:0"):
            written = tf.gather(self.written, ids.values)  # (T,)
            texts = tf.strings.unsorted_segment_join(written, ids.value_rowids(), ids.nrows())
            return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")

    def with_added_tokens(self, tokens: Sequence[str]) -> "BytePairTokenizer":
        """A tokenizer that has these special tokens too.

        Args:
            tokens: those that the vocabulary does not know get ids behind its last, in this order.

        Raises:
            RequestError: a token is empty.
        """
        vocabulary = self.vocabulary.with_added_tokens(tokens)
        return BytePairTokenizer(vocabulary, **self._options)

    def _segments(self, texts: tf.Tensor) -> tuple[Segments, tf.Tensor]:
        """The texts cut round the tokens that they are searched for, and for each segment 1 if it got a space, or 0."""
        texts = tf.convert_to_tensor(texts, tf.string)
        if self._finder is not None:
            segments = self._finder(texts)
        else:
            number = tf.size(texts, tf.int64)
            segments = Segments(texts, tf.fill(tf.shape(texts), -1), tf.range(number + 1))
        if not self.add_prefix_space:
            return segments, tf.zeros_like(segments.ids)
        first = tf.strings.substr(segments.texts, 0, 1)
        lacks_space = (segments.ids < 0) & (first != " ") & (first != "")
        texts = tf.where(lacks_space, " " + segments.texts, segments.texts)
        return segments._replace(texts=texts), tf.cast(lacks_space, tf.int32)

    def _pieces(self, texts: tf.RaggedTensor) -> tf.RaggedTensor:
        """The ids `[S, None]` of texts given as code points `[S, None]`."""
        code_points = texts.values
        word_splits, row_splits = self._splitter(code_points, texts.row_splits)
        words = tf.raw_ops.UnicodeEncode(input_values=code_points, input_splits=word_splits, output_encoding="UTF-8")
        ids = self._encoder(words, has_nul=tf.reduce_any(code_points == 0))
        return _ragged(ids.values, tf.gather(ids.row_splits, row_splits))

    @property
    def _options(self) -> dict:
        return {
            "add_prefix_space": self.add_prefix_space,
            "special_tokens_in_text": self.special_tokens_in_text,
            "tokens_in_text": self.tokens_in_text,
            "takes_spaces_before": self.takes_spaces_before,
            "trim_offsets": self.trim_offsets,
        }

    @property
    def config(self) -> dict:
        """The options, as `config.json` holds them."""
        return {"type": "byte_pair", **self._options, "special_tokens": self.vocabulary.special_tokens}

    def fingerprint(self) -> str:
        """A SHA-256 in hexadecimal: equal for tokenizers of equal vocabulary and options."""
        content = json.dumps([self.config, self.vocabulary.tokens, self.vocabulary.merges], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def save(self, folder: str | Path) -> None:
        """Writes `vocab.json`, `merges.txt` and `config.json` into a folder, which is made where absent."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary.save(folder / "vocab.json", folder / "merges.txt")
        (folder / "config.json").write_text(json.dumps(self.config, indent=2, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "BytePairTokenizer":
        """Reads what `save` wrote.

        Raises:
            RequestError: a file is missing or damaged, or it is not of this kind.
        """
        folder = Path(folder)
        path = folder / "config.json"
        return cls.from_config(read_json(path), folder / "vocab.json", folder / "merges.txt", path)

    @classmethod
    def from_config(cls, config: dict, vocabulary: Path, merges: Path, source: Path) -> "BytePairTokenizer":
        """A tokenizer of these options, as `config` gives them, over a `vocab.json` and a `merges.txt`.

        Args:
            config: the options.
            vocabulary, merges: the files.
            source: where the options come from, for messages.

        Raises:
            RequestError: a file is missing or damaged, or the options are not of this kind.
        """
        options = dict(config)
        if options.pop("type", None) != "byte_pair":
            raise RequestError(f'{source}: "type" should be "byte_pair"')
        special_tokens = options.pop("special_tokens", None)
        try:
            return cls(BytePairVocabulary.from_files(vocabulary, merges, special_tokens), **options)
        except TypeError as error:
            raise RequestError(f"{source}: {error}") from None

    @classmethod
    def from_files(
        cls,
        vocabulary: str | Path,
        merges: str | Path,
        special_tokens: Mapping[str, str] | None = None,
        **options: Any,
    ) -> "BytePairTokenizer":
        """Reads `vocab.json` (GPT-2's `encoder.json`) and `merges.txt` (GPT-2's `vocab.bpe`).

        Args:
            vocabulary, merges: the files.
            special_tokens: role → token, as `BytePairVocabulary` takes it.
            options: of the tokenizer.

        Raises:
            RequestError: a file is missing or damaged.
        """
        return cls(BytePairVocabulary.from_files(vocabulary, merges, special_tokens), **options)

    @classmethod
    def from_hugging_face(cls, folder: str | Path, special_tokens_in_text: bool = False) -> "BytePairTokenizer":
        """Reads a Hugging Face GPT-2 or RoBERTa tokenizer: `tokenizer.json`, or `vocab.json` and `merges.txt`.

        Raises:
            RequestError: a file is missing or damaged, or it asks for what GPT-2's tokenizer does not do.
        """
        vocabulary, options = read_byte_pair(folder)
        return cls(vocabulary, special_tokens_in_text=special_tokens_in_text, **options)

    @classmethod
    def from_keras_hub(
        cls,
        vocabulary: Mapping[str, int],
        merges: Sequence[str],
        special_tokens: Mapping[str, str] | None = None,
        add_prefix_space: bool = False,
    ) -> "BytePairTokenizer":
        """From what keras-hub's `GPT2Tokenizer` and `RobertaTokenizer` hold.

        Args:
            vocabulary: token → id.
            merges: pairs of tokens with a space between.
            special_tokens: role → token, as `BytePairVocabulary` takes it.
            add_prefix_space: as the tokenizer says.

        Raises:
            RequestError: the vocabulary is damaged.
        """
        source = "keras-hub's vocabulary"
        tokens, pairs = tokens_in_order(vocabulary, source), parse_merges(merges, "keras-hub's merges")
        return cls(BytePairVocabulary(tokens, pairs, special_tokens, source), add_prefix_space)


def _check_names(option: str, tokens: Sequence[str], added_tokens: Sequence[str]) -> None:
    for token in tokens:
        if token not in added_tokens:
            raise RequestError(f"{option}: {token!r} is no added token; these are {', '.join(added_tokens[:20])}")


def _ragged(values: tf.Tensor, row_splits: tf.Tensor) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(values, row_splits, validate=False)
