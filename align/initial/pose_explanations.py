"""What would explain that stated poses contradict the pairs: another convention, or another order of the
views.

A convention is named only where it alone explains the pairs, several times better than what is stated and
than any other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from align.initial.loop_consistency import Triplets
from align.initial.motion_averaging import averaged_start
from align.initial.pose_evidence import PoseEvidence
from align.initial.relative_poses import RelativePoses
from pairs.views.pose_readings import UNIQUELY, Poses

FITS_RAD, _LEAST_RAD = np.deg2rad(15.0), np.deg2rad(0.5)
"""A reading explains the pairs when it leaves less than the first in the middle, as poses five degrees off
do. Costs below the second are not compared: they are the grid's rounding."""
CLEARLY = 4.0
"""A reading must be so many times better than what is stated. With the usual noise the right one is better
10 times."""

_Named = TypeVar("_Named")


def fitting(
    evidence: PoseEvidence, candidates: Sequence[tuple[_Named, Poses]], needed: float
) -> list[tuple[float, _Named]]:
    """Return the candidates by which the pairs agree, with their cost; the best first, no far worse ones."""
    found = []
    for name, poses in candidates:
        misfit = evidence.misfits(poses)
        cost = max(evidence.cost(misfit), _LEAST_RAD)
        if evidence.middle(misfit) <= FITS_RAD and cost <= needed:
            found.append((cost, name))
    found.sort(key=lambda f: f[0])
    return [f for f in found if f[0] <= UNIQUELY * found[0][0]]


def other_orders(
    pairs: RelativePoses, triplets: Triplets, poses: Poses, views: Sequence[int], num_views: int
) -> list[tuple[np.ndarray, Poses]]:
    """Return the poses in other orders (G,), by view the number of its pose, in which they come next to how
    the pairs turn the views.
    """
    R = averaged_start(pairs, triplets, num_views).R_cam_from_world[list(views)]
    found = []
    for first in range(len(views)):
        # Whose pose the first view has decides how both worlds are turned, and so the pose of all others.
        expected = R @ R[0].T @ poses[0][first]
        order = np.einsum("vab,qab->vq", expected, poses[0]).argmax(1)
        if len(set(order.tolist())) == len(order) and (order != np.arange(len(order))).any():
            found.append((order, (poses[0][order], poses[1][order])))
    return found
