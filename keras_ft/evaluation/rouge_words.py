"""What ROUGE counts as a word in any script.

rouge-score's own tokenizer drops whatever is not an ASCII letter or digit, so that a Chinese text has no words at all;
on ASCII this one gives the same words.
"""

import unicodedata

import regex

# Scripts that put no space between words: a word is a character with its marks.
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
JOINERS = r"\u200c\u200d"  # stand inside words of Persian and of Indian scripts
WORD = regex.compile(
    rf"(?V1)[[{UNSPACED}]&&[\p{{L}}\p{{N}}]][\p{{M}}{JOINERS}]*"
    rf"|[[\p{{L}}\p{{N}}]--[{UNSPACED}]][[\p{{L}}\p{{N}}\p{{M}}{JOINERS}]--[{UNSPACED}]]*"
)


class RougeWords:
    """A tokenizer for `rouge_score`: lower-case words, and single characters where a script has no spaces."""

    def tokenize(self, text: str) -> list[str]:
        """The words of a text; punctuation and symbols are none."""
        return WORD.findall(unicodedata.normalize("NFC", text).lower())
