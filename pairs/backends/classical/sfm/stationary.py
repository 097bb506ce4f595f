"""Features that stand still with the camera: the backdrop of a turntable
(docs/classical_backend.md, "Stationary matches").

They agree perfectly with a camera that never moved, and would outvote the object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pairs.backends.classical.sfm.matching import Pair

# One pair may be an accident: a point near the axis, or two files of one camera (templeSparseRing: 9.5 % of
# all matches, and no key point in a second pair).
_STATIC_PAIRS = 2
"""A key point that stands still against so many views is thrown out with all its matches."""


@dataclass(frozen=True, slots=True)
class StationaryReport:
    """How much stood still."""

    matches: float
    """Share of the matches between different views, 0 to 1."""
    key_points: float
    """Share of the matched key points that stand still against at least two views."""


def reject_stationary(
    xy: Sequence[np.ndarray],
    matches: Mapping[Pair, np.ndarray],
    stationary_px: float,
    first: Sequence[int],
) -> tuple[dict[Pair, np.ndarray], StationaryReport]:
    """Drop matches that moved less than `stationary_px`, and every match of a key point that does so against
    two different views.

    `xy` are the key points (N, 2) of each view in working pixels, `matches` index pairs (M, 2), `first` says
    which view each repeats (`repeated_views`). Use it only where no view has a mask: a point on the axis of a
    masked object moves little and is genuine.
    """
    still = {
        pair: np.linalg.norm(xy[pair[0]][m[:, 0]] - xy[pair[1]][m[:, 1]], axis=1) < stationary_px
        for pair, m in matches.items()
    }
    against: list[dict[int, np.ndarray]] = [{} for _ in xy]
    matched = [np.zeros(len(points), bool) for points in xy]
    for pair, m in matches.items():
        for side, view in enumerate(pair):
            other = first[pair[1 - side]]
            matched[view][m[:, side]] = True
            # What repeats a view tells no backdrop, and several frames of one stop are one witness.
            if other != first[view]:
                seen = against[view].setdefault(other, np.zeros(len(xy[view]), bool))
                seen[m[still[pair], side]] = True
    fixed = [
        sum(seen.values(), np.zeros(len(points), int)) >= _STATIC_PAIRS for seen, points in zip(against, xy)
    ]
    kept = {
        (a, b): m[~still[a, b] & ~fixed[a][m[:, 0]] & ~fixed[b][m[:, 1]]] for (a, b), m in matches.items()
    }
    told = [s for (a, b), s in still.items() if first[a] != first[b]]
    return kept, StationaryReport(_share(told, [np.ones_like(s) for s in told]), _share(fixed, matched))


def nothing_moves(
    xy: Sequence[np.ndarray], matches: Mapping[Pair, np.ndarray], stationary_px: float, fewest: int
) -> bool:
    """Tell whether there are matches, and fewer than `fewest` of every pair moved: copies of a photo, or a
    camera that never moved.
    """
    moved = [
        int((np.linalg.norm(xy[a][m[:, 0]] - xy[b][m[:, 1]], axis=1) >= stationary_px).sum())
        for (a, b), m in matches.items()
    ]
    return max(map(len, matches.values()), default=0) >= fewest and max(moved) < fewest


def _share(parts: Sequence[np.ndarray], wholes: Sequence[np.ndarray]) -> float:
    """Return the true elements of some boolean arrays as a share of those of others; 0 of none is 0."""
    whole = sum(int(w.sum()) for w in wholes)
    return sum(int(p.sum()) for p in parts) / whole if whole else 0.0
