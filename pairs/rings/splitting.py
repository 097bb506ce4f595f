"""A folded scene cut where it is folded, and its pieces joined again, by outlines alone.

Features that look alike fold a scene: a block of views is turned, scaled and shifted as a whole, and fits
within itself. Its outlines fit no other block's, but for some pairs that agree by chance, opposite ones above
all: whom a view agrees with tells more than whether two views agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import networkx
import numpy as np
from scipy.spatial.transform import Rotation

from pairs.rings.joining import (
    Joint,
    Moved,
    believable,
    descended,
    joint_of,
    median_within,
    moved_poses,
    tangency_across,
)
from pairs.rings.outline import Outline
from pairs.rings.scanning import bounded_costs, circular_minima
from pairs.rings.tangency import all_pairs, hulls_of, tangency
from pairs.views.cameras import Cameras, some_cameras

_AGREE_PX = 3.0
_POOR_PX = 1.5
"""Where masks are so poor in the middle, twice what they are takes the place of 3 px."""
_COMMON = 0.4
"""Folds made by hand were cut exactly at 0.3 to 0.6 with 2 to 4 px, and right scenes stayed whole."""
_LEAST_VIEWS, _LEAST_SHARE = 3, 0.1
_SCAN_RAD = np.deg2rad(np.arange(0, 360, 5))
_SCAN_PX = 8.0
_KEPT_STARTS = 6
_WIDE_PX, _NARROW_PX = 10.0, 2.0
_APART_RAD = np.deg2rad(8.0)


@dataclass(frozen=True, slots=True)
class Folds:
    """Which views of a solved scene form rigid wholes."""

    pieces: tuple[np.ndarray, ...]
    """Views of each piece, (n,) int ascending, the largest first; one piece is a scene without folds."""
    single: np.ndarray  # (m,) int, views that stand wrong on their own
    tangency: float
    """Median over pairs within pieces of the larger tangency, in pixels."""


@dataclass(frozen=True, slots=True)
class JoinedPiece:
    """A piece moved onto the rest of the scene."""

    turn: np.ndarray  # (3, 3), rotation of the piece's world
    scale: float
    cam_from_world: np.ndarray  # (m, 4, 4), its views in the world of the rest
    tangency: float
    """Median against the rest in pixels."""
    next_tangency: float
    """The same of the best other place, turned by at least 8 degrees; infinite where none was found."""
    accepted: bool
    """Whether the place is good and no other one is nearly as good."""

    @property
    def turned_by(self) -> float:
        """Radians by which the piece was turned."""
        return float(Rotation.from_matrix(self.turn).magnitude())


def cut_folds(cameras: Cameras, outlines: Sequence[Outline]) -> Folds:
    """Cut a solved scene into pieces that their outlines hold together.

    Two views belong together when, of the views that either agrees with (both tangents within 3 px, the pair
    itself included), more than 0.4 agree with both. Pieces of fewer than 3 views or a tenth of all are single
    views gone wrong. O(V^2); 36 views take 10 ms.
    """
    num_views, hulls = len(outlines), hulls_of(outlines)
    pairs = all_pairs(num_views)
    larger = tangency(cameras, hulls, pairs).larger
    middle = float(np.nanmedian(larger)) if not np.isnan(larger).all() else 0.0
    # Of a scene in two halves half the pairs are far off, so the median of all tells little: that of the
    # better half is within pieces.
    better = float(np.nanmedian(larger[larger <= middle])) if middle > 0 else 0.0
    limit = _AGREE_PX * hulls.scale
    if better > _POOR_PX * hulls.scale:
        limit = 2 * better
    known, agree = np.eye(num_views, dtype=bool), np.eye(num_views, dtype=bool)
    a, b = pairs.T
    known[a, b] = known[b, a] = ~np.isnan(larger)
    agree[a, b] = agree[b, a] = np.nan_to_num(larger, nan=np.inf) < limit
    linked = _common_share(agree, known) > _COMMON
    parts = [
        np.array(sorted(part))
        for part in networkx.connected_components(networkx.from_numpy_array(np.triu(linked, 1)))
    ]
    least = max(_LEAST_VIEWS, _LEAST_SHARE * num_views)
    pieces = sorted((part for part in parts if len(part) >= least), key=lambda part: (-len(part), part[0]))
    single = [view for part in parts if len(part) < least for view in part]
    within = np.zeros((num_views, num_views), bool)
    for piece in pieces:
        within[np.ix_(piece, piece)] = True
    own = larger[within[a, b]]
    inner = float(np.nanmedian(own)) if not np.isnan(own).all() else np.inf
    return Folds(tuple(pieces), np.array(sorted(single), int), inner)


def _common_share(agree: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return for every two views (V, V) the share of common ones among those that either agrees with; views
    without a tangent to one of them do not count.
    """
    agree_, known_ = agree.astype(float), known.astype(float)
    both = agree_ @ agree_.T
    one = agree_ @ known_.T
    return both / np.maximum(one + one.T - both, 1)


def join_fold(
    cameras: Cameras, outlines: Sequence[Outline], rest: np.ndarray, piece: np.ndarray, axis: np.ndarray
) -> JoinedPiece:
    """Move a piece (m,) of a scene, as a whole, to where its outlines agree with those of the rest (n,).

    Seven unknowns: a turn, a scale, a shift. The turn about `axis` (3,), a unit vector in the world, is
    scanned with the middle of the piece's object moved onto that of the rest, in the piece's own scale, for
    pieces of one solve differ by a few percent; the six best are descended from. One piece takes a second. A
    single view has no object of its own and cannot be joined so.
    """
    pieces = [(some_cameras(cameras, views), [outlines[k] for k in views]) for views in (rest, piece)]
    joint = joint_of(*pieces[0], *pieces[1])
    costs = [_scan_cost(joint, _turned(axis, float(turn))) for turn in _SCAN_RAD]
    lowest = circular_minima(np.array(costs))[:_KEPT_STARTS]
    found = sorted(
        (_minimum_near(joint, _turned(axis, float(_SCAN_RAD[k]))) for k in lowest), key=lambda m: m.median
    )
    best = found[0]
    others = [m.median for m in found if _angle(m.x, best.x) > _APART_RAD]
    next_median = min(others, default=np.inf)
    within = max(median_within(*each) for each in pieces)
    moved = _moved_by(best.x)
    return JoinedPiece(
        turn=moved.turn,
        scale=moved.scale,
        cam_from_world=moved_poses(joint, cameras.cam_from_world[piece], moved),
        tangency=best.median,
        next_tangency=next_median,
        accepted=believable(joint, best.median, next_median, within),
    )


class _Minimum(NamedTuple):
    x: np.ndarray  # (7,)
    median: float


def _turned(axis: np.ndarray, turn: float) -> np.ndarray:
    return np.concatenate([axis * turn, np.zeros(4)])


def _moved_by(x: np.ndarray) -> Moved:
    return Moved(Rotation.from_rotvec(x[:3]).as_matrix(), float(np.exp(np.clip(x[3], -5, 5))), x[4:])


def _angle(x: np.ndarray, other: np.ndarray) -> float:
    return float((Rotation.from_rotvec(x[:3]) * Rotation.from_rotvec(other[:3]).inv()).magnitude())


def _scan_cost(joint: Joint, x: np.ndarray) -> float:
    residual = tangency_across(joint, _moved_by(x)).residual
    return float(bounded_costs(residual, joint.hulls, _SCAN_PX).mean())


def _minimum_near(joint: Joint, start: np.ndarray) -> _Minimum:
    x = start
    for width in (_WIDE_PX, _NARROW_PX):
        x, _ = descended(joint, _moved_by, x, width)
    return _Minimum(x, tangency_across(joint, _moved_by(x)).median)
