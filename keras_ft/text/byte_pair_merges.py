"""Whether the automaton that runs the merges does what the merges say."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_ft.errors import RequestError


def check_merges(
    merges: Sequence[tuple[str, str]], token_to_id: Mapping[str, int], source: str | Path
) -> dict[str, int]:
    """Refuse merges that SentencePiece's automaton would run otherwise than byte-pair encoding does.

    The automaton joins any two neighbours whose concatenation is a token, the most important token first, whereas
    byte-pair encoding joins the listed pairs only. Both do the same if each merge joins what earlier merges made and
    each token, written out as bytes, becomes itself again: for then no neighbours but the listed pair can ever be
    about to become that token. Training makes nothing else.

    Args:
        merges: the most important first.
        token_to_id: the vocabulary.
        source: where they come from, for messages.

    Returns:
        Token → the rank of the merge that makes it.

    Raises:
        RequestError: a merge names an unknown token, stands twice, joins what no earlier merge made, or makes a token
            that its own bytes never become.
    """
    parts: dict[str, tuple[str, str]] = {}
    ranks: dict[str, int] = {}
    pairs: dict[tuple[str, str], int] = {}
    for rank, (first, second) in enumerate(merges):
        made = first + second
        where = f"{source}: merge {rank + 1}, {first[:40]!r} + {second[:40]!r},"
        for token in (first, second, made):
            if token not in token_to_id:
                raise RequestError(f"{where} needs the token {token[:80]!r}, which is not in the vocabulary: add it")
        for token in (first, second):
            if len(token) > 1 and token not in ranks:
                raise RequestError(f"{where} comes before the merge that makes {token[:80]!r}: it should come after it")
        if made in ranks:
            raise RequestError(f"{where} makes the same token as merge {ranks[made] + 1}: one of them should go")
        if not _stay_apart(first, second, rank, parts, pairs):
            raise RequestError(f"{where} can never happen: earlier merges join its bytes otherwise; remove it")
        parts[made], ranks[made], pairs[first, second] = (first, second), rank, rank
    return ranks


def _stay_apart(
    first: str,
    second: str,
    limit: int,
    parts: Mapping[str, tuple[str, str]],
    pairs: Mapping[tuple[str, str], int],
) -> bool:
    """Whether no merge of a rank below the limit joins the end of one token with the beginning of its neighbour.

    Goes back in time along the edge between them, from the latest of the merges that made the two sides.
    """
    while True:
        if pairs.get((first, second), limit) < limit:
            return False
        ranks = [pairs[parts[token]] if token in parts else -1 for token in (first, second)]
        if max(ranks) < 0:
            return True
        if ranks[0] > ranks[1]:
            limit, first = ranks[0], parts[first][1]
        else:
            limit, second = ranks[1] + 1, parts[second][0]  # of equal merges the one on the left comes first
