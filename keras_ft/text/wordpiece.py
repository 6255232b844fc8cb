"""BERT's WordPiece tokenizer as graph ops, equal to Hugging Face's id for id and offset for offset."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
import tensorflow_text as tf_text

from keras_ft.errors import RequestError
from keras_ft.text import hugging_face
from keras_ft.text.characters import CharacterTable, Normalizer, Variant
from keras_ft.text.special_tokens import SpecialTokenMarker
from keras_ft.text.vocabulary import Vocabulary, read_json
from keras_ft.text.wordpiece_model import NEVER_IN_WORDS, UNMATCHED, build_wordpiece_model, check_tokens
from keras_ft.text.words import Words, split_words


class WordPieceTokenizer(tf.Module):
    """Strings ⇄ ids of BERT (Devlin et al. 2018, arXiv:1810.04805; Song et al. 2020, arXiv:2012.15524).

    Every method is made of stateless ops without tables or Python functions, so it runs wherever a graph does:
    in `tf.data`, under `tf.function`, in a SavedModel. The vocabulary and the character table are eager constants
    that graphs capture, so a SavedModel stores each once however many of its signatures tokenize.

    Args:
        vocabulary: the tokens.
        lowercase: whether to lower-case.
        strip_accents: whether to delete nonspacing marks; None does what `lowercase` says.
        split_chinese: whether each CJK ideograph is a word by itself.
        special_tokens_in_text: whether special tokens written in a text, such as "[MASK]", come out as what they
            say. Leave it off for text from users.
        max_characters_per_word: a longer word becomes one unknown token.
        clean_text: whether to delete control characters.
        strip_marks: whether to delete all combining marks, spacing ones too, as Hugging Face's StripAccents does.
        pre_tokenizer: what makes words: `bert` (spaces and punctuation), `whitespace` (spaces, and runs of letters
            against runs of symbols) or `whitespace_split` (spaces alone).
        continuation: what a token begins with that continues a word.
        added_tokens: tokens of the vocabulary that are found in a text as they are written, also inside words.

    Raises:
        RequestError: the automaton cannot tell a token as the reference does.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_chinese: bool = True,
        special_tokens_in_text: bool = False,
        max_characters_per_word: int = 100,
        clean_text: bool = True,
        strip_marks: bool = False,
        pre_tokenizer: str = "bert",
        continuation: str = "##",
        added_tokens: Sequence[str] = (),
    ):
        super().__init__()
        self.vocabulary = vocabulary
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self.split_chinese = split_chinese
        self.special_tokens_in_text = special_tokens_in_text
        self.max_characters_per_word = max_characters_per_word
        self.clean_text = clean_text
        self.strip_marks = strip_marks
        self.pre_tokenizer = pre_tokenizer
        self.continuation = continuation
        self.added_tokens = list(added_tokens)

        check_tokens(vocabulary, clean_text, pre_tokenizer, continuation, self.added_tokens)
        stripped = "marks" if strip_marks else "accents" if self.strip_accents else "none"
        table = CharacterTable.load(Variant(clean_text, split_chinese, stripped, lowercase, pre_tokenizer))
        if not clean_text:
            table = table.replace(0, UNMATCHED)  # the automaton's strings end at NUL
        found = [vocabulary.token_to_id[token] for token in self.added_tokens]
        found += [i for i in vocabulary.special_ids if special_tokens_in_text and i not in found]
        self._marker = SpecialTokenMarker(vocabulary, found) if found else None
        if self._marker is not None:
            table = table.isolate(self._marker.code_points)
        self._normalizer = Normalizer(table)
        with tf.init_scope(), tf.device("CPU:0"):
            model = build_wordpiece_model(vocabulary, max_characters_per_word, continuation)
            self._wordpiece = tf_text.FastWordpieceTokenizer(model_buffer=tf.constant(model), token_out_type=tf.int32)
            self._lengths = tf.constant([len(token) for token in vocabulary.tokens], tf.int32)
            added = [len(continuation) * token.startswith(continuation) for token in vocabulary.tokens]
            self._lengths_inside = self._lengths - tf.constant(added, tf.int32)
            self._written = tf.constant([_written(token, continuation) for token in vocabulary.tokens])
        self._dropped_ids = [i for i in (vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id) if i is not None]

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Texts to ids, without [CLS] and [SEP].

        Args:
            texts: UTF-8 strings `[N]`; an invalid byte is deleted, it spoils nothing else.

        Returns:
            int32 ids `[N, None]`.
        """
        with tf.device("CPU:0"):
            words, _, _ = self._words(texts)
            return self._pieces(words)[0]

    def tokenize_with_offsets(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Texts to ids and where each stands in its text.

        Args:
            texts: UTF-8 strings `[N]`.

        Returns:
            int32 `(ids, starts, ends)`, each `[N, None]`. Offsets count Unicode code points of
            `text.decode("utf-8", "replace")`; ends are exclusive.
        """
        with tf.device("CPU:0"):
            words, code_points, row_splits = self._words(texts)
            ids, by_word = self._pieces(words)
            first, last = self._spans(words, by_word)
            first, last = tf.gather(words.sources, first), tf.gather(words.sources, last)
            if self._marker is None:
                begin = tf.range(tf.size(code_points))
                end = begin + 1
            else:
                end = tf.cumsum(self._marker.widths(code_points))
                begin = end - self._marker.widths(code_points)
            row_begin = tf.gather(tf.concat([begin, [0]], 0), row_splits[:-1])  # (N,), unused where a row is empty
            row_begin = tf.gather(row_begin, ids.value_rowids())
            starts = ids.with_values(tf.gather(begin, first) - row_begin)
            return ids, starts, ids.with_values(tf.gather(end, last) - row_begin)

    def detokenize(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Ids to texts: tokens joined by spaces, "##" joined to what precedes; [PAD], [CLS], [SEP] are dropped.

        Args:
            ids: int32 or int64 `[N, None]`.

        Returns:
            Strings `[N]`.

        Raises:
            tf.errors.InvalidArgumentError: an id outside the vocabulary.
        """
        with tf.device("CPU:0"):
            dropped = tf.reduce_any(ids.values[:, None] == tf.constant(self._dropped_ids, ids.dtype), axis=1)
            ids = tf.ragged.boolean_mask(ids, ids.with_values(~dropped))
            written = tf.gather(self._written, ids.values)  # (T,)
            texts = tf.strings.unsorted_segment_join(written, ids.value_rowids(), ids.nrows())
            return tf.strings.regex_replace(texts, "^ ", "")

    def _words(self, texts: tf.Tensor) -> tuple[Words, tf.Tensor, tf.Tensor]:
        """The words of the texts, and the flat code points and row splits that the words' sources refer to."""
        texts = tf.convert_to_tensor(texts, tf.string)
        if self._marker is not None:
            texts = self._marker.mark(texts)
        decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        return split_words(self._normalizer(decoded.values, decoded.row_splits)), decoded.values, decoded.row_splits

    def _pieces(self, words: Words) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """The ids by text `[N, None]` and by word `[W, None]`."""
        strings = tf.raw_ops.UnicodeEncode(
            input_values=words.code_points, input_splits=words.word_splits, output_encoding="UTF-8"
        )
        lengths = words.word_splits[1:] - words.word_splits[:-1]
        too_long = lengths > self.max_characters_per_word
        strings = tf.cond(tf.reduce_any(too_long), lambda: tf.where(too_long, NEVER_IN_WORDS, strings), lambda: strings)
        ids = self._wordpiece.tokenize(strings)
        if self._marker is not None:
            first = tf.gather(words.code_points, words.word_splits[:-1])  # (W,)
            marked = tf.where(self._marker.is_marker(first))[:, 0]
            values = tf.tensor_scatter_nd_update(
                ids.values,
                tf.gather(ids.row_splits, marked)[:, None],  # a marker is one unknown piece
                self._marker.ids(tf.gather(first, marked)),
            )
            ids = ids.with_values(values)
        row_splits = tf.gather(ids.row_splits, words.row_splits)
        return tf.RaggedTensor.from_row_splits(ids.values, row_splits, validate=False), ids

    def _spans(self, words: Words, ids: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The first and the last of the words' code points that each piece `[T]` covers."""
        lengths = tf.gather(self._lengths_inside, ids.values)
        # An unknown token, or a special one, is as long as its word, whatever the vocabulary says; it is always alone.
        word_lengths = tf.cast(words.word_splits[1:] - words.word_splits[:-1], tf.int32)
        first_piece = ids.row_splits[:-1]
        first_lengths = tf.gather(self._lengths, tf.gather(ids.values, first_piece))
        lengths = tf.tensor_scatter_nd_update(lengths, first_piece[:, None], first_lengths)
        other = tf.where((ids.row_lengths() == 1) & (first_lengths != word_lengths))  # (A, 1)
        lengths = tf.tensor_scatter_nd_update(lengths, tf.gather(first_piece, other), tf.gather_nd(word_lengths, other))
        # Words leave no code point out and pieces none of their word: each piece begins where the one before ends.
        ends = tf.cumsum(lengths)
        return ends - lengths, ends - 1

    @property
    def config(self) -> dict:
        """The options, as `config.json` holds them."""
        return {
            "type": "wordpiece",
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "split_chinese": self.split_chinese,
            "special_tokens_in_text": self.special_tokens_in_text,
            "max_characters_per_word": self.max_characters_per_word,
            "clean_text": self.clean_text,
            "strip_marks": self.strip_marks,
            "pre_tokenizer": self.pre_tokenizer,
            "continuation": self.continuation,
            "added_tokens": self.added_tokens,
            "special_tokens": self.vocabulary.special_tokens,
        }

    def fingerprint(self) -> str:
        """A SHA-256 in hexadecimal: equal for tokenizers of equal vocabulary and options."""
        content = json.dumps([self.config, self.vocabulary.tokens], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def save(self, folder: str | Path) -> None:
        """Writes `vocab.txt` and `config.json` into a folder, which is made where absent."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary.save(folder / "vocab.txt")
        (folder / "config.json").write_text(json.dumps(self.config, indent=2, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "WordPieceTokenizer":
        """Reads what `save` wrote.

        Raises:
            RequestError: a file is missing, or it is not of this kind.
        """
        path = Path(folder) / "config.json"
        return cls.from_config(read_json(path), Path(folder) / "vocab.txt", path)

    @classmethod
    def from_config(cls, config: dict, vocabulary: Path, source: Path) -> "WordPieceTokenizer":
        """A tokenizer of these options, as `config` gives them, over a `vocab.txt`.

        Args:
            config: the options.
            vocabulary: the file of the tokens.
            source: where the options come from, for messages.

        Raises:
            RequestError: the file is missing, or the options are not of this kind.
        """
        options = dict(config)
        if options.pop("type", None) != "wordpiece":
            raise RequestError(f'{source}: "type" should be "wordpiece"')
        special_tokens = options.pop("special_tokens", None)
        try:
            return cls(Vocabulary.from_vocab_txt(vocabulary, special_tokens), **options)
        except TypeError as error:
            raise RequestError(f"{source}: {error}") from None

    @classmethod
    def from_hugging_face(cls, folder: str | Path, special_tokens_in_text: bool = False) -> "WordPieceTokenizer":
        """Reads a Hugging Face BERT tokenizer: `tokenizer.json` or `vocab.txt`, and `tokenizer_config.json`.

        Raises:
            RequestError: a file is missing, or it asks for what BERT's WordPiece does not do.
        """
        vocabulary, options = hugging_face.read_wordpiece(folder)
        return cls(vocabulary, special_tokens_in_text=special_tokens_in_text, **options)


def _written(token: str, continuation: str) -> str:
    continues = token.startswith(continuation) and token != continuation
    return token.removeprefix(continuation) if continues else f" {token}"
