"""The tokens and merges of a byte-level byte-pair tokenizer (Radford et al. 2019, GPT-2's `encoder.py`)."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from keras_ft.errors import RequestError
from keras_ft.text.byte_pair_merges import check_merges
from keras_ft.text.vocabulary import read_json, read_text

ROLES = {  # role → the tokens that play it where nothing else is said
    "start": ("<s>",),
    "end": ("<|endoftext|>", "</s>"),
    "pad": ("<pad>",),
    "unk": ("<unk>",),
    "mask": ("<mask>",),
}
Merge = tuple[str, str]


def _printable_bytes() -> list[str]:
    """GPT-2's character for each byte: itself where Latin-1 prints it, else the next free one from U+0100 on."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    return [chr(byte if byte in printed else 0x100 + others.index(byte)) for byte in range(256)]


CHARACTERS = _printable_bytes()
BYTES = {character: byte for byte, character in enumerate(CHARACTERS)}


class BytePairVocabulary:
    """Tokens, each at the place that is its id, the merges that make them, and the roles of the special ones.

    Args:
        tokens: in the order of their ids, no two alike: bytes in GPT-2's printable form, what merges make of them,
            and others, which are written as they are.
        merges: pairs of tokens to join, the most important first.
        special_tokens: role → token; roles are start, end, pad, unk and mask. By default the usual names that are
            among the tokens, such as "<|endoftext|>" for `end`.
        source: the file the tokens come from, for messages.

    Attributes:
        added_tokens: the tokens that are no byte and that no merge makes, in the order of their ids.
        start_id, end_id, pad_id, unk_id, mask_id: the ids of the special tokens, None where there is no such token.

    Raises:
        RequestError: a token is missing or stands twice, or the merges are such as no training makes.
    """

    def __init__(
        self,
        tokens: Sequence[str],
        merges: Sequence[Merge],
        special_tokens: Mapping[str, str] | None = None,
        source: str | Path = "the vocabulary",
    ):
        self.tokens = list(tokens)
        self.merges = [(first, second) for first, second in merges]
        self.token_to_id = {token: i for i, token in enumerate(self.tokens)}
        if not self.tokens:
            raise RequestError(f"{source} is empty: it should hold tokens and their ids")
        if len(self.token_to_id) != len(self.tokens):
            first = next(i for i, token in enumerate(self.tokens) if self.token_to_id[token] != i)
            raise RequestError(f"{source}: the token {self.tokens[first]!r} stands there twice: once would be right")
        missing = [byte for byte, character in enumerate(CHARACTERS) if character not in self.token_to_id]
        if missing:
            raise RequestError(
                f"{source}: the byte {missing[0]:#04x} (written {CHARACTERS[missing[0]]!r}) is not among the"
                f" {len(self)} tokens: byte-level tokenizers need all 256"
            )
        self.ranks = check_merges(self.merges, self.token_to_id, source)
        made = self.ranks.keys() | BYTES.keys()
        self.added_tokens = [token for token in self.tokens if token not in made]
        self.special_tokens = self._roles(special_tokens, source)
        ids = {role: self.token_to_id.get(self.special_tokens.get(role, "")) for role in ROLES}
        self.start_id, self.end_id, self.pad_id, self.unk_id, self.mask_id = (ids[role] for role in ROLES)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def cls_id(self) -> int | None:
        """What stands before a text where BERT has [CLS]: the start token, so that `assemble` frames with it."""
        return self.start_id

    @property
    def sep_id(self) -> int | None:
        """What stands after a text where BERT has [SEP]: the end token."""
        return self.end_id

    @property
    def begin_ids(self) -> list[int]:
        """The start token, see `Framing`; none where there is no such token."""
        return [] if self.start_id is None else [self.start_id]

    @property
    def between_ids(self) -> list[int]:
        """The end token twice, as RoBERTa has it."""
        return 2 * self.end_ids

    @property
    def end_ids(self) -> list[int]:
        """The end token; none where there is no such token."""
        return [] if self.end_id is None else [self.end_id]

    @property
    def second_segment(self) -> int:
        """RoBERTa does not tell the two texts of a pair apart."""
        return 0

    def token_bytes(self, token: str) -> bytes:
        """What a token says: its bytes, or the UTF-8 of one that is written as it is."""
        if token in self.ranks or token in BYTES:
            return bytes(BYTES[character] for character in token)
        return token.encode()

    def with_added_tokens(self, tokens: Sequence[str]) -> "BytePairVocabulary":
        """This vocabulary and, behind it, those of the tokens that it does not know."""
        new = [token for token in dict.fromkeys(tokens) if token not in self.token_to_id]
        if "" in new:
            raise RequestError("an added token is the empty string: it should have a character")
        return BytePairVocabulary(self.tokens + new, self.merges, self.special_tokens)

    @classmethod
    def from_files(
        cls, vocabulary: str | Path, merges: str | Path, special_tokens: Mapping[str, str] | None = None
    ) -> "BytePairVocabulary":
        """Reads `vocab.json` (GPT-2's `encoder.json`) and `merges.txt` (GPT-2's `vocab.bpe`).

        Raises:
            RequestError: a file is missing or damaged (see the class).
        """
        tokens = tokens_in_order(read_json(vocabulary), vocabulary)
        return cls(tokens, read_merges(merges), special_tokens, source=vocabulary)

    def save(self, vocabulary: Path, merges: Path) -> None:
        """Writes the two files that `from_files` reads."""
        vocabulary.write_text(json.dumps(self.token_to_id, ensure_ascii=False) + "\n", encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(merge) for merge in self.merges)]
        merges.write_bytes("".join(f"{line}\n" for line in lines).encode())

    def _roles(self, special_tokens: Mapping[str, str] | None, source: str | Path) -> dict[str, str]:
        if special_tokens is None:
            usual = {role: [token for token in names if token in self.added_tokens] for role, names in ROLES.items()}
            return {role: tokens[0] for role, tokens in usual.items() if tokens}
        for role, token in special_tokens.items():
            if role not in ROLES:
                raise RequestError(f"special token role {role!r} does not exist: use {', '.join(ROLES)}")
            if token not in self.token_to_id:
                raise RequestError(f"{source}: the {role} token {token!r} is not among the {len(self)} tokens: add it")
        return dict(special_tokens)


def tokens_in_order(ids: Mapping[str, int], source: str | Path) -> list[str]:
    """The tokens of a token → id mapping in the order of their ids.

    Raises:
        RequestError: the ids are not 0, 1, 2 … each once.
    """
    for token, i in ids.items():
        if not isinstance(i, int) or isinstance(i, bool):
            raise RequestError(f"{source}: the id of {token!r} is {i!r}: it should be a whole number")
    tokens = sorted(ids, key=ids.__getitem__)
    for token, following in itertools.pairwise(tokens):
        if ids[token] == ids[following]:
            raise RequestError(
                f"{source}: {token!r} and {following!r} have the same id {ids[token]}: they should differ"
            )
    gap = next((i for i, token in enumerate(tokens) if ids[token] != i), None)
    if gap is not None:
        raise RequestError(f"{source}: no token has the id {gap}, but one has {ids[tokens[gap]]}: use 0, 1, 2 …")
    return tokens


def read_merges(path: str | Path) -> list[Merge]:
    """Reads a `merges.txt`: UTF-8, after an optional `#version` line a pair of tokens with a space between on each.

    Raises:
        RequestError: there is no such file, or a line is no pair.
    """
    return parse_merges(read_text(path).split("\n"), path)


def parse_merges(lines: Iterable[str], source: str | Path) -> list[Merge]:
    """Reads the lines of a `merges.txt`; the source is for messages.

    Raises:
        RequestError: a line is no pair.
    """
    merges: list[Merge] = []
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\r")
        if not line or (number == 1 and line.startswith("#version")):
            continue
        first, _, second = line.partition(" ")
        if not first or not second or " " in second:
            raise RequestError(
                f"{source}, line {number}: {line[:40]!r} is no merge: it should be two tokens and a space"
            )
        merges.append((first, second))
    return merges
