"""What a stated pose may be that is not cam_from_world in OpenCV axes (x right, y down, z forward)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

Poses = tuple[np.ndarray, np.ndarray]
"""Rotations (G, 3, 3), which may mirror, and translations (G, 3): x_cam = R x_world + t."""


@dataclass(frozen=True, slots=True)
class PoseReading:
    """A convention in which other programs write poses."""

    words: str
    """After "read as"."""
    remedy: str
    """What to do with what is written."""
    change: Callable[[Poses], Poses]
    """Return what is meant as cam_from_world in OpenCV axes."""
    common: bool
    """Many programs write it."""


def _as_it_is(poses: Poses) -> Poses:
    return poses


def _inverted(poses: Poses) -> Poses:
    R = poses[0].transpose(0, 2, 1)
    return R, -np.einsum("gab,gb->ga", R, poses[1])


def _from_centre(poses: Poses) -> Poses:
    return poses[0], -np.einsum("gab,gb->ga", *poses)


def _rotation_transposed(poses: Poses) -> Poses:
    return poses[0].transpose(0, 2, 1), poses[1]


def _in_axes(Q: np.ndarray, form: Callable[[Poses], Poses], poses: Poses) -> Poses:
    R, t = form(poses)
    return Q @ R, t @ Q.T


_FORMS = (
    ("cam_from_world", "", _as_it_is),
    ("world_from_cam", "write the inverse of each matrix", _inverted),
    (
        "cam_from_world with the camera's centre in the place of its translation",
        "write -R @ centre there",
        _from_centre,
    ),
    (
        "the rotation of world_from_cam beside the translation of cam_from_world",
        "transpose each rotation",
        _rotation_transposed,
    ),
)
_AXES = (
    ("", "", np.eye(3)),
    ("OpenGL axes (y up, z backward)", "multiply {} rows y and z by -1", np.diag([1.0, -1, -1])),
    ("PyTorch3D axes (x left, y up)", "multiply {} rows x and y by -1", np.diag([-1.0, -1, 1])),
    (
        "a robot's axes (x forward, y left, z up)",
        "write {} rows as (-y, -z, x)",
        np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    ),
)


def _conventions() -> tuple[PoseReading, ...]:
    found = []
    for form, to_form, change in _FORMS:
        for axes, to_axes, Q in _AXES:
            if to_form or to_axes:
                remedy = ", then ".join(filter(None, (to_form, to_axes.format("its" if to_form else "the"))))
                common = change in (_as_it_is, _inverted) and (not axes or axes.startswith("OpenGL"))
                found.append(
                    PoseReading(
                        f"{form} with {axes}" if axes else form, remedy, partial(_in_axes, Q, change), common
                    )
                )
    return tuple(found)


def _mirrors() -> tuple[PoseReading, ...]:
    """Return left-handed systems: camera and world have one axis the other way, so that rotations are still
    such.
    """
    found = []
    for number, axis in enumerate("xyz"):
        Q = np.eye(3)
        Q[number, number] = -1
        words = f"cameras and a world that are left-handed, with {axis} the other way"
        found.append(
            PoseReading(
                words,
                f"multiply row and column {axis} of each matrix by -1",
                partial(_in_axes, Q, _as_it_is),
                common=False,
            )
        )
    found.append(
        PoseReading(
            "translations of the wrong sign",
            "multiply each by -1",
            partial(_in_axes, -np.eye(3), _as_it_is),
            common=False,
        )
    )
    return tuple(found)


READINGS = (*_conventions(), *_mirrors())
UNIQUELY, EQUALLY = 2.0, 1.25
"""A reading must be so many times better than any other one. With the usual noise the right one is better
5 times."""


def read_as(reading: PoseReading) -> str:
    """Return as what poses agree and what to write, as the end of a sentence."""
    return f"read as {reading.words}. State cam_from_world in OpenCV axes: {reading.remedy}."


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
