"""How far matches lie from where stated poses put them (docs/known_poses.md, "What is compared").

The distance is that of one ray from the arc of directions in which the other one's points can be seen: from
the other camera (a point at no distance) to the ray itself (one at infinity). Unlike the distance from an
epipolar line it knows which side of a camera is its front, and what cameras in one place would see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.views.pose_readings import Poses

_MATCHES = 25
"""Of a pair that are compared: their median moves by a tenth with ten times as many."""
_FEW_PAIRS, _FEW_MATCHES = 80, 3
"""Pairs, and every how many-th match of them, for a first look at many candidates."""
_MOST_WEIGHT = 100
"""Matches beyond which a pair counts no more."""
_NO_BASELINE, _NO_ANGLE = 1e-9, 1e-9


@dataclass(frozen=True, slots=True)
class MatchEvidence:
    """Verified matches of E pairs of G views as rays, for F focals of the views whose focal nobody knows."""

    pair: np.ndarray  # (E, 2) int, positions in the list of those views
    weight: np.ndarray  # (E,), of sum 1
    rays: np.ndarray  # (F, E, 2, M, 3), of length 1, in the frames of both cameras
    focal: np.ndarray  # (F, E), working pixels

    def misfits(self, poses: Poses) -> np.ndarray:
        """Return the median distance (E,) of each pair's matches, in working pixels, with the focals that
        suit the poses best.
        """
        return self._all_misfits(poses)[self.best_focal(poses)]

    def best_focal(self, poses: Poses) -> int:
        """Return the number of the focals that suit the poses best."""
        if len(self.rays) == 1:
            return 0
        return int(np.argmin([self.middle(misfit) for misfit in self._all_misfits(poses)]))

    def middle(self, values: np.ndarray, share: float = 0.5) -> float:
        """Return the weighted median of values (E,), or another quantile."""
        order = np.argsort(values)
        total = np.cumsum(self.weight[order])
        return float(values[order][np.searchsorted(total, share * total[-1])])

    def among(self, chosen: np.ndarray) -> MatchEvidence:
        """Return the evidence of some pairs (E,) bool alone."""
        weight = self.weight[chosen] / max(float(self.weight[chosen].sum()), 1e-300)
        return MatchEvidence(self.pair[chosen], weight, self.rays[:, chosen], self.focal[:, chosen])

    def thinned(self) -> MatchEvidence:
        """Return fewer pairs and matches, evenly chosen: enough to tell hundreds of candidates apart."""
        chosen = np.unique(np.linspace(0, len(self.pair) - 1, _FEW_PAIRS).round().astype(int))
        weight = self.weight[chosen] / self.weight[chosen].sum()
        return MatchEvidence(
            self.pair[chosen], weight, self.rays[:, chosen][..., ::_FEW_MATCHES, :], self.focal[:, chosen]
        )

    def _all_misfits(self, poses: Poses) -> np.ndarray:
        (R, t), (a, b) = poses, self.pair.T
        R_b_from_a = R[b] @ R[a].transpose(0, 2, 1)
        t_b_from_a = t[b] - np.einsum("eij,ej->ei", R_b_from_a, t[a])
        length = np.linalg.norm(t_b_from_a, axis=1, keepdims=True)
        # Inverted poses of a turntable all stand in one place, to rounding: such baselines are none.
        stands = length[:, 0] <= _NO_BASELINE * max(float(np.abs(t).max()), 1e-300)
        towards_a = t_b_from_a / np.where(stands[:, None], 1.0, length)
        angle = [
            arc_distances(R_b_from_a, np.where(stands[:, None], 0.0, towards_a), *rays.swapaxes(0, 1))
            for rays in self.rays
        ]
        return np.median(np.array(angle), axis=-1) * self.focal


def match_evidence(
    xy: Sequence[np.ndarray],
    pairs: Mapping[Pair, VerifiedPair],
    views: Sequence[int],
    K: Sequence[Sequence[np.ndarray]],
) -> MatchEvidence:
    """Return what verified pairs say of some of the views.

    `xy` (N, 2) are the key points of all views, `K` (3, 3) the intrinsics of all views, for one choice of
    unknown focals after the other, both in working pixels.
    """
    position = {view: k for k, view in enumerate(views)}
    chosen = [pair for pair in pairs if pair[0] in position and pair[1] in position]
    numbers = np.linspace(0, 1, _MATCHES)
    rays = np.empty((len(K), len(chosen), 2, _MATCHES, 3))
    for e, pair in enumerate(chosen):
        indices = pairs[pair].indices
        indices = indices[np.rint(numbers * (len(indices) - 1)).astype(int)]
        for side, view in enumerate(pair):
            at = xy[view][indices[:, side]]
            rays[:, e, side] = [directions(each[view], at) for each in K]
    weight = np.array([float(min(len(pairs[pair].indices), _MOST_WEIGHT)) for pair in chosen])
    return MatchEvidence(
        np.array([[position[a], position[b]] for a, b in chosen], int).reshape(-1, 2),
        weight / max(float(weight.sum()), 1e-300),
        rays,
        np.array([[np.sqrt(each[b][0, 0] * each[b][1, 1]) for _, b in chosen] for each in K]),
    )


def directions(K: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return rays (N, 3) of length 1 through pixels (N, 2)."""
    rays = np.c_[xy, np.ones(len(xy))] @ np.linalg.inv(K).T
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def arc_distances(
    R_b_from_a: np.ndarray, towards_a: np.ndarray, rays_a: np.ndarray, rays_b: np.ndarray
) -> np.ndarray:
    """Return the angle (E, M) of each ray of b from the directions in which b can see points of the ray of a.

    `towards_a` (E, 3) points from b to a, of length 1, zero where both stand in one place; rays (E, M, 3) are
    of length 1.
    """
    far = np.einsum("eij,emj->emi", R_b_from_a, rays_a)
    near = np.broadcast_to(towards_a[:, None], far.shape)
    normal = np.cross(near, far)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    normal = normal / np.maximum(length, _NO_ANGLE)
    height = (rays_b * normal).sum(-1)
    foot = rays_b - height[..., None] * normal
    inside = (np.cross(near, foot) * normal).sum(-1) >= 0
    inside &= ((np.cross(foot, far) * normal).sum(-1) >= 0) & (length[..., 0] > _NO_ANGLE)
    to_near = np.where((towards_a != 0).any(-1)[:, None], _angle(near, rays_b), np.inf)
    return np.where(
        inside, np.abs(np.arcsin(np.clip(height, -1, 1))), np.minimum(_angle(far, rays_b), to_near)
    )


def _angle(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.arctan2(np.linalg.norm(np.cross(one, other), axis=-1), (one * other).sum(-1))
