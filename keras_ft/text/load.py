"""The tokenizer of a folder, whichever kind it is."""

from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_json import check_pairs
from keras_ft.text.vocabulary import read_json
from keras_ft.text.wordpiece import WordPieceTokenizer

Tokenizer = WordPieceTokenizer | BytePairTokenizer
KINDS: dict[str, type[WordPieceTokenizer] | type[BytePairTokenizer]] = {
    "wordpiece": WordPieceTokenizer,
    "byte_pair": BytePairTokenizer,
}


def tokenizer_of(folder: str | Path) -> Tokenizer:
    """Reads the tokenizer of an encoder in a Hugging Face folder, of the kind that its files are.

    Raises:
        RequestError: there is none, or it asks for what cannot be done exactly.
    """
    folder = Path(folder)
    path = folder / "tokenizer.json"
    if path.exists():
        model = read_json(path).get("model") or {}
        is_byte_pair = model.get("type", "BPE" if "merges" in model else None) == "BPE"
    else:
        is_byte_pair = not (folder / "vocab.txt").exists() and (folder / "merges.txt").exists()
    if not is_byte_pair:
        return WordPieceTokenizer.from_hugging_face(folder)
    if path.exists():
        check_pairs(path)
    return BytePairTokenizer.from_hugging_face(folder)


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
