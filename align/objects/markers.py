"""Scale from printed markers: AprilTag and ArUco, found in the photos and triangulated with the solved
cameras
(docs/turntables.md, "Scale").

A marker must turn with the object; it may lie outside of the masks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from align.scene import Scene
from masks.errors import ReconstructionError, UserError
from masks.image_file import open_image, probe_image
from masks.lens import distort, normalised, pixels_of, undistort
from masks.notice import Notice, info, warning
from masks.pixelmap import turn_upright

FAMILIES = {
    "36h11": cv2.aruco.DICT_APRILTAG_36h11,
    "36h10": cv2.aruco.DICT_APRILTAG_36h10,
    "25h9": cv2.aruco.DICT_APRILTAG_25h9,
    "16h5": cv2.aruco.DICT_APRILTAG_16h5,
    "4x4": cv2.aruco.DICT_4X4_250,
    "5x5": cv2.aruco.DICT_5X5_250,
    "6x6": cv2.aruco.DICT_6X6_250,
    "7x7": cv2.aruco.DICT_7X7_250,
    "original": cv2.aruco.DICT_ARUCO_ORIGINAL,
}
"""Dictionaries of markers by the names that people know them by."""

_LEAST_VIEWS = 3
"""Two views of a standing marker can agree with two cameras by chance."""
_MOST_ERROR_PX = 3.0
"""Median reprojection error above which a marker does not move with the object; right ones stay below 1."""
_SMALL_PX = 100.0
"""Sides shorter than that are told to half a per cent at best."""
_ALIKE = 0.01


@dataclass(frozen=True, slots=True)
class MarkerKind:
    """Which markers were laid beside the object."""

    family: str
    side: float
    """Length of a marker's black square, in the unit that the scene shall have."""


@dataclass(frozen=True, slots=True)
class _Triangulated:
    """One marker in the scene's world."""

    number: int
    corners: np.ndarray  # (4, 3)
    error_px: float
    side_px: float

    @property
    def sides(self) -> np.ndarray:
        """(4,) lengths of the sides."""
        return np.linalg.norm(self.corners - np.roll(self.corners, 1, axis=0), axis=1)


def parse_marker(text: str) -> MarkerKind:
    """Return what a text such as "36h11:0.05" states."""
    family, _, side = text.partition(":")
    try:
        length = float(side)
    except ValueError:
        length = 0.0
    if family.lower() not in FAMILIES or not (np.isfinite(length) and length > 0):
        raise UserError(
            f"`marker={text}`: is not FAMILY:SIDE, as in 36h11:0.05 for AprilTags 36h11 whose black square "
            "is 0.05 "
            f"wide. Families: {', '.join(FAMILIES)}."
        )
    return MarkerKind(family.lower(), length)


def scale_by_markers(
    scene: Scene, photos: Mapping[str, Path], kind: MarkerKind
) -> tuple[float, tuple[Notice, ...]]:
    """Return the factor that gives the scene the unit of the markers' side, and what is to be said about it.

    `photos` are the files by the names of the views. Raises `ReconstructionError` where no marker is seen by
    three views, or those that are do not move with the object.
    """
    found = [_triangulated(scene, number, seen) for number, seen in _detected(scene, photos, kind).items()]
    seen_often = [marker for marker in found if marker is not None]
    moving = [marker for marker in seen_often if marker.error_px <= _MOST_ERROR_PX]
    if not moving:
        raise ReconstructionError(_nothing_usable(kind, len(found), len(seen_often)))
    sides = np.concatenate([marker.sides for marker in moving])
    names = ", ".join(str(marker.number) for marker in moving)
    notices = [info("scale", f"by {len(moving)} markers {kind.family} ({names}) of {kind.side:g} a side.")]
    if len(moving) < len(seen_often):
        still = ", ".join(str(m.number) for m in seen_often if m.error_px > _MOST_ERROR_PX)
        notices.append(
            warning("scale", (f"the markers {still} do not move with the object, and are not used."))
        )
    if np.ptp(sides) > _ALIKE * sides.mean():
        text = (
            f"the markers' sides differ by {np.ptp(sides) / sides.mean():.1%}: do they lie flat, are they "
            "of one size?"
        )
        notices.append(warning("scale", text))
    if (shortest := min(marker.side_px for marker in moving)) < _SMALL_PX:
        text = (
            f"the markers are {shortest:.0f} px wide in the photos: corners are told to half a pixel, so "
            "the scale "
            f"to {0.65 / shortest:.1%}. Larger markers, or a known length, tell more."
        )
        notices.append(warning("scale", text))
    return kind.side / float(sides.mean()), tuple(notices)


def _nothing_usable(kind: MarkerKind, found: int, seen_often: int) -> str:
    if seen_often:
        return (
            f"`marker`: {seen_often} markers {kind.family} are seen, and none moves with the object. Lay "
            "them on the "
            "turntable, beside the object."
        )
    return (
        f"`marker`: {found} markers {kind.family} are seen, none by {_LEAST_VIEWS} photos. Check the family "
        f"({', '.join(FAMILIES)}), or print them larger."
    )


def _detected(scene: Scene, photos: Mapping[str, Path], kind: MarkerKind) -> dict[int, dict[int, np.ndarray]]:
    """Return the corners (4, 2), in pixels of the upright photo, by marker and by view."""
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(FAMILIES[kind.family]), parameters)
    found: dict[int, dict[int, np.ndarray]] = defaultdict(dict)
    for k, view in enumerate(scene.views):
        path = photos[view.name]
        photo = turn_upright(open_image(path).pixels, probe_image(path).orientation)
        corners, numbers, _ = detector.detectMarkers(
            cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2GRAY)
        )
        for marker, number in zip(corners, [] if numbers is None else numbers.ravel()):
            found[int(number)][k] = marker.reshape(4, 2).astype(np.float64)
    return found


def _triangulated(scene: Scene, number: int, seen: Mapping[int, np.ndarray]) -> _Triangulated | None:
    """Return a marker in the world by linear least squares of its rays; none where too few views see it."""
    if len(seen) < _LEAST_VIEWS:
        return None
    views = list(seen)
    K, lenses = scene.at_original().K[views], [scene.lenses[k] for k in views]
    pixels = np.stack([seen[k] for k in views])  # (n, 4, 2)
    rays = np.stack([normalised(own, xy) for own, xy in zip(K, pixels)])
    rays = np.stack([xy if lens is None else undistort(lens, xy) for lens, xy in zip(lenses, rays)])
    P = scene.cameras.cam_from_world[views, :3]
    # x (P_3 . X) = P_1 . X and y (P_3 . X) = P_2 . X, for all views at once.
    rows = rays[..., None] * P[:, None, 2:3] - P[:, None, :2]  # (n, 4, 2, 4)
    corners = np.stack([np.linalg.svd(rows[:, c].reshape(-1, 4))[2][-1] for c in range(4)])
    corners = corners[:, :3] / corners[:, 3:]
    in_camera = corners @ P[:, :, :3].transpose(0, 2, 1) + P[:, None, :, 3]
    flat = in_camera[..., :2] / in_camera[..., 2:]
    shown = [
        pixels_of(own, xy if lens is None else distort(lens, xy)) for own, lens, xy in zip(K, lenses, flat)
    ]
    error = np.linalg.norm(np.stack(shown) - pixels, axis=-1)
    side_px = np.linalg.norm(pixels - np.roll(pixels, 1, axis=1), axis=-1)
    return _Triangulated(number, corners, float(np.median(error)), float(np.median(side_px)))
