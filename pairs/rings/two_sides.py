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
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from pairs.rings.coherence import Ball, object_ball
from pairs.rings.outline import Outline
from pairs.rings.tangency import Hulls, Tangency, all_pairs, hulls_of, rays_of, tangency, tangency_of_rays
from pairs.views.cameras import Cameras

_SCANNED = 4000
"""Orientations tried, 13 degrees apart: descents from 15 and 50 degrees off ended right."""
_SCAN_VIEWS = 8
"""Views of each run that are compared at first: spread evenly they say as much as all."""
_SCAN_PX, _CLIPPED_PX = 12.0, 30.0
_STARTS, _REFINED = 12, 3
_APART_RAD = np.deg2rad(20.0)
"""Between starts, and between solutions that count as different ones."""
_WIDE_PX, _NARROW_PX = 8.0, 1.0
_MOST_SCALE = 1.0
"""Natural logarithm of the factor by which balls may misjudge the scale: seen 0.08."""
_BLOCK = 8000
"""Pairs measured at once: memory of some 50 MB."""
_GOOD_PX, _WORSE = 1.0, 2.0
_CLEAR = 0.5
"""A median counts up to a pixel, or twice that within the runs, and up to this share of the next one's. Right
ones had 0.08 to 0.12 px of exact masks, upside down and on the side, 1.3 of masks ragged by 2 px; the next
ones 2.2 to 9."""
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
    problem = _problem(first, first_outlines, second, second_outlines)
    some = _thinned(problem)
    turns = _spread_rotations(_SCANNED)
    starts = _distinct(turns, _scan_costs(some, turns))
    found = sorted((_descended(some, turns[k], _WIDE_PX) for k in starts), key=lambda m: m.cost)
    # Refined first: several descents stop short of one minimum.
    away = [m for m in found if _angle(m.turn, found[0].turn) > _APART_RAD]
    minima = [_refined(problem, minimum) for minimum in (*found[:_REFINED], *away[:_REFINED])]
    medians = np.array([_median(problem, minimum) for minimum in minima])
    best, median = minima[int(medians.argmin())], float(medians.min())
    apart = [_angle(minimum.turn, best.turn) > _APART_RAD for minimum in minima]
    next_median = float(medians[apart].min(initial=np.inf))
    inner = max(_inner_median(first, first_outlines), _inner_median(second, second_outlines))
    good = median <= max(_GOOD_PX * problem.hulls.scale, _WORSE * inner)
    return TwoSides(
        cam_from_world=_moved_poses(problem, second.cam_from_world, best),
        scale=best.scale,
        tangency=median,
        next_tangency=next_median,
        accepted=bool(good and median <= _CLEAR * next_median),
    )


def without_foot(outline: Outline, down: np.ndarray) -> Outline:
    """Return an outline whose tangents do not count near its lower end, in the direction `down` (2,) of the
    picture: where an object stands, masks are cut, or hold some of the table.
    """
    along = outline.hull @ down
    low = along > along.max() - _FOOT_SHARE * np.ptp(along)
    return replace(outline, on_frame=outline.on_frame | low)


class _Problem(NamedTuple):
    rays: np.ndarray  # (n + m, M, 3), each in the world of its own run, those of the first run first
    centres: np.ndarray  # (n + m, 3)
    focal: np.ndarray  # (n + m,)
    hulls: Hulls
    pairs: np.ndarray  # (E, 2), of views of both runs
    num_first: int
    balls: tuple[Ball, Ball]
    """What holds the object in each world."""


class _Placed(NamedTuple):
    """Where the second run may stand; without a shift the middles of both balls coincide."""

    turn: np.ndarray  # (3, 3)
    scale: float
    shift: np.ndarray  # (3,), in radii of the first ball
    cost: float


def _problem(
    first: Cameras, first_outlines: Sequence[Outline], second: Cameras, second_outlines: Sequence[Outline]
) -> _Problem:
    K = np.concatenate([first.K, second.K])
    poses = np.concatenate([first.cam_from_world, second.cam_from_world])
    hulls = hulls_of([*first_outlines, *second_outlines])
    n, m = len(first.K), len(second.K)
    return _Problem(
        rays=rays_of(K, poses[:, :3, :3], hulls.points),
        centres=Cameras(K, poses).centres,
        focal=np.sqrt(K[:, 0, 0] * K[:, 1, 1]),
        hulls=hulls,
        pairs=_across(np.arange(n), n + np.arange(m)),
        num_first=n,
        balls=(object_ball(first, first_outlines), object_ball(second, second_outlines)),
    )


def _across(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack(np.meshgrid(a, b, indexing="ij"), -1).reshape(-1, 2)


def _thinned(problem: _Problem) -> _Problem:
    """Return the problem of some views of each run alone."""
    n, m = problem.num_first, len(problem.centres) - problem.num_first
    a, b = (np.linspace(0, k, min(k, _SCAN_VIEWS), endpoint=False).astype(int) for k in (n, m))
    kept = np.append(a, n + b)
    hulls = problem.hulls
    return problem._replace(
        rays=problem.rays[kept],
        centres=problem.centres[kept],
        focal=problem.focal[kept],
        hulls=Hulls(hulls.points[kept], hulls.on_frame[kept], hulls.scale),
        pairs=_across(np.arange(len(a)), len(a) + np.arange(len(b))),
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


def _scale_of_balls(problem: _Problem) -> float:
    first, second = problem.balls
    return first.radius / second.radius


def _scan_costs(problem: _Problem, turns: np.ndarray) -> np.ndarray:
    """Return the costs (T,) of turns (T, 3, 3) with the balls' own scale and no shift."""
    n, num_pairs = problem.num_first, len(problem.pairs)
    m = len(problem.centres) - n
    costs = []
    block = max(1, _BLOCK // num_pairs)
    for start in range(0, len(turns), block):
        part = turns[start : start + block]
        # Each turn has copies of the second run's views of its own.
        which = np.append(np.arange(n), n + np.tile(np.arange(m), len(part)))
        rays = np.einsum("tij,vmj->tvmi", part, problem.rays[n:]).reshape(-1, *problem.rays.shape[1:])
        centres = [_moved_points(problem, problem.centres[n:], turn) for turn in part]
        pairs = np.tile(problem.pairs, (len(part), 1))
        pairs[:, 1] += np.repeat(m * np.arange(len(part)), num_pairs)
        found = tangency_of_rays(
            np.concatenate([problem.rays[:n], rays]),
            np.concatenate([problem.centres[:n], *centres]),
            problem.focal[which],
            Hulls(problem.hulls.points[:0], problem.hulls.on_frame[which], problem.hulls.scale),
            pairs,
        )
        squared = np.minimum(np.abs(found.residual) / problem.hulls.scale, _CLIPPED_PX) ** 2
        costs.append((squared / (squared + _SCAN_PX**2)).reshape(len(part), -1).mean(1))
    return np.concatenate(costs)


def _moved_points(
    problem: _Problem,
    points: np.ndarray,
    turn: np.ndarray,
    scale: float | None = None,
    shift: np.ndarray | float = 0,
) -> np.ndarray:
    """Return points (N, 3) of the second run's world in that of the first."""
    first, second = problem.balls
    scale = _scale_of_balls(problem) if scale is None else scale
    return scale * (points - second.centre) @ turn.T + first.centre + first.radius * np.asarray(shift)


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


def _tangency_at(problem: _Problem, placed: _Placed) -> Tangency:
    n = problem.num_first
    moved = _moved_points(problem, problem.centres[n:], placed.turn, placed.scale, placed.shift)
    return tangency_of_rays(
        np.concatenate([problem.rays[:n], problem.rays[n:] @ placed.turn.T]),
        np.concatenate([problem.centres[:n], moved]),
        problem.focal,
        problem.hulls,
        problem.pairs,
    )


def _descended(
    problem: _Problem,
    turn: np.ndarray,
    width: float,
    scale: float | None = None,
    shift: np.ndarray | None = None,
) -> _Placed:
    """Return the minimum near a place, of the soft-L1 cost with this width in pixels."""
    begun = _scale_of_balls(problem) if scale is None else scale

    def placed(x: np.ndarray) -> _Placed:
        own = Rotation.from_rotvec(x[:3]).as_matrix() @ turn
        return _Placed(own, begun * float(np.exp(np.clip(x[3], -_MOST_SCALE, _MOST_SCALE))), x[4:], np.inf)

    def residuals(x: np.ndarray) -> np.ndarray:
        return _tangency_at(problem, placed(x)).residual.ravel() / problem.hulls.scale

    start = np.append(np.zeros(4), np.zeros(3) if shift is None else shift)
    found = least_squares(residuals, start, loss="soft_l1", f_scale=width, max_nfev=20, x_scale=0.1)
    return placed(found.x)._replace(cost=float(found.cost))


def _refined(problem: _Problem, start: _Placed) -> _Placed:
    return _descended(problem, start.turn, _NARROW_PX, start.scale, start.shift)


def _median(problem: _Problem, placed: _Placed) -> float:
    found = _tangency_at(problem, placed)
    return found.median if found.usable.mean() >= _LOST_SHARE else np.inf


def _moved_poses(problem: _Problem, cam_from_world: np.ndarray, placed: _Placed) -> np.ndarray:
    centres = problem.centres[problem.num_first :]
    centres = _moved_points(problem, centres, placed.turn, placed.scale, placed.shift)
    poses = cam_from_world.copy()
    poses[:, :3, :3] = poses[:, :3, :3] @ placed.turn.T
    poses[:, :3, 3] = -np.einsum("vij,vj->vi", poses[:, :3, :3], centres)
    return poses


def _inner_median(cameras: Cameras, outlines: Sequence[Outline]) -> float:
    found = tangency(cameras, hulls_of(outlines), all_pairs(len(outlines)))
    return found.median if found.usable.any() else 0.0
