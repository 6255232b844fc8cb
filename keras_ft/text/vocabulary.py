"""The tokens of a model and their ids."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_ft.errors import RequestError

SPECIAL_TOKENS = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
_REQUIRED = ("unk", "cls", "sep")


class Vocabulary:
    """Tokens, each at the place that is its id, and the roles of the special ones.

    Args:
        tokens: the tokens in the order of their ids; no two alike.
        special_tokens: role → token, for the roles that differ from `SPECIAL_TOKENS`.
        source: the file the tokens come from, for messages.

    Attributes `unk_id`, `cls_id`, `sep_id` are ints; `pad_id` and `mask_id` are None where the token is absent.

    Raises:
        RequestError: no tokens, a token twice, or no token for unk, cls or sep.
    """

    def __init__(
        self,
        tokens: Iterable[str],
        special_tokens: Mapping[str, str] | None = None,
        source: str | Path = "the vocabulary",
    ):
        self.tokens = list(tokens)
        if not self.tokens:
            raise RequestError(f"{source} is empty: it should hold one token per line")
        self.token_to_id = {token: i for i, token in enumerate(self.tokens)}
        if len(self.token_to_id) != len(self.tokens):
            first = next(i for i, token in enumerate(self.tokens) if self.token_to_id[token] != i)
            raise RequestError(
                f"{source}: token {self.tokens[first]!r} stands on lines {first + 1} and "
                f"{self.token_to_id[self.tokens[first]] + 1}: each token should stand there once"
            )
        unknown = set(special_tokens or {}) - set(SPECIAL_TOKENS)
        if unknown:
            raise RequestError(f"special token role {min(unknown)!r} does not exist: use {', '.join(SPECIAL_TOKENS)}")
        self.special_tokens = SPECIAL_TOKENS | dict(special_tokens or {})
        for role in _REQUIRED:
            if self.special_tokens[role] not in self.token_to_id:
                raise RequestError(
                    f"{source}: the {role} token {self.special_tokens[role]!r} is not among the {len(self)} tokens: "
                    f"add it, or name the token that plays this role"
                )
        self.unk_id = self.token_to_id[self.special_tokens["unk"]]
        self.cls_id = self.token_to_id[self.special_tokens["cls"]]
        self.sep_id = self.token_to_id[self.special_tokens["sep"]]
        self.pad_id = self.token_to_id.get(self.special_tokens["pad"])
        self.mask_id = self.token_to_id.get(self.special_tokens["mask"])

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def special_ids(self) -> list[int]:
        """The ids of the special tokens that the vocabulary holds, in the order of `SPECIAL_TOKENS`."""
        ids = (self.token_to_id.get(token) for token in self.special_tokens.values())
        return [i for i in ids if i is not None]

    @property
    def begin_ids(self) -> list[int]:
        """[CLS], see `Framing`."""
        return [self.cls_id]

    @property
    def between_ids(self) -> list[int]:
        """[SEP]."""
        return [self.sep_id]

    @property
    def end_ids(self) -> list[int]:
        """[SEP]."""
        return [self.sep_id]

    @property
    def second_segment(self) -> int:
        """BERT tells the two texts of a pair apart."""
        return 1

    @classmethod
    def from_vocab_txt(cls, path: str | Path, special_tokens: Mapping[str, str] | None = None) -> "Vocabulary":
        """Reads a `vocab.txt`: UTF-8, one token per line, the line number is the id.

        Raises:
            RequestError: there is no such file, it is no UTF-8, or it is no vocabulary (see the class).
        """
        lines = read_text(path).split("\n")  # not splitlines: U+2028, U+0085 … may be tokens
        if lines[-1] == "":
            lines.pop()
        return cls((line.removesuffix("\r") for line in lines), special_tokens, source=path)

    @classmethod
    def from_tokenizer_json(cls, path: str | Path, special_tokens: Mapping[str, str] | None = None) -> "Vocabulary":
        """Reads the vocabulary of a Hugging Face `tokenizer.json` whose model is WordPiece, added tokens included.

        Raises:
            RequestError: there is no such file, it is no such file, or its ids are not 0, 1, 2 ….
        """
        content = read_json(path)
        model = content.get("model") or {}
        if model.get("type") != "WordPiece":
            raise RequestError(f"{path}: model type is {model.get('type')!r}: only 'WordPiece' can be read")
        ids = dict(model.get("vocab") or {})
        ids |= {token["content"]: token["id"] for token in content.get("added_tokens") or []}
        tokens = sorted(ids, key=ids.__getitem__)
        gap = next((i for i, token in enumerate(tokens) if ids[token] != i), None)
        if gap is not None:
            raise RequestError(f"{path}: no token, or more than one, has the id {gap}: ids should be 0, 1, 2 …")
        names = {"unk": model["unk_token"]} if "unk_token" in model else {}
        return cls(tokens, dict(special_tokens or {}) | names, source=path)

    def save(self, path: str | Path) -> None:
        """Writes the tokens as a `vocab.txt`.

        Raises:
            RequestError: a token holds a line feed, which this format cannot say.
        """
        for i, token in enumerate(self.tokens):
            if "\n" in token or token.endswith("\r"):
                raise RequestError(f"token {i}, {token!r}, cannot be written to {path}: it ends a line")
        Path(path).write_bytes("".join(f"{token}\n" for token in self.tokens).encode())


def read_json(path: str | Path) -> dict:
    """Reads a JSON file that holds an object.

    Raises:
        RequestError: there is no such file, or it holds something else.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise RequestError(f"{path}, line {error.lineno}: this is no JSON: {error.msg}") from None
    if not isinstance(content, dict):
        raise RequestError(f"{path} holds a {type(content).__name__}: it should hold a JSON object")
    return content


def read_text(path: str | Path) -> str:
    """Reads a UTF-8 file.

    Raises:
        RequestError: there is no such file, or it is no UTF-8.
    """
    try:
        return Path(path).read_bytes().decode()
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}, byte {error.start}: this is no UTF-8 ({error.reason})") from None
