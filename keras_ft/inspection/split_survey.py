"""One split of a recipe, read from end to end in a stream; nothing that is wrong with a row stops it."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

from keras_ft.data.progress import tracked
from keras_ft.data.readers import Source
from keras_ft.data.rows import Rows
from keras_ft.data.threads import in_threads
from keras_ft.errors import RequestError
from keras_ft.inspection.characters import look_at, script_names
from keras_ft.inspection.columns import ColumnCounts
from keras_ft.inspection.finding import Place, excerpt
from keras_ft.inspection.normal_text import normalize
from keras_ft.inspection.row_index import RowIndex
from keras_ft.inspection.sample import Sample
from keras_ft.inspection.tally import Refusals, Tally
from keras_ft.inspection.tokens import Counter, Tokens
from keras_ft.tasks.base import Task
from keras_ft.tasks.encode import read_examples

SAMPLE = 2000  # texts whose language is looked at
Tell = Callable[[str], None]
Answered = tuple[Rows, Sequence[Hashable]]


class SplitSurvey:
    """What was seen of a split.

    Attributes:
        name: `train`, `validation` or `test`.
        columns: of the files.
        refused: rows that training would refuse; they are in nothing else.
        unreadable: sources that broke off: the message of each.
        rows: numbers by row.
        odd: kind of oddity → its rows.
        tokens: without special ones.
        unknown_tokens, continuing_tokens: of these.
        letters_by_script: `(scripts,)`.
        upper, lower: letters of that case.
        sample: of the texts.
    """

    def __init__(self, name: str, answer_numbers: dict[Hashable, int]):
        self.name = name
        self.columns, self.refused = ColumnCounts(), Refusals()
        self.unreadable: list[str] = []
        self.rows = RowIndex()
        self.odd: defaultdict[str, Tally] = defaultdict(Tally)
        self.tokens = self.unknown_tokens = self.continuing_tokens = self.upper = self.lower = 0
        self.letters_by_script = np.zeros(len(script_names()), np.int64)
        self.sample = Sample(SAMPLE)
        self._answer_numbers = answer_numbers

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, rows: Rows, answers: Sequence[Hashable], texts: list[str], plain: list[str], tokens: Tokens) -> None:
        """Add some rows.

        Args:
            rows: say where they stand.
            answers: `(rows,)`, as `Task.strata` gives them.
            texts: `(rows,)`, the text columns of each joined.
            plain: the same without what was written into them for the task.
            tokens: of the same rows.
        """
        characters = look_at(plain)
        for kind in characters.odd:
            self.odd[kind].add(characters.places(kind, rows, plain))
        self.letters_by_script += characters.letters_by_script
        self.upper, self.lower = self.upper + characters.upper, self.lower + characters.lower
        normal = [normalize(text) for text in texts]
        self._add_empty_and_unknown(rows, texts, normal, tokens)
        self.sample.offer(plain, len(self.rows))
        number = self._answer_numbers.setdefault
        self.rows.add(
            rows,
            {
                "exact": [hash(text) for text in texts],
                "normal": [hash(some or text) for some, text in zip(normal, texts, strict=True)],
                "answer": [number(answer, len(self._answer_numbers)) for answer in answers],
                "length": tokens.lengths,
                "script": characters.script,
                "second": characters.second,
                "letters": np.minimum(characters.letters, 0xFFFF),
            },
        )

    def _add_empty_and_unknown(self, rows: Rows, texts: list[str], normal: list[str], tokens: Tokens) -> None:
        self.tokens += int(tokens.in_text.sum())
        self.unknown_tokens += int(tokens.unknown.sum())
        self.continuing_tokens += tokens.continuing
        for i, some in enumerate(normal):
            if len(some) < 2:
                kind = "one_character" if some else "no_words"
                self.odd[kind].add_one(Place(rows.where(i), excerpt(texts[i])))
        for row in np.flatnonzero((tokens.unknown > 0) & (tokens.unknown == tokens.in_text)).tolist():
            if normal[row]:
                self.odd["unknown_text"].add_one(Place(rows.where(row), excerpt(texts[row])))


def survey_split(
    name: str,
    kind: type[Task],
    sources: list[Source],
    columns: dict[str, str],
    counter: Counter,
    answer_numbers: dict[Hashable, int],
    tell: Tell,
) -> SplitSurvey:
    """Read a split.

    Args:
        name: of the split.
        kind: the task, which names its columns and strata.
        sources: of the split.
        columns: the task's column → the file's.
        counter: with the backbone's tokenizer.
        answer_numbers: answer → its number; new ones are added.
        tell: is given a line for the user.
    """
    survey = SplitSurvey(name, answer_numbers)
    readable = _readable(survey, kind, sources, columns)
    chunks = tracked(readable, f"Reading {name}", tell, size=lambda pair: len(pair[0]))
    for (rows, answers), tokens in in_threads(lambda chunk: counter(chunk[0]), chunks):
        texts = _texts(kind, rows)
        survey.add(rows, answers, texts, [kind.without_marks(text) for text in texts], tokens)
    survey.rows.finish()
    return survey


def _texts(kind: type[Task], rows: Rows) -> list[str]:
    """The text columns of each row joined; where all may be empty, those that are there."""
    optional = () if kind.file_columns else kind.optional_columns  # what `read_row` makes is there
    required = [name for name in kind.feature_columns if name not in optional]
    parts = [rows.columns[name] for name in required or kind.feature_columns if name in rows.columns]
    texts = [["\n".join(value) if isinstance(value, list) else value or "" for value in part] for part in parts]
    return texts[0] if len(texts) == 1 else ["\n".join(filter(None, part)) for part in zip(*texts, strict=True)]


def _readable(
    survey: SplitSurvey, kind: type[Task], sources: list[Source], columns: dict[str, str]
) -> Iterator[Answered]:
    """The rows that are as they should be, with their answers; the others go to `survey`."""
    for source in sources:
        watched = [survey.columns.watched(source)]
        try:
            for rows in read_examples(kind, watched, columns, survey.refused.add):
                answered = _answered(kind, rows, survey.refused)
                if len(answered[0]):
                    yield answered
        except RequestError as error:
            survey.unreadable.append(str(error))


def _answered(kind: type[Task], rows: Rows, refused: Refusals) -> Answered:
    try:
        return rows, kind.strata(rows)
    except RequestError:  # one of them is wrong: look for it
        kept: list[int] = []
        answers: list[Hashable] = []
        for i in range(len(rows)):
            try:
                answers += kind.strata(rows.select([i]))
                kept.append(i)
            except RequestError as error:
                refused.add(error)
        return rows.select(kept), answers
