"""How far each pair's relative pose is to be trusted (docs/bundle_alignment.md, "Cycle consistency")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align.initial.relative_poses import RelativePoses
from align.rotations import rotation_angle

_UNMATCHED = 20.0
"""Matches that every pair is granted: pointmaps alone still tie a view that has none. With it such a view
ends 0.9 degrees off, without it anywhere."""
_DISAGREEMENT_RAD = np.deg2rad(5.0)
"""Twice the median error of a right pair among 8 views on a circle (2.5 degrees; 1.2 among 16)."""
_LOOP_RAD = np.deg2rad(8.0)
"""Wider than for one pair: three errors add up in a loop."""
_LEAST_CONSISTENCY = 0.02
"""A pair no loop of which closes keeps so little that it decides only where a view has no other."""
_WITHOUT_LOOP = 0.5
"""Neither good nor bad: a chain of views has no loop at all, and all its pairs must count alike."""


@dataclass(frozen=True, slots=True)
class Triplets:
    """All T loops of three pairs, and by what angle their rotations fail to compose to the identity."""

    edges: np.ndarray  # (T, 3) int, into the pairs: (a, b), (b, c), (a, c)
    angle_rad: np.ndarray  # (T,)


def edge_weights(pairs: RelativePoses, triplets: Triplets) -> np.ndarray:
    """Return a weight (E,) for each pair, 1 for the best: from its matches, its confidence, the
    agreement of its two directions, and the loops it takes part in.
    """
    score = (
        (pairs.num_matches + _UNMATCHED)
        * pairs.conf
        / (1 + (pairs.disagreement_rad / _DISAGREEMENT_RAD) ** 2)
    )
    score = score * (_LEAST_CONSISTENCY + loop_consistency(triplets, score)) ** 2
    return score / score.max() if len(score) else score


def triplets_of(pairs: RelativePoses, num_views: int) -> Triplets:
    """Return the triplets of the graph with the angles of R_ab R_bc R_ac^T, in the order of the pairs."""
    number = np.full((num_views, num_views), -1)
    R = np.tile(np.eye(3), (num_views, num_views, 1, 1))
    i, j = pairs.pair.T
    number[i, j] = number[j, i] = np.arange(len(i))
    R[i, j], R[j, i] = pairs.R_i_from_j, pairs.R_i_from_j.transpose(0, 2, 1)
    a, b = np.sort(pairs.pair, 1).T
    edge, c = np.nonzero((number[a] >= 0) & (number[b] >= 0) & (np.arange(num_views) > b[:, None]))
    a, b = a[edge], b[edge]
    loop = R[a, b] @ R[b, c] @ R[c, a]
    angle = rotation_angle(loop)
    return Triplets(np.stack([edge, number[b, c], number[a, c]], 1), angle)


def loop_consistency(triplets: Triplets, score: np.ndarray) -> np.ndarray:
    """Return (E,) how well the loops through each pair close, from 0 to 1, each loop weighted by the weaker
    of
    the two other edges; 0.5 without a loop.
    """
    closed = (1 + (triplets.angle_rad / _LOOP_RAD) ** 2) ** -2.0
    others = score[triplets.edges]  # (T, 3)
    # A loop that fails to close blames all three pairs; weighted by the weaker of the other two, it blames a
    # pair only as far as these are to be trusted.
    weight = np.stack([others[:, [1, 2]].min(1), others[:, [0, 2]].min(1), others[:, [0, 1]].min(1)], 1)
    total = np.bincount(triplets.edges.ravel(), weight.ravel(), len(score))
    kept = np.bincount(triplets.edges.ravel(), (weight * closed[:, None]).ravel(), len(score))
    return np.where(total > 0, kept / np.where(total > 0, total, 1), _WITHOUT_LOOP)
