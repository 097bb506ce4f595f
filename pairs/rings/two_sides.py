"""An object that was turned over between two runs: two pieces of a scene, joined by their outlines.

Each run has cameras about one axis, in a world of its own. The object is the same, so one similarity moves
the second run's cameras into the world of the first. Nobody knows how the object was laid: all orientations
are tried with the object's middle onto itself, and the best are descended from. The camera stands above the
table in both runs, so upside down no photo of one looks along one of the other; but outlines from opposite
sides are mirrored, which is why tangents tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from pairs.rings.joining import (
    Joint,
    Moved,
    believable,
    descended,
    joint_of,
    median_within,
    moved_points,
    moved_poses,
    tangency_across,
)
from pairs.rings.outline import Outline
from pairs.rings.scanning import bounded_costs
from pairs.rings.tangency import Hulls, pairs_across, tangency_of_rays
from pairs.views.cameras import Cameras

_SCANNED = 4000
"""Orientations tried, 13 degrees apart: descents from 15 and 50 degrees off ended right."""
_SCAN_VIEWS = 8
"""Views of each run that are compared at first: spread evenly they say as much as all."""
_SCAN_PX = 12.0
_STARTS, _REFINED = 12, 3
_APART_RAD = np.deg2rad(20.0)
"""Between starts, and between solutions that count as different ones."""
_WIDE_PX, _NARROW_PX = 8.0, 1.0
_MOST_SCALE = 1.0
"""Natural logarithm of the factor by which balls may misjudge the scale: seen 0.08."""
_BLOCK = 8000
"""Pairs measured at once: memory of some 50 MB."""
_FOOT_SHARE = 0.15
_LOST_SHARE = 0.5
"""With fewer tangents in sight the median is that of a chance."""


@dataclass(frozen=True, slots=True)
class TwoSides:
    """How the cameras of a second run join those of a first one."""

    cam_from_world: np.ndarray  # (m, 4, 4), the second run's in the world of the first
    scale: float
    """Lengths of the second run's world in that of the first."""
    tangency: float
    """Median in pixels between views of both runs."""
    next_tangency: float
    """The same of the best solution that lies otherwise."""
    accepted: bool


def join_sides(
    first: Cameras, first_outlines: Sequence[Outline], second: Cameras, second_outlines: Sequence[Outline]
) -> TwoSides:
    """Move the cameras of a second run, as a whole, to where its outlines agree with those of the first.

    Seven unknowns: turn, scale, shift. Tangents of a foot that a mask hides in one run only are outliers and
    count little. 24 + 24 views take 3 CPU seconds.
    """
    joint = joint_of(first, first_outlines, second, second_outlines)
    some = _thinned(joint)
    turns = _spread_rotations(_SCANNED)
    starts = _distinct(turns, _scan_costs(some, turns))
    found = sorted(
        (_minimum_near(some, _begun(some, turns[k]), _WIDE_PX) for k in starts), key=lambda m: m.cost
    )
    # Refined first: several descents stop short of one minimum.
    away = [m for m in found if _angle(m.moved.turn, found[0].moved.turn) > _APART_RAD]
    minima = [
        _minimum_near(joint, minimum.moved, _NARROW_PX).moved
        for minimum in (*found[:_REFINED], *away[:_REFINED])
    ]
    medians = np.array([_median(joint, minimum) for minimum in minima])
    best, median = minima[int(medians.argmin())], float(medians.min())
    apart = [_angle(minimum.turn, best.turn) > _APART_RAD for minimum in minima]
    next_median = float(medians[apart].min(initial=np.inf))
    within = max(median_within(first, first_outlines), median_within(second, second_outlines))
    return TwoSides(
        cam_from_world=moved_poses(joint, second.cam_from_world, best),
        scale=best.scale,
        tangency=median,
        next_tangency=next_median,
        accepted=believable(joint, median, next_median, within),
    )


def without_foot(outline: Outline, down: np.ndarray) -> Outline:
    """Return an outline whose tangents do not count near its lower end, in the direction `down` (2,) of the
    picture: where an object stands, masks are cut, or hold some of the table.
    """
    along = outline.hull @ down
    low = along > along.max() - _FOOT_SHARE * np.ptp(along)
    return replace(outline, on_frame=outline.on_frame | low)


class _Minimum(NamedTuple):
    moved: Moved
    cost: float


def _thinned(joint: Joint) -> Joint:
    """Return the same of some views of each run alone."""
    n, m = joint.num_first, len(joint.centres) - joint.num_first
    a, b = (np.linspace(0, k, min(k, _SCAN_VIEWS), endpoint=False).astype(int) for k in (n, m))
    kept = np.append(a, n + b)
    hulls = joint.hulls
    return replace(
        joint,
        rays=joint.rays[kept],
        centres=joint.centres[kept],
        focal=joint.focal[kept],
        hulls=Hulls(hulls.points[kept], hulls.on_frame[kept], hulls.scale),
        pairs=pairs_across(len(a), len(b)),
        num_first=len(a),
    )


def _spread_rotations(count: int) -> np.ndarray:
    """Return rotations (count, 3, 3) spread evenly over all orientations (M. Alexa, Super-Fibonacci spirals,
    CVPR 2022).
    """
    s = np.arange(count) + 0.5
    # The square root of two, and the root of x^4 = x + 4.
    alpha, beta = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / 1.533751168755204288
    inner, outer = np.sqrt(s / count), np.sqrt(1 - s / count)
    parts = [inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)]
    return Rotation.from_quat(np.stack(parts, 1)).as_matrix()


def _begun(joint: Joint, turn: np.ndarray) -> Moved:
    """Return a turn (3, 3) with the balls' own scale and no shift."""
    first, second = joint.balls
    return Moved(turn, first.radius / second.radius, np.zeros(3))


def _scan_costs(joint: Joint, turns: np.ndarray) -> np.ndarray:
    """Return the costs (T,) of turns (T, 3, 3) with the balls' own scale and no shift."""
    n, num_pairs = joint.num_first, len(joint.pairs)
    m = len(joint.centres) - n
    costs = []
    block = max(1, _BLOCK // num_pairs)
    for start in range(0, len(turns), block):
        part = turns[start : start + block]
        # Each turn has copies of the second run's views of its own.
        which = np.append(np.arange(n), n + np.tile(np.arange(m), len(part)))
        rays = np.einsum("tij,vmj->tvmi", part, joint.rays[n:]).reshape(-1, *joint.rays.shape[1:])
        centres = [moved_points(joint, joint.centres[n:], _begun(joint, turn)) for turn in part]
        pairs = np.tile(joint.pairs, (len(part), 1))
        pairs[:, 1] += np.repeat(m * np.arange(len(part)), num_pairs)
        found = tangency_of_rays(
            np.concatenate([joint.rays[:n], rays]),
            np.concatenate([joint.centres[:n], *centres]),
            joint.focal[which],
            Hulls(joint.hulls.points[:0], joint.hulls.on_frame[which], joint.hulls.scale),
            pairs,
        )
        share = bounded_costs(found.residual, joint.hulls, _SCAN_PX)
        costs.append(share.reshape(len(part), -1).mean(1))
    return np.concatenate(costs)


def _distinct(turns: np.ndarray, costs: np.ndarray) -> list[int]:
    """Return the cheapest turns that lie apart, the best first."""
    kept: list[int] = []
    for k in np.argsort(costs, kind="stable"):
        if all(_angle(turns[k], turns[other]) > _APART_RAD for other in kept):
            kept.append(int(k))
            if len(kept) == _STARTS:
                break
    return kept


def _angle(turn: np.ndarray, other: np.ndarray) -> float:
    return float(np.arccos(np.clip((np.trace(turn @ other.T) - 1) / 2, -1, 1)))


def _minimum_near(joint: Joint, start: Moved, width_px: float) -> _Minimum:
    def moved_by(x: np.ndarray) -> Moved:
        turn = Rotation.from_rotvec(x[:3]).as_matrix() @ start.turn
        return Moved(turn, start.scale * float(np.exp(np.clip(x[3], -_MOST_SCALE, _MOST_SCALE))), x[4:])

    x, cost = descended(joint, moved_by, np.append(np.zeros(4), start.shift), width_px)
    return _Minimum(moved_by(x), cost)


def _median(joint: Joint, moved: Moved) -> float:
    found = tangency_across(joint, moved)
    return found.median if found.usable.mean() >= _LOST_SHARE else np.inf
