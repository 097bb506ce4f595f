"""Which pairs of views are worth matching (docs/classical_backend.md, "Candidate pairs").

The number of pairs grows with the square of the number of views, and most of them show different sides: the
words that two views share say which are worth a quick match of a few large features, and that match tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.features import Features, comparable
from pairs.backends.classical.sfm.matching import Pair, mutual_matches
from pairs.backends.classical.sfm.word_similarity import word_similarity

# 2.7 ms a pair, where 4000 against 4000 take 71.
_PREMATCH_FEATURES, _PREMATCH_RATIO, _MIN_PREMATCHES = 700, 0.9, 4
_TRIED_OF_CHOSEN = 3
"""So many times the partners that a view keeps are matched quickly, those that share most words with it."""
# Whatever the pre-match says: these pairs hold a ring together where the texture is weakest.
_NEIGHBOURS_IN_ORDER = 2


def promising_pairs(
    features: Sequence[Features], masked: bool, options: SolveOptions, progress: Callable[[int, int], None]
) -> list[Pair]:
    """Choose pairs by a quick match of each view's largest features, and the neighbours in file order.
    Returned in ascending order.

    Without masks, features that stand still do not count: the stationary backdrop would decide otherwise.
    """
    num_views = len(features)
    largest = [largest_features(f) for f in features]
    tried = _worth_a_try([descriptors for _, descriptors in largest], _TRIED_OF_CHOSEN * options.partners)
    counts = np.zeros((num_views, num_views), int)
    for number, (a, b) in enumerate(tried):
        counts[a, b] = counts[b, a] = _prematches(
            largest[a], largest[b], 0.0 if masked else options.stationary_px
        )
        progress(number + 1, len(tried))
    chosen = {
        pair for view in range(num_views) for pair in _best_partners(view, counts[view], options.partners)
    }
    return sorted(chosen | _neighbours_in_order(num_views))


def _worth_a_try(descriptors: Sequence[np.ndarray], most: int) -> list[Pair]:
    """Return each view's pairs with the `most` others that share most words with it; all pairs where a view
    has no more others.
    """
    num_views = len(descriptors)
    if num_views - 1 <= most:
        return list(combinations(range(num_views), 2))
    similarity = word_similarity(descriptors)
    np.fill_diagonal(similarity, -1)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :most]
    return sorted({_sorted(view, int(other)) for view, row in enumerate(nearest) for other in row})


def _neighbours_in_order(num_views: int) -> set[Pair]:
    """Return the pairs of views at most two files apart, the last view being a neighbour of the first."""
    steps = range(1, min(_NEIGHBOURS_IN_ORDER, num_views - 1) + 1)
    return {_sorted(view, (view + step) % num_views) for view in range(num_views) for step in steps}


def distance_in_order(pair: Pair, num_views: int) -> int:
    """Return how far two views lie apart in file order, the last being a neighbour of the first."""
    apart = abs(pair[1] - pair[0])
    return min(apart, num_views - apart)


def largest_features(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (N, 2) and comparable descriptors (N, 128) of the features of largest scale, which say
    most cheaply what a view shows.
    """
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
    return [_sorted(view, int(other)) for other in order if counts[other] >= _MIN_PREMATCHES]


def _sorted(a: int, b: int) -> Pair:
    return min(a, b), max(a, b)
