"""Sidecars of scanning benches: `a.json` beside `a.jpg` with azimuth_deg, elevation_deg and radius.

They say neither which way the angles count nor what the camera's height is measured from, so every sense is
handed on, and the photos decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from masks.errors import FormatError
from masks.notice import first_few
from masks.reading import read_json, shown

_KEYS = ("azimuth_deg", "elevation_deg", "radius")
_REMEDY = "A sidecar holds azimuth_deg, elevation_deg and radius as numbers."


@dataclass(frozen=True, slots=True, eq=False)
class BenchPoses:
    """Poses by photo, in one sense of the bench's angles."""

    words: str
    """The sense, after "the angles are"."""
    cam_from_world: Mapping[str, np.ndarray]  # (4, 4) each, by the photos' names


def has_sidecars(photos: Sequence[Path]) -> bool:
    """Tell whether a sidecar with a bench's angles lies beside any photo."""
    for photo in photos:
        path = photo.with_suffix(".json")
        if path.is_file():
            document = read_json(path, _REMEDY)
            if isinstance(document, dict) and _KEYS[0] in document:
                return True
    return False


def read_sidecars(photos: Sequence[Path]) -> tuple[BenchPoses, ...]:
    """Return the poses of photos in every sense of azimuth and elevation; cameras look at the origin, z up.

    Photos without a sidecar have none. Raises `FormatError` naming the sidecar, or where there is none.
    """
    found = {
        photo.name: _angles(photo.with_suffix(".json"))
        for photo in photos
        if photo.with_suffix(".json").is_file()
    }
    if not found:
        wanted = first_few([photo.with_suffix(".json").name for photo in photos])
        raise FormatError(f"no sidecar beside the photos: {wanted} are missing. {_REMEDY}")
    senses = []
    for turn, turning in ((1, "counter-clockwise"), (-1, "clockwise")):
        for rise, rising in ((1, "upwards"), (-1, "downwards")):
            words = f"azimuth {turning} seen from above, elevation {rising}"
            poses = {name: _pose(turn * a, rise * e, radius) for name, (a, e, radius) in found.items()}
            senses.append(BenchPoses(words, poses))
    return tuple(senses)


def _angles(path: Path) -> tuple[float, float, float]:
    document: Any = read_json(path, _REMEDY)
    if not isinstance(document, dict):
        raise FormatError(f"{path}: is {shown(document)}. {_REMEDY}")
    numbers = []
    for key in _KEYS:
        value = document.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value):
            raise FormatError(f"{path}: {key} is {shown(value)}. {_REMEDY}")
        numbers.append(float(value))
    azimuth, elevation, radius = numbers
    if abs(elevation) >= 90 or radius <= 0:
        raise FormatError(
            f"{path}: an elevation of {elevation:g} degrees and a radius of {radius:g}. Elevations lie "
            "between -90 and 90, a radius is positive."
        )
    return azimuth, elevation, radius


def _pose(azimuth_deg: float, elevation_deg: float, radius: float) -> np.ndarray:
    """Return cam_from_world (4, 4) of a camera that looks at the origin, upright."""
    a, e = np.radians([azimuth_deg, elevation_deg])
    outwards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = [right, np.cross(-outwards, right), -outwards]
    pose[2, 3] = radius
    return pose
