"""An object that was turned over between two runs, joined by its outlines.

Each run is a piece of its own: cameras about one axis, in a world of its own. The object is the same, so one
similarity moves the second run's cameras into the world of the first. How the object was laid is known to
nobody: all orientations are tried, with the middle of the object onto itself, and the best are descended
from. Upside down is the hardest case that is common: no photo of one run looks along one of the other, but
photos from opposite sides have mirrored outlines, which is why tangents tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from pairs.rings.coherence import Ball, coherence, coherence_cost, object_ball
from pairs.rings.outline import Outline
from pairs.rings.tangency import Hulls, Tangency, all_pairs, hulls_of, rays_of, tangency, tangency_of_rays
from pairs.views.cameras import Cameras

_SCANNED = 6000
"""Orientations tried: none is farther than about 12 degrees from one of them."""
_SCAN_VIEWS = 8
"""Views of each run that the scan compares: evenly spread ones say as much as all."""
_SCAN_PX = 12.0
_CLIPPED_PX = 30.0
_KEPT_STARTS = 24
_APART_RAD = np.deg2rad(8.0)
_WIDE_PX, _NARROW_PX = 8.0, 1.0
_BLOCK = 8000
"""Pairs measured at once: memory of some 50 MB."""


@dataclass(frozen=True, slots=True)
class TwoSides:
    """How a second run's cameras join those of a first one."""

    first_from_second: np.ndarray  # (4, 4) similarity: scale times rotation, and translation
    tangency: float
    """Median in pixels between views of both runs."""
    next_tangency: float
    """The same of the best other orientation."""
    cost: float
    """Mean soft-L1 at one pixel, in square pixels, between views of both runs."""
    next_cost: float


class _Problem(NamedTuple):
    rays: np.ndarray  # (n + m, M, 3) in the world of each run, the first run's first
    centres: np.ndarray  # (n + m, 3)
    focal: np.ndarray  # (n + m,)
    hulls: Hulls
    pairs: np.ndarray  # (E, 2)
    num_first: int
    first_ball: Ball
    second_ball: Ball


def _problem(
    first: Cameras, first_outlines: Sequence[Outline], second: Cameras, second_outlines: Sequence[Outline]
) -> _Problem:
    hulls = hulls_of([*first_outlines, *second_outlines])
    n, m = len(first_outlines), len(second_outlines)
    K = np.concatenate([first.K, second.K])
    R = np.concatenate([first.cam_from_world, second.cam_from_world])[:, :3, :3]
    return _Problem(
        rays=rays_of(K, R, hulls.points),
        centres=np.concatenate([first.centres, second.centres]),
        focal=np.sqrt(K[:, 0, 0] * K[:, 1, 1]),
        hulls=hulls,
        pairs=np.stack(np.meshgrid(np.arange(n), n + np.arange(m), indexing="ij"), -1).reshape(-1, 2),
        num_first=n,
        first_ball=object_ball(first, first_outlines),
        second_ball=object_ball(second, second_outlines),
    )


def spread_rotations(count: int) -> np.ndarray:
    """Return rotations (count, 3, 3) spread evenly over all orientations (M. Alexa, Super-Fibonacci spirals,
    CVPR 2022).
    """
    s = np.arange(count) + 0.5
    # The square root of two, and the root of psi^4 = psi + 4.
    alpha, beta = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / 1.533751168755204288118041
    r, R = np.sqrt(s / count), np.sqrt(1 - s / count)
    quaternions = np.stack([r * np.sin(alpha), r * np.cos(alpha), R * np.sin(beta), R * np.cos(beta)], 1)
    return Rotation.from_quat(quaternions).as_matrix()


def join_sides(
    first: Cameras, first_outlines: Sequence[Outline], second: Cameras, second_outlines: Sequence[Outline]
) -> TwoSides:
    """Find the similarity from the world of a second run's cameras to that of a first one's by the outlines.

    Seven unknowns: all orientations are scanned on some views of both, the best are descended from, and the
    two that are left for first and second place are measured on all views.
    """
    problem = _problem(first, first_outlines, second, second_outlines)
    some = _thinned(problem)
    rotations = spread_rotations(_SCANNED)
    costs = _scan_costs(some, rotations)
    starts = _distinct(rotations, costs, _KEPT_STARTS)
    found = [_descended(some, rotations[k], _WIDE_PX) for k in starts]
    found = sorted(found, key=lambda m: m.cost)
    return found, problem


class _Minimum(NamedTuple):
    R: np.ndarray
    scale: float
    shift: np.ndarray
    cost: float


def _thinned(problem: _Problem) -> _Problem:
    n, m = problem.num_first, len(problem.rays) - problem.num_first
    a = np.unique(np.linspace(0, n, min(n, _SCAN_VIEWS), endpoint=False).astype(int))
    b = np.unique(np.linspace(0, m, min(m, _SCAN_VIEWS), endpoint=False).astype(int))
    pairs = np.stack(np.meshgrid(a, n + b, indexing="ij"), -1).reshape(-1, 2)
    return problem._replace(pairs=pairs)


def _at(problem: _Problem, R: np.ndarray, scale: float, shift: np.ndarray) -> Tangency:
    n = problem.num_first
    centres = scale * (problem.centres[n:] - problem.second_ball.centre) @ R.T
    centres = centres + problem.first_ball.centre + problem.first_ball.radius * shift
    return tangency_of_rays(
        np.concatenate([problem.rays[:n], problem.rays[n:] @ R.T]),
        np.concatenate([problem.centres[:n], centres]),
        problem.focal,
        problem.hulls,
        problem.pairs,
    )


def _scan_costs(problem: _Problem, rotations: np.ndarray) -> np.ndarray:
    ratio = problem.first_ball.radius / problem.second_ball.radius
    costs = []
    for R in rotations:
        r = np.minimum(np.abs(_at(problem, R, ratio, np.zeros(3)).residual) / problem.hulls.scale, _CLIPPED_PX) ** 2
        costs.append((r / (r + _SCAN_PX**2)).mean())
    return np.array(costs)


def _distinct(rotations: np.ndarray, costs: np.ndarray, count: int) -> list[int]:
    kept: list[int] = []
    for k in np.argsort(costs, kind="stable"):
        if all(np.trace(rotations[k] @ rotations[j].T) < 1 + 2 * np.cos(np.deg2rad(20)) for j in kept):
            kept.append(int(k))
            if len(kept) == count:
                break
    return kept


def _descended(problem: _Problem, start: np.ndarray, width: float, x0=None) -> _Minimum:
    ratio = problem.first_ball.radius / problem.second_ball.radius

    def unpacked(x):
        return Rotation.from_rotvec(x[:3]).as_matrix() @ start, ratio * np.exp(np.clip(x[3], -1, 1)), x[4:]

    def residuals(x):
        return _at(problem, *unpacked(x)).residual.ravel() / problem.hulls.scale

    x = np.zeros(7) if x0 is None else x0
    x = least_squares(residuals, x, loss="soft_l1", f_scale=width, max_nfev=20, x_scale=0.1).x
    R, scale, shift = unpacked(x)
    r = residuals(x)
    return _Minimum(R, scale, shift, float((2 * (np.sqrt(1 + r**2) - 1)).mean()))
