"""The population stability index: how far answers of today lie from those of the reference.

    PSI = Σ (q − p) · ln(q / p)        over bins; p: shares of the reference, q: of what is served

It is the symmetric Kullback-Leibler divergence (Jeffreys 1946), used to watch credit scores since Lewis 1994, *An
Introduction to Credit Scoring*. Below 0.1 nothing has changed, above 0.25 much has (Siddiqi 2006, *Credit Risk
Scorecards*, ch. 8; du Pisanie, Allison and Visagie 2023, arXiv:2303.01227, review it).
"""

import numpy as np

SMOOTHING = 0.5


def population_stability_index(reference: np.ndarray, served: np.ndarray, smoothing: float = SMOOTHING) -> float:
    """The index of two sets of counts.

    Counts, and not shares, since an empty bin would make the index infinite. Half a count is added to each bin of
    either side (Jeffreys' prior), except where both are empty: such a bin says nothing. Without any drift the index is
    not 0 but about (bins − 1) · (1 / m + 1 / n) for m and n counts (Yurdakul 2018, *Statistical Properties of
    Population Stability Index*), which is why bins are few and answers many here.

    Arguments:
        reference: `(bins,)` counts, at least one of them above 0.
        served: `(bins,)` counts of the same bins.
        smoothing: added to each count.
    """
    reference, served = np.asarray(reference, np.float64), np.asarray(served, np.float64)
    filled = (reference > 0) | (served > 0)
    p, q = reference[filled] + smoothing, served[filled] + smoothing
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))
