"""Which pairs of views are worth matching (docs/classical_backend.md, "Candidate pairs").

The number of pairs grows with the square of the number of views, and most of them show different sides: a
match of a few large features tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.features import Features, comparable
from pairs.backends.classical.sfm.matching import Pair, mutual_matches

# 2.7 ms a pair, where 4000 against 4000 take 71.
_PREMATCH_FEATURES, _PREMATCH_RATIO, _MIN_PREMATCHES = 700, 0.9, 4
# Whatever the pre-match says: these pairs hold a ring together where the texture is weakest.
_NEIGHBOURS_IN_ORDER = 2


def promising_pairs(
    features: Sequence[Features], masked: bool, options: SolveOptions, done: Callable[[int], None]
) -> list[Pair]:
    """Choose pairs by a quick match of each view's largest features, and the neighbours in file order.
    Returned in ascending order.

    Without masks, features that stand still do not count: the stationary backdrop would decide otherwise.
    """
    num_views = len(features)
    coarse = [_largest(f) for f in features]
    counts = np.zeros((num_views, num_views), int)
    for number, (a, b) in enumerate(combinations(range(num_views), 2)):
        counts[a, b] = counts[b, a] = _prematches(
            coarse[a], coarse[b], 0.0 if masked else options.stationary_px
        )
        done(number + 1)
    chosen = {
        pair for view in range(num_views) for pair in _best_partners(view, counts[view], options.partners)
    }
    return [
        pair
        for pair in combinations(range(num_views), 2)
        if pair in chosen or distance_in_order(pair, num_views) <= _NEIGHBOURS_IN_ORDER
    ]


def distance_in_order(pair: Pair, num_views: int) -> int:
    """Return how far two views lie apart in file order, the last being a neighbour of the first."""
    apart = abs(pair[1] - pair[0])
    return min(apart, num_views - apart)


def _largest(features: Features) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-features.size, kind="stable")[:_PREMATCH_FEATURES]
    return features.xy[order], comparable(features.descriptors[order])


def _prematches(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], stationary_px: float
) -> int:
    i, j = mutual_matches(first[1], second[1], _PREMATCH_RATIO).T
    moved = np.linalg.norm(first[0][i] - second[0][j], axis=1)
    return int((moved >= stationary_px).sum())


def _best_partners(view: int, counts: np.ndarray, number: int) -> list[Pair]:
    # Stable: of equal partners the earlier file, so that no choice depends on the sort.
    order = np.argsort(-counts, kind="stable")[:number]
    return [
        (min(view, int(other)), max(view, int(other))) for other in order if counts[other] >= _MIN_PREMATCHES
    ]
