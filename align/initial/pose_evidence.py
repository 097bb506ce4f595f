"""What pairs say of the relative poses of some views, and by how much stated poses differ from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from align.initial.loop_consistency import Triplets, edge_weights
from align.initial.motion_averaging import averaged_scales
from align.initial.relative_poses import RelativePoses
from align.rotations import rotation_angle
from pairs.views.pose_readings import Poses

_LARGEST_RAD = 1.0
"""A pair that differs by more is as wrong as one can be: the cost is robust against such pairs."""
_UNITS, _UNIT_CUT_RAD = 15, np.deg2rad(8.0)
"""Pairs that differ by more count alike: half of the poses may be wrong, and a unit between theirs and the
right ones' would suit none."""


@dataclass(frozen=True, slots=True)
class PoseEvidence:
    """What E pairs of G views say of their relative poses."""

    pair: np.ndarray  # (E, 2) int, positions in the list of those views
    R_i_from_j: np.ndarray  # (E, 3, 3)
    t_i_from_j: np.ndarray  # (E, 3), in mean distances of the object
    weight: np.ndarray  # (E,), of sum 1

    def differences(self, poses: Poses) -> tuple[np.ndarray, np.ndarray]:
        """Return by what angle (E,) relative poses differ, in radians, and by what share of the object's
        distance their baselines do (E,).

        Both numbers are alike: a camera that turns about the object by an angle moves by as much. The unit
        in which poses are stated is unknown; the one is taken that brings most baselines together.
        """
        (R, t), (i, j) = poses, self.pair.T
        stated = R[i] @ R[j].transpose(0, 2, 1)
        turn = rotation_angle(stated.transpose(0, 2, 1) @ self.R_i_from_j)
        baseline = t[i] - np.einsum("eab,eb->ea", stated, t[j])
        units = self._units(baseline, float(np.abs(t).max()))
        shifts = [np.linalg.norm(self.t_i_from_j - unit * baseline, axis=1) for unit in units]
        return turn, min(
            shifts, key=lambda s: float(self.weight @ np.minimum(np.hypot(turn, s), _UNIT_CUT_RAD))
        )

    def misfits(self, poses: Poses) -> np.ndarray:
        """Return how far (E,) relative poses differ: angle and baseline together, in radians."""
        return np.hypot(*self.differences(poses))

    def cost(self, misfit: np.ndarray) -> float:
        """Return the mean of misfits (E,), by weight, each of at most one radian."""
        return float(self.weight @ np.minimum(misfit, _LARGEST_RAD))

    def middle(self, values: np.ndarray) -> float:
        """Return the weighted median of values (E,)."""
        return middle(values, self.weight)

    def turns(self, R: np.ndarray | None = None) -> np.ndarray:
        """Return by what angle (E,) the views of each pair are turned: as the pairs say, or by rotations
        (G, 3, 3).
        """
        i, j = self.pair.T
        return rotation_angle(self.R_i_from_j if R is None else R[i] @ R[j].transpose(0, 2, 1))

    def among(self, views: np.ndarray) -> PoseEvidence:
        """Return the pairs within some of the views (G,) bool."""
        kept = views[self.pair].all(1)
        weight = self.weight[kept]
        share = weight / max(float(weight.sum()), 1e-300)
        return PoseEvidence(self.pair[kept], self.R_i_from_j[kept], self.t_i_from_j[kept], share)

    def _units(self, baseline: np.ndarray, largest: float) -> np.ndarray:
        """Return candidates of the stated unit, in mean distances of the object: quantiles of the ratios of
        baselines.
        """
        length, measured = np.linalg.norm(baseline, axis=1), np.linalg.norm(self.t_i_from_j, axis=1)
        # Inverted poses of a turntable all stand in one place, to rounding: such baselines are none.
        known = length > 1e-9 * largest
        if not known.any():
            return np.zeros(1)
        return np.quantile(measured[known] / length[known], (np.arange(_UNITS) + 0.5) / _UNITS)


def pose_evidence(
    pairs: RelativePoses, triplets: Triplets, views: Sequence[int], num_views: int
) -> PoseEvidence:
    """Return what the pairs say of some of the views; without a pair where none ties two of them."""
    weight = edge_weights(pairs, triplets)
    size = np.exp(averaged_scales(pairs, weight, num_views))
    position = np.full(num_views, -1)
    position[list(views)] = np.arange(len(views))
    kept = (position[pairs.pair] >= 0).all(1) & (weight > 0)
    i, j = pairs.pair.T
    # Every run names one physical point in both frames, each in the unit of its view: t = X_i - R X_j.
    moved = np.einsum("eab,erb->era", pairs.R_i_from_j, size[j, None, None] * pairs.point_j)
    t = np.where(pairs.usable[..., None], size[i, None, None] * pairs.point_i - moved, 0).sum(1)
    t = t / np.maximum(pairs.usable.sum(1), 1)[:, None]
    share = weight[kept] / max(float(weight[kept].sum()), 1e-300)
    return PoseEvidence(position[pairs.pair[kept]], pairs.R_i_from_j[kept], t[kept], share)


def middle(values: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted median of values (N,), N above 0."""
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])
