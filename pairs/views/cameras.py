"""Pinhole cameras of several views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Poses that went through float32 or through a text file with six digits are still rigid; wrong conventions
# are off by far more.
_RIGID_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Cameras:
    """Intrinsics and poses, one a view, OpenCV axes (x right, y down, z forward), float64."""

    K: np.ndarray  # (V, 3, 3), pixels of the stated grid
    cam_from_world: np.ndarray  # (V, 4, 4)

    def __post_init__(self) -> None:
        num_views = len(self.K)
        if self.K.shape != (num_views, 3, 3) or self.cam_from_world.shape != (num_views, 4, 4):
            raise ValueError(
                f"cameras need K (V, 3, 3) and cam_from_world (V, 4, 4), not {self.K.shape} and "
                f"{self.cam_from_world.shape}"
            )

    @property
    def world_from_cam(self) -> np.ndarray:
        """(V, 4, 4) inverse of the rigid `cam_from_world`."""
        R = self.cam_from_world[:, :3, :3]
        inverse = np.tile(np.eye(4), (len(R), 1, 1))
        inverse[:, :3, :3] = R.transpose(0, 2, 1)
        inverse[:, :3, 3] = self.centres
        return inverse

    @property
    def centres(self) -> np.ndarray:
        """(V, 3) optical centres in the world."""
        return camera_centres(self.cam_from_world)


def some_cameras(cameras: Cameras, views: Sequence[int] | np.ndarray) -> Cameras:
    """Return the cameras of some views (n,), by their numbers."""
    at = np.asarray(views, int)
    return Cameras(cameras.K[at], cameras.cam_from_world[at])


def camera_centres(cam_from_world: np.ndarray) -> np.ndarray:
    """Return the optical centres (V, 3) in the world of rigid poses (V, 4, 4)."""
    return -np.einsum("vji,vj->vi", cam_from_world[:, :3, :3], cam_from_world[:, :3, 3])


def nearest_to_lines(origins: np.ndarray, directions: np.ndarray, rcond: float = 1e-10) -> np.ndarray:
    """Return the point (3,) nearest in least squares to lines (n, 3), (n, 3) of unit direction.

    Singular values below `rcond` of the largest count as parallel lines: these have a line of nearest points,
    and the least of them is returned.
    """
    across = np.eye(3) - directions[:, :, None] * directions[:, None]
    return np.linalg.lstsq(across.sum(0), np.einsum("nij,nj->i", across, origins), rcond=rcond)[0]


def project(cameras: Cameras, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels (V, P, 2) of world points (P, 3) in every view, and the points (V, P, 3) in the
    camera frames.

    Points behind a camera have pixels, too: their depth in the camera frame tells. A point in a camera's own
    plane gives an infinity, or no number.
    """
    in_camera = (
        np.einsum("vij,pj->vpi", cameras.cam_from_world[:, :3, :3], points)
        + cameras.cam_from_world[:, None, :3, 3]
    )
    image = np.einsum("vij,vpj->vpi", cameras.K, in_camera)
    with np.errstate(divide="ignore", invalid="ignore"):
        return image[..., :2] / image[..., 2:], in_camera


def is_rigid(transform: np.ndarray) -> bool:
    """Tell whether a matrix (4, 4) is a rotation and a translation, to rounding; what is not finite
    is not.
    """
    if not np.isfinite(transform).all():
        return False
    R = transform[:3, :3]
    orthogonal = np.abs(R @ R.T - np.eye(3)).max() < _RIGID_TOLERANCE and np.linalg.det(R) > 0
    return bool(orthogonal and np.abs(transform[3] - (0, 0, 0, 1)).max() < _RIGID_TOLERANCE)
