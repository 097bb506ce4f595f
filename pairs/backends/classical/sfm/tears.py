"""Whether neighbours in file order were torn apart: the sign of a fold that silhouettes cannot show.

An object with several equal sides (a square tower, a box with one label twice) folds so that each silhouette still fits: views a quarter turn apart
look alike and end up at one place. Somewhere on the way round, two photos that follow each other then see the same surface as different scene
points. Agreement over all pairs says nothing, for a right scene contradicts its many look-alike pairs; agreement of neighbours does.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pairs.backends.classical.sfm.candidates import distance_in_order
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair

_MIN_WITNESSES = 15
_MIN_AGREEMENT = 0.5
"""Right scenes agree in more than nine tenths of the matches of every neighbouring pair, torn ones in next to none."""


def torn_pairs(model: MapperModel, pairs: Mapping[Pair, VerifiedPair], num_views: int) -> tuple[Pair, ...]:
    """Return the verified pairs of neighbours in file order (the last one is a neighbour of the first) whose matches the scene contradicts.

    A tear between the last and the first alone is none: where the photos do not go all round, these two may merely look alike.
    """
    neighbours = [pair for pair in pairs if distance_in_order(pair, num_views) == 1]
    shares = agreement(model, {pair: pairs[pair] for pair in neighbours})
    torn = tuple(pair for pair, share in shares.items() if share < _MIN_AGREEMENT)
    return () if torn == ((0, num_views - 1),) and num_views > 2 else torn


def agreement(model: MapperModel, pairs: Mapping[Pair, VerifiedPair]) -> dict[Pair, float]:
    """Return, for placed pairs, the share of matches whose key points see one scene point, among those whose key points both see some.

    Pairs with too few such matches are left out.
    """
    point_of = {view: _point_of_feature(model, k) for k, view in enumerate(model.placed)}
    shares = {}
    for (a, b), pair in pairs.items():
        if a not in point_of or b not in point_of:
            continue
        in_a, in_b = _looked_up(point_of[a], pair.indices[:, 0]), _looked_up(point_of[b], pair.indices[:, 1])
        both = (in_a >= 0) & (in_b >= 0)
        if both.sum() >= _MIN_WITNESSES:
            shares[a, b] = float((in_a == in_b)[both].mean())
    return shares


def _point_of_feature(model: MapperModel, k: int) -> np.ndarray:
    """Return the scene point that each key point of a placed view sees, -1 for none."""
    mine = model.observed_by == k
    features = model.observed_feature[mine]
    point_of = np.full(int(features.max()) + 1 if len(features) else 0, -1)
    point_of[features] = model.observed_point[mine]
    return point_of


def _looked_up(point_of: np.ndarray, features: np.ndarray) -> np.ndarray:
    known = features < len(point_of)
    found = np.full(len(features), -1)
    found[known] = point_of[features[known]]
    return found
