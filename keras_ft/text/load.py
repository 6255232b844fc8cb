"""The tokenizer of a folder, whichever kind it is."""

from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair import BytePairTokenizer
from keras_ft.text.byte_pair_json import check_pairs
from keras_ft.text.sentence_piece import SentencePieceTokenizer
from keras_ft.text.sentence_piece_files import ALBERT_FILE, XLM_ROBERTA_FILE
from keras_ft.text.vocabulary import read_json
from keras_ft.text.wordpiece import WordPieceTokenizer

Tokenizer = WordPieceTokenizer | BytePairTokenizer | SentencePieceTokenizer
KINDS: dict[str, type[WordPieceTokenizer] | type[BytePairTokenizer] | type[SentencePieceTokenizer]] = {
    "wordpiece": WordPieceTokenizer,
    "byte_pair": BytePairTokenizer,
    "sentence_piece": SentencePieceTokenizer,
}


def tokenizer_of(folder: str | Path) -> Tokenizer:
    """Reads the tokenizer of an encoder in a Hugging Face folder, of the kind that its files are.

    Raises:
        RequestError: there is none, or it asks for what cannot be done exactly.
    """
    folder = Path(folder)
    path = folder / "tokenizer.json"
    kind = _kind_of_json(path) if path.exists() else _kind_of_files(folder)
    if kind == "Unigram":
        return SentencePieceTokenizer.from_hugging_face(folder)
    if kind != "BPE":
        return WordPieceTokenizer.from_hugging_face(folder)
    if path.exists():
        check_pairs(path)
    return BytePairTokenizer.from_hugging_face(folder)


def _kind_of_json(path: Path) -> str:
    model = read_json(path).get("model") or {}
    return model.get("type") or ("BPE" if "merges" in model else "WordPiece")  # old files do not say


def _kind_of_files(folder: Path) -> str:
    if (folder / "vocab.txt").exists():
        return "WordPiece"
    if any((folder / name).exists() for name in (XLM_ROBERTA_FILE, ALBERT_FILE)):
        return "Unigram"
    return "BPE" if (folder / "merges.txt").exists() else "WordPiece"


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
