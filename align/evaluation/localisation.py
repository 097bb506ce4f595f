"""How far photos placed in a known scene are from their true cameras, as published (arXiv:2312.14132,
section 4.1; arXiv:2406.09756, section 4.4), and the files of poses that the localisation benchmarks take.

The scene's frame and scale are the truth's: nothing is aligned before errors are measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.spatial.transform import Rotation

from align.rotations import angle_between
from masks.disk.whole_file import write_whole
from masks.errors import FormatError
from masks.reading import reading
from pairs.views.cameras import camera_centres

THRESHOLDS = ((0.1, 1.0), (0.25, 2.0), (0.5, 5.0), (5.0, 10.0))
"""In scene units, metres in the published sets, and degrees."""
_NUMBERS = 7


@dataclass(frozen=True, slots=True)
class LocalisationErrors:
    """Of some queries; a query that was not placed is infinitely far off."""

    centre: np.ndarray  # (Q,), between the camera centres, in scene units
    degrees: np.ndarray  # (Q,), of the rotation

    @property
    def medians(self) -> tuple[float, float]:
        """Of centres and degrees."""
        return float(np.median(self.centre)), float(np.median(self.degrees))

    def share_within(self, centre: float, degrees: float) -> float:
        """Return the percentage of queries whose two errors are both strictly below."""
        return float(100 * np.mean((self.centre < centre) & (self.degrees < degrees)))


def localisation_errors(
    found: Sequence[np.ndarray | None], true_cam_from_world: np.ndarray
) -> LocalisationErrors:
    """Return the errors of poses (4, 4) cam_from_world, none where a query was not placed, against true ones
    (Q, 4, 4).
    """
    if len(found) == 0 or len(found) != len(true_cam_from_world):
        raise ValueError(f"{len(found)} poses against {len(true_cam_from_world)} true ones")
    placed = np.array([pose is not None for pose in found])
    poses = np.stack([np.eye(4) if pose is None else pose for pose in found])
    centre = np.linalg.norm(camera_centres(poses) - camera_centres(true_cam_from_world), axis=1)
    degrees = np.rad2deg(angle_between(poses[:, :3, :3], true_cam_from_world[:, :3, :3]))
    return LocalisationErrors(np.where(placed, centre, np.inf), np.where(placed, degrees, np.inf))


def summary_line(label: str, errors: LocalisationErrors) -> str:
    """Return medians and percentages in the published wording."""
    centre, degrees = errors.medians
    shares = "".join(f"  - acc@{c:g}m,{d:g}deg={errors.share_within(c, d):.3f}" for c, d in THRESHOLDS)
    medians = f"median_pos_error={centre}, median_angular_error={degrees}"
    return f"{label}: {len(errors.centre)} images - {medians}{shares}"


def write_poses(path: Path, found: Mapping[str, np.ndarray | None], *, base_names: bool = False) -> None:
    """Write one line a query, `name qw qx qy qz tx ty tz` of its cam_from_world, and the identity for one
    that was not placed.

    `base_names` leaves the folders out of the names, as the server of the long-term benchmark wants it.
    """
    lines = [
        f"{PurePosixPath(name).name if base_names else name} {_pose_text(pose)}"
        for name, pose in found.items()
    ]
    write_whole(path, "\n".join(lines).encode())


def read_poses(path: Path) -> dict[str, np.ndarray]:
    """Return the cam_from_world (4, 4) of each name in a file that is written so. Raises `FormatError` naming
    the line.
    """
    with reading(path, "Check the path.", "cannot be read as a list of poses"):
        lines = path.read_text(encoding="utf-8").splitlines()
    poses = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, *rest = re.split(r"\s+", line.strip())
        try:
            numbers = np.array([float(each) for each in rest])
        except ValueError:
            numbers = np.zeros(0)
        if len(numbers) != _NUMBERS or not np.isfinite(numbers).all() or not numbers[:4].any():
            raise FormatError(
                f"{path}, line {number}: a pose is NAME QW QX QY QZ TX TY TZ with seven finite numbers. Mend "
                "this line."
            )
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_quat(np.roll(numbers[:4], -1)).as_matrix()
        pose[:3, 3] = numbers[4:]
        poses[name] = pose
    return poses


def _pose_text(cam_from_world: np.ndarray | None) -> str:
    pose = np.eye(4) if cam_from_world is None else cam_from_world
    # The conjugate of the world's quaternion, as published: the identity's zeros have a minus sign.
    *vector, qw = Rotation.from_matrix(pose[:3, :3].T).as_quat(canonical=True)
    return " ".join(repr(float(x)) for x in (qw, *(-each for each in vector), *pose[:3, 3]))
