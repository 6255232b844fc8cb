"""A tokenizer that does not fit the texts."""

from collections.abc import Iterator

from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import Finding, Severity, counted, share
from keras_ft.inspection.survey import Survey

UNKNOWN = 0.05  # share of tokens
MANY_UNKNOWN = 0.2
PIECES = 0.4  # share of tokens that continue a word; a tokenizer of the right language has 0.02 to 0.3
FEWEST_LETTERS = 1000
ALMOST_NO = 0.001


@check()
def unknown_texts(survey: Survey) -> Iterator[Finding]:
    """Texts of unknown tokens alone."""
    for name, split in survey.splits.items():
        tally = split.odd["unknown_text"]
        if tally.count:
            what = f"{counted(tally.count, 'text')} of unknown tokens alone"
            advice = "delete them, or take a backbone whose vocabulary has their characters"
            yield Finding("unknown_text", "warning", name, tally.count, what, advice, tally.places)


@check()
def tokenizer_fit(survey: Survey) -> Iterator[Finding]:
    """Many unknown tokens, or words that fall to pieces."""
    for name, split in survey.splits.items():
        tokens = int(split.rows.length.sum()) - len(split) * (1 + len(survey.kind.text_columns))
        if not tokens:
            continue
        unknown, pieces = split.unknown_tokens, split.continuing_tokens
        advice = "take a backbone, or a vocabulary, made for this language"
        if unknown >= UNKNOWN * tokens:
            what = f"{share(unknown, tokens)} of all tokens are unknown to the vocabulary"
            severity: Severity = "problem" if unknown >= MANY_UNKNOWN * tokens else "warning"
            yield Finding("unknown_tokens", severity, name, unknown, what, advice)
        if pieces >= PIECES * tokens:
            what = f"{share(pieces, tokens)} of all tokens are pieces within words"
            yield Finding("words_in_pieces", "warning", name, pieces, what, advice)


@check()
def case_mismatch(survey: Survey) -> Iterator[Finding]:
    """Texts all in small letters for a tokenizer that knows capitals."""
    split = survey.train
    letters = split.upper + split.lower
    if not survey.lowercases and letters >= FEWEST_LETTERS and split.upper < ALMOST_NO * letters:
        what = (
            f"{counted(split.upper, 'capital')} in {letters:,} letters, but backbone {survey.backbone} knows capitals"
        )
        advice = "an uncased backbone may fit better; served texts must be in small letters too"
        yield Finding("case_mismatch", "note", "train", split.upper, what, advice)
