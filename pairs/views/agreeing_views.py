"""Which views are at one with most of their pairs, and which are not."""

from __future__ import annotations

import numpy as np


def agreeing_views(
    pair: np.ndarray, weight: np.ndarray, agrees: np.ndarray, among: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest set of some views (G,) bool that agree with one another by most of their pairs
    (E, 2), by weight (E,), and the others that have pairs at all. `agrees` (E,) bool says it of each pair.

    The view that agrees the least is left out, one after the other: wrong poses also spoil the pairs of
    right ones.
    """
    kept, (i, j), size = among.copy(), pair.T, len(among)
    while True:
        inside = kept[i] & kept[j]
        ends, both = pair[inside].ravel(), np.repeat(weight[inside], 2)
        total = np.bincount(ends, both, size)
        agreed = np.bincount(ends, both * np.repeat(agrees[inside], 2), size)
        share = np.where(kept & (total > 0), agreed / np.where(total > 0, total, 1), 1.0)
        worst = int(share.argmin())
        if share[worst] >= 0.5:
            break
        kept[worst] = False
    # Sets that are each in a world of its own hang together by few pairs, which no single view's share shows.
    label = np.arange(size)
    for a, b in pair[inside & agrees]:
        label[label == label[b]] = label[a]
    tied = kept & (agreed > 0)
    largest = int(np.bincount(label[tied], minlength=size).argmax()) if tied.any() else -1
    confirmed = tied & (label == largest)
    return confirmed, among & ~confirmed & (np.bincount(pair.ravel(), minlength=size) > 0)
