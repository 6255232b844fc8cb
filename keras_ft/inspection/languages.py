"""Which language texts are in, by py3langid (https://pypi.org/project/py3langid), offline."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from keras_ft.inspection.sample import Sample

SURE = 0.9  # its probability, below which a language is not taken for known; short texts often are not
SURE_OF_A_STRANGER = 0.97
FEWEST_LETTERS = 20  # of a text in an alphabet that is said to be in another language than the others
MAIN = 0.6  # share of the texts with a known language, from which one is that of all
COMMON = 0.05  # share of a language that belongs to the data


@dataclass
class Languages:
    """Languages of a sample.

    Attributes:
        counts: ISO 639 code → texts; those that nobody can tell are in none.
        looked_at: texts.
        strangers: `(number of the text, language, text)` of texts in a language that the rest is not in.
    """

    counts: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0
    strangers: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def main(self) -> str | None:
        """The language that the texts are in, if there is one."""
        if not self.counts:
            return None
        language, count = self.counts.most_common(1)[0]
        return language if count >= MAIN * self.counts.total() else None


def languages_of(sample: Sample) -> Languages:
    """The languages of the texts of a sample."""
    found = Languages()
    answers: list[tuple[int, str, str]] = []
    for number, text in sample.items():
        language, probability = _identifier().classify(text)
        found.looked_at += 1
        if probability >= SURE:
            found.counts[language] += 1
        if probability >= SURE_OF_A_STRANGER and sum(map(str.isalpha, text)) >= FEWEST_LETTERS:
            answers.append((number, language, text))
    common = {language for language, count in found.counts.items() if count >= COMMON * found.counts.total()}
    found.strangers = [answer for answer in answers if answer[1] not in common]
    return found


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
