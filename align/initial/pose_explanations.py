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
from align.initial.pose_readings import READINGS, PoseReading, Poses
from align.initial.relative_poses import RelativePoses

FITS_RAD, _LEAST_RAD = np.deg2rad(15.0), np.deg2rad(0.5)
"""A reading explains the pairs when it leaves less than the first in the middle, as poses five degrees off
do. Costs below the second are not compared: they are the grid's rounding."""
CLEARLY, UNIQUELY, EQUALLY = 4.0, 2.0, 1.25
"""A reading must be so many times better than what is stated, and than any other reading. With the usual
noise the right one is better 10 times, and 5 times."""

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


def the_one(readings: Sequence[tuple[float, PoseReading]]) -> PoseReading | None:
    """Return the one reading that fits; none where there is none, or where several fit alike.

    Motions in a plane look the same in a mirror, and on an arc some odd conventions do, too: a common one
    that fits as well as any is then meant.
    """
    common = [(cost, reading) for cost, reading in readings if reading.common]
    if common and common[0][0] <= EQUALLY * readings[0][0]:
        readings = common
    return readings[0][1] if len(readings) == 1 else None


def readings_of(poses: Poses) -> list[tuple[PoseReading, Poses]]:
    """Return what is stated, read in every other way."""
    return [(reading, reading.change(poses)) for reading in READINGS]


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


def read_as(reading: PoseReading) -> str:
    """Return as what poses agree and what to write, as the end of a sentence."""
    return f"read as {reading.words}. State cam_from_world in OpenCV axes: {reading.remedy}."
