"""Cameras, points and tracks of a network as a COLMAP model (docs/vggt.md, "Tracks as matches").

For parity with the published export; no command uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from align.export.colmap import TrackedModel
from masks.errors import ReconstructionError
from pairs.backends.vggt.images import SquareFrame
from pairs.views.cameras import Cameras, project


@dataclass(frozen=True, slots=True)
class FoundTracks:
    """Points followed through all images."""

    points: np.ndarray  # (P, 3), world
    xy: np.ndarray  # (V, P, 2), pixels
    visible: np.ndarray  # (V, P) bool

    def __post_init__(self) -> None:
        if self.xy.shape != (*self.visible.shape, 2) or self.points.shape != (self.visible.shape[1], 3):
            shapes = f"{self.points.shape}, {self.xy.shape} and {self.visible.shape}"
            raise ValueError(f"points (P, 3), xy (V, P, 2) and visible (V, P) do not fit: {shapes}")


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which observations count, and what cameras look like."""

    camera: Literal["PINHOLE", "SIMPLE_PINHOLE"] = "SIMPLE_PINHOLE"
    """With two focal lengths, or with their mean."""
    shared: bool = False
    """Whether all images were taken by the camera of the first."""
    most_error_px: float = 8.0
    """An observation farther from its point's projection does not count."""
    least_seen: int = 64
    """Observations that every image needs."""
    farthest: float = 3000.0
    """Points with a coordinate that large are kept without observations."""


def consistent_tracks(tracks: FoundTracks, cameras: Cameras, most_error_px: float) -> np.ndarray:
    """Return the observations (V, P) bool that are visible and near their point's projection. Points behind a
    camera project as well.
    """
    projected, _ = project(cameras, tracks.points)
    # A projection that is no number compares false, so that it is dropped.
    return tracks.visible & (np.linalg.norm(projected - tracks.xy, axis=-1) < most_error_px)


def tracked_model(
    tracks: FoundTracks, cameras: Cameras, size: tuple[int, int], options: ModelOptions
) -> TrackedModel:
    """Return the model of points that are observed twice at least, in images of `size` (width, height).

    Raises `ReconstructionError` when an image has too few observations.
    """
    seen = consistent_tracks(tracks, cameras, options.most_error_px)
    least = int(seen.sum(1).min())
    if least < options.least_seen:
        raise ReconstructionError(
            f"image {int(seen.sum(1).argmin()) + 1} sees only {least} of the tracked points within "
            f"{options.most_error_px:g} pixels, and needs "
            f"{options.least_seen}. Track more points, or allow a larger error."
        )
    valid = seen.sum(0) >= 2
    points = tracks.points[valid]
    near = (points < options.farthest).all(1)
    image, point = np.nonzero(seen[:, valid] & near)
    taken_by = cameras.K[:1] if options.shared else cameras.K
    return TrackedModel(
        camera=options.camera,
        params=_params(taken_by, options.camera),
        size=np.tile(np.array(size), (len(taken_by), 1)),
        camera_of_image=np.zeros(len(cameras.K), np.int64) if options.shared else np.arange(len(cameras.K)),
        cam_from_world=cameras.cam_from_world,
        points=points,
        image=image,
        point=point,
        xy=tracks.xy[:, valid][image, point],
    )


def _params(K: np.ndarray, camera: str) -> np.ndarray:
    focal = K[:, [0, 1], [0, 1]]
    return np.hstack([focal.mean(1, keepdims=True) if camera == "SIMPLE_PINHOLE" else focal, K[:, :2, 2]])


def at_photo_size(model: TrackedModel, frames: Sequence[SquareFrame], side: int) -> TrackedModel:
    """Return a model of square images in pixels of the photos; `frames` say where each photo lies in a square
    of `side` pixels.

    The principal point becomes the middle of each photo. A shared camera is that of the first photo, whose
    scale then goes for all observations.
    """
    ratio = np.array([max(frame.photo_size) / side for frame in frames])
    first_of_camera = [int(np.flatnonzero(model.camera_of_image == c)[0]) for c in range(len(model.params))]
    size = np.array([frames[v].photo_size for v in first_of_camera])
    params = np.array(model.params) * ratio[first_of_camera, None]
    params[:, -2:] = size / 2
    corner = np.array([(frame.left, frame.top) for frame in frames])
    scale = ratio[first_of_camera][model.camera_of_image]  # (V,)
    xy = (model.xy - corner[model.image]) * scale[model.image, None]
    return replace(model, params=params, size=size, xy=xy)
