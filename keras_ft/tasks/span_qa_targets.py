"""Where an answer lies among the tokens of each window of its context."""

import numpy as np


def answer_places(answers: np.ndarray, chunk: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last token that an answer has a part in; 0, [CLS], in a window that does not hold all of them.

    Args:
        answers: `(examples, 2)` where each begins and ends, in code points of the context; both alike for none.
        chunk: of the same examples, as `Task.aligned_targets` is given it.

    Returns:
        `(sequences,)` int32 each, counted from the beginning of the sequence.
    """
    lengths, counts = chunk["lengths"].astype(np.int64), chunk["sequences"]
    starts = np.cumsum(lengths) - lengths  # (sequences,)
    example = np.repeat(np.arange(len(counts)), counts)  # (sequences,)
    wanted = np.repeat(answers[example], lengths, axis=0)  # (tokens, 2)
    in_context = chunk["start"] >= 0
    hit = in_context & (chunk["start"] < wanted[:, 1]) & (chunk["end"] > wanted[:, 0])
    place = np.arange(len(hit)) - np.repeat(starts, lengths)
    beyond = np.iinfo(np.int64).max
    first = np.minimum.reduceat(np.where(hit, place, beyond), starts)  # (sequences,)
    last = np.maximum.reduceat(np.where(hit, place, -1), starts)

    # The same in tokens of the whole context, to know whether a neighbour has more of the answer.
    offset = chunk["window_start"] - np.minimum.reduceat(np.where(in_context, place, beyond), starts)
    begin_example = np.cumsum(counts) - counts
    has = last >= 0
    whole_first = np.minimum.reduceat(np.where(has, first + offset, beyond), begin_example)[example]
    whole_last = np.maximum.reduceat(np.where(has, last + offset, -1), begin_example)[example]
    holds = has & (first + offset == whole_first) & (last + offset == whole_last)
    return np.where(holds, first, 0).astype(np.int32), np.where(holds, last, 0).astype(np.int32)
