"""Characters that tell of a text damaged on its way, and texts of almost none."""

from collections.abc import Iterator

from keras_ft.inspection.checks.registry import check
from keras_ft.inspection.finding import Finding, Severity, counted
from keras_ft.inspection.survey import Survey

# Kind → severity, what the rows have, advice.
ODDITIES: dict[str, tuple[Severity, str, str]] = {
    "no_words": (
        "warning",
        "without a letter, digit or symbol",
        "delete them: there is nothing to learn from",
    ),
    "one_character": (
        "note",
        "of one character",
        "look whether something was cut off",
    ),
    "replacement_character": (
        "warning",
        "with replacement characters (U+FFFD, 锟斤拷): their letters are lost",
        "read the original with its real encoding and write it as UTF-8",
    ),
    "mojibake": (
        "warning",
        "with mojibake: UTF-8 that was read in another encoding",
        "mend them, for instance with ftfy.fix_text",
    ),
    "control_character": (
        "warning",
        "with control characters",
        "delete these characters; the tokenizer drops them without a space",
    ),
    "invisible_character": (
        "note",
        "with invisible characters (zero-width spaces, soft hyphens, direction marks)",
        "delete these characters, unless served texts have them too",
    ),
    "private_use_character": (
        "note",
        "with private-use characters, which only some fonts can show",
        "delete these characters",
    ),
    "markup": (
        "warning",
        "with HTML entities or tags",
        "turn them into text (html.unescape and an HTML parser), unless served texts have them too",
    ),
}


@check()
def odd_characters(survey: Survey) -> Iterator[Finding]:
    """A finding for each kind of oddity."""
    for name, split in survey.splits.items():
        for kind, (severity, having, advice) in ODDITIES.items():
            tally = split.odd[kind]
            if tally.count:
                what = f"{counted(tally.count, 'text')} {having}"
                yield Finding(kind, severity, name, tally.count, what, advice, tally.places)
