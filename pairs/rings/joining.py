"""Some of a scene's cameras moved onto the others as a whole, by outlines: one similarity of seven unknowns.

Features may have torn a scene into pieces that are right within themselves. How a piece stands to the rest is
asked of the tangents between views of both; who asks knows where to begin (`pairs.rings.splitting`,
`pairs.rings.two_sides`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from pairs.rings.coherence import Ball, object_ball
from pairs.rings.outline import Outline
from pairs.rings.tangency import (
    Hulls,
    Tangency,
    all_pairs,
    hulls_of,
    pairs_across,
    rays_of,
    tangency,
    tangency_of_rays,
)
from pairs.views.cameras import Cameras

_GOOD_PX, _WORSE, _CLEAR = 1.0, 2.0, 0.5
"""A median counts up to a pixel, or twice that within the pieces, and up to this share of the next one's. Of
two runs right ones had 0.08 to 0.12 px of exact masks, upside down and on the side, 1.3 of masks ragged by
2 px; the next ones 2.2 to 9."""


class Moved(NamedTuple):
    """Where a piece may stand; without a shift the middles of both balls coincide."""

    turn: np.ndarray  # (3, 3)
    scale: float
    shift: np.ndarray  # (3,), in radii of the first ball


@dataclass(frozen=True, slots=True)
class Joint:
    """Views of two pieces, each in a world of its own, those of the first piece first."""

    rays: np.ndarray  # (n + m, M, 3)
    centres: np.ndarray  # (n + m, 3)
    focal: np.ndarray  # (n + m,)
    hulls: Hulls
    pairs: np.ndarray  # (E, 2), of views of both pieces
    num_first: int
    balls: tuple[Ball, Ball]
    """What holds the object in each world."""


def joint_of(
    first: Cameras, first_outlines: Sequence[Outline], second: Cameras, second_outlines: Sequence[Outline]
) -> Joint:
    """Return all that tangents between two pieces need."""
    K = np.concatenate([first.K, second.K])
    poses = np.concatenate([first.cam_from_world, second.cam_from_world])
    hulls = hulls_of([*first_outlines, *second_outlines])
    return Joint(
        rays=rays_of(K, poses[:, :3, :3], hulls.points),
        centres=Cameras(K, poses).centres,
        focal=np.sqrt(K[:, 0, 0] * K[:, 1, 1]),
        hulls=hulls,
        pairs=pairs_across(len(first.K), len(second.K)),
        num_first=len(first.K),
        balls=(object_ball(first, first_outlines), object_ball(second, second_outlines)),
    )


def moved_points(joint: Joint, points: np.ndarray, moved: Moved) -> np.ndarray:
    """Return points (N, 3) of the second piece's world in that of the first."""
    first, second = joint.balls
    return moved.scale * (points - second.centre) @ moved.turn.T + first.centre + first.radius * moved.shift


def moved_poses(joint: Joint, cam_from_world: np.ndarray, moved: Moved) -> np.ndarray:
    """Return the poses (m, 4, 4) of the second piece in the world of the first."""
    centres = moved_points(joint, joint.centres[joint.num_first :], moved)
    poses = cam_from_world.copy()
    poses[:, :3, :3] = poses[:, :3, :3] @ moved.turn.T
    poses[:, :3, 3] = -np.einsum("vij,vj->vi", poses[:, :3, :3], centres)
    return poses


def tangency_across(joint: Joint, moved: Moved) -> Tangency:
    """Return how far the pieces disagree about their tangents where the second one stands so."""
    n = joint.num_first
    return tangency_of_rays(
        np.concatenate([joint.rays[:n], joint.rays[n:] @ moved.turn.T]),
        np.concatenate([joint.centres[:n], moved_points(joint, joint.centres[n:], moved)]),
        joint.focal,
        joint.hulls,
        joint.pairs,
    )


def descended(
    joint: Joint, moved_by: Callable[[np.ndarray], Moved], start: np.ndarray, width_px: float
) -> tuple[np.ndarray, float]:
    """Return the minimum (7,) near a start (7,) of the soft-L1 cost with this width, and its cost."""
    found = least_squares(
        lambda x: tangency_across(joint, moved_by(x)).residual.ravel() / joint.hulls.scale,
        start,
        loss="soft_l1",
        f_scale=width_px,
        max_nfev=20,
        x_scale=0.1,
    )
    return found.x, float(found.cost)


def median_within(cameras: Cameras, outlines: Sequence[Outline]) -> float:
    """Return the median tangency of a piece's own views in pixels; 0 where it has no tangents."""
    found = tangency(cameras, hulls_of(outlines), all_pairs(len(outlines)))
    return found.median if found.usable.any() else 0.0


def believable(joint: Joint, median: float, next_median: float, within: float) -> bool:
    """Tell whether a place with this median is good, as pieces go whose own is `within`, and no other one is
    nearly as good. All in pixels.
    """
    good = median <= max(_GOOD_PX * joint.hulls.scale, _WORSE * within)
    return bool(good and median <= _CLEAR * next_median)
