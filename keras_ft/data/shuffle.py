"""Random orders that depend on their keys alone."""

import numpy as np

WORD = 2**64


def random_order(count: int, seed: int, *, epoch: int = 0, stream: int = 0) -> np.ndarray:
    """Return a random permutation of `range(count)`, `(count,)` int64, the same on every machine and for ever.

    The numbers come straight out of Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"),
    whose stream numpy guarantees; what `numpy.random.Generator` makes of them may change with its version.

    Args:
        count: how many there are to order.
        seed: any integer; only its value modulo 2**64 matters, as for the others.
        epoch: another epoch gives an independent order.
        stream: distinguishes the orders that one seed and epoch must give.
    """
    key = np.array([seed % WORD, epoch % WORD], dtype=np.uint64)  # a list would pass through float64
    philox = np.random.Philox(key=key, counter=np.array([0, 0, 0, stream % WORD], dtype=np.uint64))
    return np.argsort(philox.random_raw(count), kind="stable")
