"""Circular motion: cameras that stand on circles about one axis, found in solved poses.

An object on a turntable before a still camera and a camera that circles a still object are the same geometry.
In the axis frame (z is the axis, the circle lies in z = 0) the camera at azimuth a has its centre at
r (cos a, sin a, 0) and the rotation R_0 Rz(-a) with one R_0 for the whole ring; so all cameras of a ring see
the axis in one and the same direction, which is a test with rotations alone (A. W. Fitzgibbon, G. Cross,
A. Zisserman, Automatic 3D model construction for turn-table sequences, SMILE 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from pairs.views.cameras import camera_centres

LEAST_VIEWS = 4
"""Four poses have eleven more numbers than a ring of four: it can be tested."""
_FIRM_VIEWS = 5
"""So many views make a ring of a scene; a further ring of the same axis may have one fewer."""
_NEAR_RAD = np.deg2rad(3.0)
_NEAR_PLACE = 0.05
"""Views whose rotation and place, as a share of the radius, fit worse are not of the ring."""
_COMMON_AXIS_RAD = np.deg2rad(3.0)
_COMMON_AXIS_PLACE = 0.05
_TURNED_RAD = np.deg2rad((5.0, 178.0))
"""The axis between views that turned by less is noise; about half a turn its sign is."""
_MOST_HYPOTHESES = 400
_SIGMA_RAD = np.deg2rad(0.5)
_SIGMA_PLACE = 0.01
"""Scale of the robust fit: real solves have a fifth of it, a turntable turned by hand has it."""
_ROUNDS = 3


class Grade(Enum):
    """How well the cameras stand on circles."""

    EXACT = "exact"
    """It may constrain poses."""
    ROUGH = "rough"
    """Turned by hand, or the object was nudged: good for the direction of up, constrains nothing."""
    NONE = "none"
    """The cameras do not stand on a circle."""


class _Limits(NamedTuple):
    rotation_rad: float
    place: float
    span_rad: float


_SHARE_IN_RINGS = 0.8
# Median residuals of turntables solved from photos: 0.04 to 0.11 degrees and 0.1 to 0.2 % of the radius; of a
# gantry's arc before a wall 1.7 degrees and 2.1 %. On an arc of less than 60 degrees the axis is a degree off
# at 0.5 degrees of noise.
_EXACT = _Limits(np.deg2rad(0.3), 0.005, np.deg2rad(60.0))
_ROUGH = _Limits(np.deg2rad(1.0), 0.015, np.deg2rad(180.0))


@dataclass(frozen=True, slots=True)
class Ring:
    """Views on one circle, and how far each is from it."""

    axis_from_world: np.ndarray  # (4, 4) rigid; z is the axis, the circle's middle is the origin
    radius: float
    cam_from_axis: np.ndarray  # (3, 3), rotation of the camera at azimuth 0
    views: np.ndarray  # (n,) int, indices of the scene's views, ascending
    azimuth: np.ndarray  # (n,) radians
    rotation_residual: np.ndarray  # (n,) radians
    place_residual: np.ndarray  # (n,) shares of the radius

    @property
    def span(self) -> float:
        """Radians from the first to the last camera, the way round that leaves out the widest gap."""
        around = np.sort(np.mod(self.azimuth, 2 * np.pi))
        gaps = np.diff(np.append(around, around[0] + 2 * np.pi))
        return float(2 * np.pi - gaps.max())

    @property
    def axis_in_camera(self) -> np.ndarray:
        """(3,) direction of the axis in every camera of the ring."""
        return self.cam_from_axis[:, 2]

    def cam_from_world(self, azimuth: np.ndarray | None = None) -> np.ndarray:
        """(n, 4, 4) exact poses of the ring at its own or at other azimuths (n,) in radians."""
        of_axis = axis_poses(self.cam_from_axis, self.radius, self.azimuth if azimuth is None else azimuth)
        return of_axis @ self.axis_from_world


@dataclass(frozen=True, slots=True)
class CircularMotion:
    """The rings of a scene, the larger first."""

    rings: tuple[Ring, ...]
    turntable: tuple[int, ...]
    """For every ring the number of its axis: rings with the same one share it, whatever their heights. A
    second axis means that the object was turned over between."""
    outside: np.ndarray  # (m,) int, views in no ring
    grade: Grade


def axis_poses(cam_from_axis: np.ndarray, radius: float, azimuth: np.ndarray) -> np.ndarray:
    """Return the poses (n, 4, 4), camera from axis frame, at azimuths (n,) of a ring."""
    c, s, zero = np.cos(azimuth), np.sin(azimuth), np.zeros_like(azimuth)
    back = np.stack([c, s, zero, -s, c, zero, zero, zero, zero + 1], -1).reshape(-1, 3, 3)  # Rz(-a)
    poses = np.tile(np.eye(4), (len(azimuth), 1, 1))
    poses[:, :3, :3] = cam_from_axis @ back
    # Rz(-a) turns every centre to (r, 0, 0): one translation serves the whole ring.
    poses[:, :3, 3] = -radius * cam_from_axis[:, 0]
    return poses


def fit_circular_motion(cam_from_world: np.ndarray) -> CircularMotion:
    """Find the rings of solved poses (V, 4, 4), any unit.

    The largest set of views that see one axis alike from one height is fitted and taken away, until none of
    four views is left; so rings at several heights, cameras rolled in the hand and an object turned over each
    make a ring of their own. Azimuths count from the first view of an axis. O(400 V) for each ring.
    """
    R, centres = cam_from_world[:, :3, :3], camera_centres(cam_from_world)
    left, rings = np.arange(len(R)), []
    while (ring := _largest_ring(R, centres, left)) is not None:
        rings.append(ring)
        left = np.setdiff1d(left, ring.views)
    rings.sort(key=lambda ring: (-len(ring.views), ring.views[0]))
    rings, turntable = _on_common_axes(rings)
    return CircularMotion(rings, turntable, left, _grade(rings, turntable, len(R)))


def _largest_ring(R: np.ndarray, centres: np.ndarray, left: np.ndarray) -> Ring | None:
    """Return the ring with most of the views `left` (n,), or nothing where fewer than four agree."""
    if len(left) < LEAST_VIEWS:
        return None
    members, axis = _consensus(R[left], centres[left])
    members = left[members]
    found = None
    for _ in range(_ROUNDS):
        if len(members) < LEAST_VIEWS:
            return None
        found = _fit(R[members], centres[members], axis)
        rotation, place = _residuals(found, R[left], centres[left])
        axis = found.axis_from_world[:3, :3].T[:, 2]
        near = left[(rotation < _NEAR_RAD) & (place < _NEAR_PLACE)]
        if np.array_equal(near, members):
            break
        members = near
    if found is None or len(members) < LEAST_VIEWS:
        return None
    return _ring_of(found, members, R[members], centres[members])


def _consensus(R: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which views (n,) bool see one axis alike from one height, and that axis (3,) in the world."""
    first, second = np.triu_indices(len(R), 1)
    turn = Rotation.from_matrix(R[second].transpose(0, 2, 1) @ R[first]).as_rotvec()
    angle = np.linalg.norm(turn, axis=1)
    tried = np.flatnonzero((angle > _TURNED_RAD[0]) & (angle < _TURNED_RAD[1]))
    if len(tried) > _MOST_HYPOTHESES:
        tried = np.random.default_rng(0).choice(tried, _MOST_HYPOTHESES, replace=False)
    if len(tried) == 0:
        return np.zeros(len(R), bool), np.array([0.0, 0.0, 1.0])
    axis = turn[tried] / angle[tried, None]
    seen = np.einsum("vij,ej->evi", R, axis)
    reference = np.einsum("eij,ej->ei", R[first[tried]], axis)
    alike = np.einsum("evi,ei->ev", seen, reference) > np.cos(_NEAR_RAD)
    height = axis @ centres.T
    own = np.arange(len(tried))
    middle = (height[own, first[tried]] + height[own, second[tried]]) / 2
    spread = np.median(np.linalg.norm(centres - np.median(centres, axis=0), axis=1))
    level = np.abs(height - middle[:, None]) < _NEAR_PLACE * spread
    best = np.argmax((alike & level).sum(1))
    return (alike & level)[best], axis[best]


class _Fitted(NamedTuple):
    """A circle without its views."""

    axis_from_world: np.ndarray  # (4, 4)
    radius: float
    cam_from_axis: np.ndarray  # (3, 3)


def _fit(R: np.ndarray, centres: np.ndarray, axis: np.ndarray) -> _Fitted:
    """Return the circle of views (n, 3, 3), (n, 3) about an axis (3,) that is roughly known.

    Rotations and places count alike: on a short arc the rotations tell the azimuths, hence the radius.
    """
    # All rotations see the axis alike: it is what their sum shortens least.
    _, _, right = np.linalg.svd(R.sum(0))
    start = _start(R, centres, right[0] if right[0] @ axis >= 0 else -right[0])
    scale = start.radius

    def moved(x: np.ndarray) -> _Fitted:
        """Tilt and shift the axis (in radii), turn the camera, lift and stretch the circle."""
        change = np.eye(4)
        change[:3, :3] = Rotation.from_rotvec([x[0], x[1], 0]).as_matrix()
        change[:3, 3] = scale * x[2:5]
        return _Fitted(
            change @ start.axis_from_world,
            scale * np.exp(np.clip(x[5], -5, 5)),
            Rotation.from_rotvec(x[6:9]).as_matrix() @ start.cam_from_axis,
        )

    def residuals(x: np.ndarray) -> np.ndarray:
        turn, shift = _deviations(moved(x), R, centres)
        return np.concatenate([turn.ravel() / _SIGMA_RAD, shift.ravel() / _SIGMA_PLACE])

    return moved(least_squares(residuals, np.zeros(9), loss="cauchy", max_nfev=15, x_scale=0.01).x)


def _start(R: np.ndarray, centres: np.ndarray, axis: np.ndarray) -> _Fitted:
    """Return the circle about a given direction by linear least squares."""
    frame = _frame(axis)
    flat = centres @ frame.T
    # |p - m|^2 = r^2 is linear in m and r^2 - |m|^2 (I. Kasa, IEEE Trans. Instrumentation 1976).
    A = np.c_[2 * flat[:, :2], np.ones(len(flat))]
    x, y, rest = np.linalg.lstsq(A, (flat[:, :2] ** 2).sum(1), rcond=None)[0]
    radius = np.sqrt(max(rest + x**2 + y**2, 1e-12 * (flat[:, :2] ** 2).sum()))
    axis_from_world = np.eye(4)
    axis_from_world[:3, :3] = frame
    axis_from_world[:3, 3] = -np.array([x, y, np.median(flat[:, 2])])
    place = np.arctan2(flat[:, 1] - y, flat[:, 0] - x)
    unturned = R @ frame.T @ Rotation.from_rotvec(np.c_[0 * place, 0 * place, place]).as_matrix()
    return _Fitted(axis_from_world, radius, Rotation.from_matrix(unturned).mean().as_matrix())


def _frame(axis: np.ndarray) -> np.ndarray:
    """Return a rotation (3, 3) that takes a unit vector (3,) to z."""
    x = np.cross(np.eye(3)[np.argmin(np.abs(axis))], axis)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(axis, x), axis])


def _azimuths(fitted: _Fitted, R: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the azimuths (n,) half way between what places and rotations say."""
    local = (centres @ fitted.axis_from_world[:3, :3].T + fitted.axis_from_world[:3, 3])[:, :2]
    place = np.arctan2(local[:, 1], local[:, 0])
    back = fitted.cam_from_axis.T @ R @ fitted.axis_from_world[:3, :3].T  # Rz(-a), nearly
    turn = np.arctan2(back[:, 0, 1] - back[:, 1, 0], back[:, 0, 0] + back[:, 1, 1])
    return place + wrapped(turn - place) / 2


def _deviations(fitted: _Fitted, R: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rotation vectors (n, 3) and shifts (n, 3) in radii from the circle to the views."""
    model = axis_poses(fitted.cam_from_axis, fitted.radius, _azimuths(fitted, R, centres))
    model = model @ fitted.axis_from_world
    turn = Rotation.from_matrix(R @ model[:, :3, :3].transpose(0, 2, 1)).as_rotvec()
    return turn, (centres - camera_centres(model)) / fitted.radius


def _residuals(fitted: _Fitted, R: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    turn, shift = _deviations(fitted, R, centres)
    return np.linalg.norm(turn, axis=1), np.linalg.norm(shift, axis=1)


def _ring_of(fitted: _Fitted, views: np.ndarray, R: np.ndarray, centres: np.ndarray) -> Ring:
    rotation, place = _residuals(fitted, R, centres)
    azimuth = _azimuths(fitted, R, centres)
    ring = Ring(
        fitted.axis_from_world, float(fitted.radius), fitted.cam_from_axis, views, azimuth, rotation, place
    )
    return with_zero(ring, float(azimuth[0]))


def with_zero(ring: Ring, azimuth: float) -> Ring:
    """Return the same ring with azimuths that count from another one, in radians."""
    spin = np.eye(4)
    spin[:3, :3] = Rotation.from_rotvec([0, 0, -azimuth]).as_matrix()
    return replace(
        ring,
        axis_from_world=spin @ ring.axis_from_world,
        azimuth=wrapped(ring.azimuth - azimuth),
    )


def flipped(ring: Ring) -> Ring:
    """Return the same ring with its axis pointing the other way and azimuths that run the other way."""
    half = np.diag([1.0, -1, -1, 1])
    return replace(
        ring,
        axis_from_world=half @ ring.axis_from_world,
        cam_from_axis=ring.cam_from_axis @ half[:3, :3],
        azimuth=-ring.azimuth,
    )


def _on_common_axes(rings: Sequence[Ring]) -> tuple[tuple[Ring, ...], tuple[int, ...]]:
    """Return the rings with axes that point the same way, and zeros in the same direction, where they are
    one axis; and the number of each ring's axis.
    """
    placed: list[Ring] = []
    numbers: list[int] = []
    for ring in rings:
        ring = flipped(ring) if _points_down(ring) else ring
        number = max(numbers, default=-1) + 1
        for other, taken in zip(placed, numbers):
            if not _share_axis(ring, other):
                continue
            R, R_other = ring.axis_from_world[:3, :3], other.axis_from_world[:3, :3]
            ring = flipped(ring) if R[2] @ R_other[2] < 0 else ring
            zero = ring.axis_from_world[:3, :3] @ R_other[0]
            ring, number = with_zero(ring, float(np.arctan2(zero[1], zero[0]))), taken
            break
        placed.append(ring)
        numbers.append(number)
    return tuple(placed), tuple(numbers)


def _points_down(ring: Ring) -> bool:
    """Tell whether the axis points down in the picture, or left where it lies across."""
    x, y, _ = ring.axis_in_camera
    return bool(y > 0 if abs(y) >= abs(x) else x < 0)


def _share_axis(ring: Ring, other: Ring) -> bool:
    R, R_other = ring.axis_from_world[:3, :3], other.axis_from_world[:3, :3]
    middle = -R.T @ ring.axis_from_world[:3, 3]
    off_line = (other.axis_from_world[:3, :3] @ middle + other.axis_from_world[:3, 3])[:2]
    near = np.hypot(*off_line) < _COMMON_AXIS_PLACE * other.radius
    return bool(abs(R[2] @ R_other[2]) > np.cos(_COMMON_AXIS_RAD) and near)


def _grade(rings: Sequence[Ring], turntable: Sequence[int], num_views: int) -> Grade:
    firm = {t for ring, t in zip(rings, turntable) if len(ring.views) >= min(_FIRM_VIEWS, num_views)}
    counted = [ring for ring, t in zip(rings, turntable) if t in firm]
    if sum(len(ring.views) for ring in counted) < _SHARE_IN_RINGS * num_views or not counted:
        return Grade.NONE
    rotation = np.median(np.concatenate([ring.rotation_residual for ring in counted]))
    place = np.median(np.concatenate([ring.place_residual for ring in counted]))
    span = max(ring.span for ring in counted)
    for grade, limits in ((Grade.EXACT, _EXACT), (Grade.ROUGH, _ROUGH)):
        if rotation <= limits.rotation_rad and place <= limits.place and span >= limits.span_rad:
            return grade
    return Grade.NONE


def wrapped(angle: np.ndarray) -> np.ndarray:
    """Return angles in radians within -pi to pi."""
    return np.arctan2(np.sin(angle), np.cos(angle))
