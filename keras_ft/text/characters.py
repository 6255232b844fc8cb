"""What BERT makes of each character: a table over all code points, applied to flat code points in the graph.

BERT cleans a text (control characters go, white space becomes a space), sets ideographs apart, strips accents,
lower-cases, and then splits at spaces and round punctuation (Devlin et al. 2018, arXiv:1810.04805, and its
`tokenization.py`). Each of these looks at one code point at a time, so all of them together are one table:
code point → the code points it becomes, each with a class. `scripts/make_bert_characters.py` reads the table from
the reference implementation; hence equal results and, since the table keeps the source, exact offsets. The one thing
that depends on neighbours is left out: Unicode's canonical order of marks that stand side by side and are kept.

The table has two stages: `page_of[code_point // 256]` names a page, the page holds an int32 entry for each of its
256 code points:
- one code point comes out: `(output - code_point) * 4 + class`, so that all pages without changes are one page;
- none comes out: `DELETED`;
- several come out: `EXPANDS + start * 4 + count - 1`, a slice of `expansions`, whose items are `output * 4 + class`.
"""

import functools
import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_ft.text.ranges import ranges

WORD, ISOLATED, SPACE, SYMBOL = range(4)  # part of a word, a word by itself, between words, part of a run of symbols
EXPANDS = 1 << 29
DELETED = 1 << 30
PAGE_SIZE = 256


class Variant(NamedTuple):
    """What is done to characters, in this order; the data file holds the pages of each of `VARIANTS`.

    `clean_text`: control characters are deleted. `split_chinese`: ideographs are set apart. `stripped`: nothing
    (`none`), the nonspacing marks of decomposed characters (`accents`, BERT's way), or all their combining marks
    (`marks`, Hugging Face's NFD and StripAccents). `lowercase`. `words`: which pre-tokenizer splits the words, one of
    `bert`, `whitespace` and `whitespace_split`.
    """

    clean_text: bool = True
    split_chinese: bool = True
    stripped: str = "accents"
    lowercase: bool = True
    words: str = "bert"

    @property
    def name(self) -> str:
        """The name under which the data file holds the pages."""
        return "_".join(["page_of", *(str(value).lower() for value in self)])


STRIPPED = ("none", "accents", "marks")
WORDS = ("bert", "whitespace", "whitespace_split")
YES_NO = (True, False)
VARIANTS = [Variant(*options) for options in itertools.product(YES_NO, YES_NO, STRIPPED, YES_NO, WORDS)]


class Characters(NamedTuple):
    """The normalized code points of a batch of texts, flat.

    `packed [M]` int32 is code point · 4 + class; `sources [M]` int32 is the index of the code point, in the flat
    input, that each came from; `row_splits [N + 1]` int64 says where the texts lie.
    """

    packed: tf.Tensor
    sources: tf.Tensor
    row_splits: tf.Tensor


class CharacterTable(NamedTuple):
    """The table of one set of options, as numpy arrays: `page_of [4352]`, `pages [P, 256]`, `expansions [E]`."""

    page_of: np.ndarray
    pages: np.ndarray
    expansions: np.ndarray

    @classmethod
    def load(cls, variant: Variant) -> "CharacterTable":
        """Reads the table of these options from the data file that ships with the package."""
        data = _data_file()
        used, page_of = np.unique(data[variant.name], return_inverse=True)
        pages = data["pages"][used]
        expansions = data["expansions"] if (pages // EXPANDS == 1).any() else data["expansions"][:0]
        return cls(page_of.astype(np.int32), pages, expansions)

    def replace(self, code_point: int, by: int) -> "CharacterTable":
        """The table in which one code point, which stayed as it is, becomes another of the same class."""
        number, place = divmod(code_point, PAGE_SIZE)
        same_class = self.pages[self.page_of[number], place] % 4
        return self._with_page(number, {place: (by - code_point) * 4 + same_class})

    def isolate(self, code_points: range) -> "CharacterTable":
        """The table in which these code points, all of one page, stay as they are and stand alone."""
        entries = {code_point % PAGE_SIZE: ISOLATED for code_point in code_points}
        return self._with_page(code_points[0] // PAGE_SIZE, entries)

    def _with_page(self, number: int, entries: dict[int, int]) -> "CharacterTable":
        page = self.pages[self.page_of[number]].copy()
        page[list(entries)] = list(entries.values())
        page_of = self.page_of.copy()
        page_of[number] = len(self.pages)
        return self._replace(page_of=page_of, pages=np.concatenate([self.pages, page[None]]))


@functools.cache
def _data_file() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).with_name("bert_characters.npz")) as data:
        return dict(data)


class Normalizer(tf.Module):
    """Applies a `CharacterTable` in the graph."""

    def __init__(self, table: CharacterTable):
        super().__init__()
        with tf.init_scope(), tf.device("CPU:0"):
            self._page_of = tf.constant(table.page_of)
            self._pages = tf.constant(table.pages.reshape(-1))
            self._expansions = tf.constant(np.append(table.expansions, np.int32(0)))

    def __call__(self, code_points: tf.Tensor, row_splits: tf.Tensor) -> Characters:
        """Normalizes the texts `code_points[row_splits[i]:row_splits[i + 1]]`.

        Args:
            code_points: int32 `[M]`, the texts one after the other, without surrogates.
            row_splits: int64 `[N + 1]`.
        """
        page = tf.gather(self._page_of, tf.bitwise.right_shift(code_points, 8))  # (M,)
        entries = tf.gather(self._pages, page * PAGE_SIZE + tf.bitwise.bitwise_and(code_points, PAGE_SIZE - 1))
        packed = code_points * 4 + entries
        order = tf.range(tf.size(packed))

        def one_to_one():
            return packed, order, row_splits

        def one_to_many():
            expands = entries >= EXPANDS
            start = tf.where(expands, entries // 4, packed)
            count = tf.where(expands, entries % 4 + 1, 1)
            count = tf.where(entries == DELETED, 0, count)
            taken, splits = ranges(start, count)  # (M',): a packed code point, or EXPANDS // 4 + index of an expansion
            index = taken - EXPANDS // 4
            expanded = tf.gather(self._expansions, tf.maximum(index, 0))
            sources, _ = ranges(order * 4, count)  # a code point becomes three at most
            return tf.where(index >= 0, expanded, taken), sources // 4, tf.gather(splits, row_splits)

        # Most batches hold nothing but characters that become exactly one.
        return Characters(*tf.cond(tf.reduce_any(entries >= EXPANDS), one_to_many, one_to_one))
