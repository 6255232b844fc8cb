"""The tokenizer of a folder, whichever kind it is."""

from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.vocabulary import read_json
from keras_ft.text.wordpiece import WordPieceTokenizer

Tokenizer = WordPieceTokenizer | BytePairTokenizer
KINDS: dict[str, type[WordPieceTokenizer] | type[BytePairTokenizer]] = {
    "wordpiece": WordPieceTokenizer,
    "byte_pair": BytePairTokenizer,
}


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """Reads what a tokenizer's `save` wrote.

    Raises:
        RequestError: a file is missing or damaged, or the kind is unknown.
    """
    path = Path(folder) / "config.json"
    kind = read_json(path).get("type")
    if kind not in KINDS:
        raise RequestError(f'{path}: "type" is {kind!r}: it should be one of {", ".join(KINDS)}')
    return KINDS[kind].load(folder)
