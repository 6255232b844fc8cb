"""`.conll`: a token a line, sentences apart by blank lines."""

from collections.abc import Iterator
from pathlib import Path

from keras_ft.data.readers.lines import lines
from keras_ft.data.readers.registry import Numbered, Record, reads
from keras_ft.errors import RequestError

DOCUMENT_START = "-DOCSTART-"


@reads(".conll")
def read_conll(path: Path) -> Numbered:
    """Read sentences as the columns `tokens` (each line's first field) and `tags` (its last), two lists of strings.

    Fields are apart by tabs, or by spaces where a file has no tabs. Lines of one field each are tokens without tags;
    the fields between first and last (part of speech, chunk) are passed over, as are `-DOCSTART-` lines, which
    CoNLL-2003 puts between documents (Tjong Kim Sang and De Meulder 2003, doi:10.3115/1119176.1119195).
    """
    for first_line, sentence in _sentences(path):
        yield first_line, sentence if isinstance(sentence, RequestError) else _record(path, first_line, sentence)


def _sentences(path: Path) -> Iterator[tuple[int, list[list[str]] | RequestError]]:
    sentence: list[list[str]] = []
    first_line = 1
    wrong: RequestError | None = None
    for number, line in lines(path):
        if isinstance(line, RequestError):
            wrong = wrong or line
            line = "?"  # stands in the sentence that will be refused as a whole
        if line.strip() and not line.startswith(DOCUMENT_START):
            if not sentence:
                first_line = number
            sentence.append(line.split("\t") if "\t" in line else line.split())
        elif sentence:
            yield first_line, wrong or sentence
            sentence, wrong = [], None
    if sentence:
        yield first_line, wrong or sentence


def _record(path: Path, first_line: int, sentence: list[list[str]]) -> Record | RequestError:
    widths = [len(fields) for fields in sentence]
    odd = next((i for i, width in enumerate(widths) if width != widths[0]), None)
    if odd is not None:
        expected = f"the first line of its sentence has {widths[0]}"
        return RequestError(f"{path.name} line {first_line + odd} has {widths[odd]} fields; {expected}")
    tokens = [fields[0] for fields in sentence]
    return {"tokens": tokens} if widths[0] == 1 else {"tokens": tokens, "tags": [fields[-1] for fields in sentence]}
