"""GPT-2's and RoBERTa's byte-pair tokenizer as graph ops, equal to Hugging Face's id for id and offset for offset."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf
import tensorflow_text as tf_text

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair_model import NUL, build_byte_pair_model
from keras_ft.text.byte_pair_vocabulary import BytePairVocabulary
from keras_ft.text.byte_pair_words import WordSplitter
from keras_ft.text.ranges import ranges
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
    """

    def __init__(
        self,
        vocabulary: BytePairVocabulary,
        add_prefix_space: bool = False,
        special_tokens_in_text: bool = False,
    ):
        super().__init__()
        self.vocabulary = vocabulary
        self.add_prefix_space = add_prefix_space
        self.special_tokens_in_text = special_tokens_in_text

        self._splitter = WordSplitter()
        self._sentencepiece = tf_text.SentencepieceTokenizer(model=build_byte_pair_model(vocabulary))
        said = [vocabulary.token_bytes(token) for token in vocabulary.tokens]
        special = set(vocabulary.added_tokens) | set(vocabulary.special_tokens.values())
        with tf.init_scope(), tf.device("CPU:0"):
            self._written = tf.constant(
                [b"" if token in special else text for token, text in zip(vocabulary.tokens, said, strict=True)]
            )

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Texts to ids.

        Args:
            texts: UTF-8 strings `[N]`; they mean what `text.decode("utf-8", "replace")` gives.

        Returns:
            int32 ids `[N, None]`.
        """
        with tf.device("CPU:0"):
            texts = tf.convert_to_tensor(texts, tf.string)
            decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
            return self._pieces(decoded.values, decoded.row_splits)

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
            written = tf.gather(self._written, ids.values)  # (T,)
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

    def _pieces(self, code_points: tf.Tensor, row_splits: tf.Tensor) -> tf.RaggedTensor:
        word_splits, row_splits = self._splitter(code_points, row_splits)
        words = tf.raw_ops.UnicodeEncode(input_values=code_points, input_splits=word_splits, output_encoding="UTF-8")
        unique, place = tf.unique(words, tf.int64)  # words repeat, even within a batch
        unique = tf.strings.unicode_transcode(unique, "ISO-8859-1", "UTF-8")  # a character for each byte
        unique = tf.cond(
            tf.reduce_any(code_points == 0), lambda: tf.strings.regex_replace(unique, r"\x00", NUL), lambda: unique
        )
        ids = self._sentencepiece.tokenize(unique)
        source, splits = ranges(tf.gather(ids.row_splits, place), tf.gather(ids.row_lengths(), place))
        return tf.RaggedTensor.from_row_splits(
            tf.gather(ids.values, source), tf.gather(splits, row_splits), validate=False
        )

    @property
    def _options(self) -> dict:
        return {
            "add_prefix_space": self.add_prefix_space,
            "special_tokens_in_text": self.special_tokens_in_text,
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
        **options: bool,
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
