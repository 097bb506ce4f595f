"""Cameras, points and tracks of a network as a COLMAP model (VGGT's specification, chapters 15.2 and 15.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from masks.errors import FormatError, OutputError, ReconstructionError
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


@dataclass(frozen=True, slots=True)
class TrackedModel:
    """A COLMAP model as arrays. COLMAP's ids are indices plus one; pixels are those of the tracks, without COLMAP's half pixel."""

    camera: Literal["PINHOLE", "SIMPLE_PINHOLE"]
    params: np.ndarray  # (C, 3 or 4): one or two focals, principal point
    size: np.ndarray  # (C, 2) int, (width, height)
    camera_of_image: np.ndarray  # (V,) int
    cam_from_world: np.ndarray  # (V, 4, 4)
    points: np.ndarray  # (P, 3)
    image: np.ndarray  # (O,) int, of each observation; ascending
    point: np.ndarray  # (O,) int, of each observation; ascending within an image
    xy: np.ndarray  # (O, 2)

    @property
    def track_lengths(self) -> np.ndarray:
        """(P,) observations of each point."""
        return np.bincount(self.point, minlength=len(self.points))


def consistent_tracks(tracks: FoundTracks, cameras: Cameras, most_error_px: float) -> np.ndarray:
    """Return the observations (V, P) bool that are visible and near their point's projection. Points behind a camera project as well."""
    projected, _ = project(cameras, tracks.points)
    # A projection that is no number compares false, so that it is dropped.
    return tracks.visible & (np.linalg.norm(projected - tracks.xy, axis=-1) < most_error_px)


def tracked_model(tracks: FoundTracks, cameras: Cameras, size: tuple[int, int], options: ModelOptions) -> TrackedModel:
    """Return the model of points that are observed twice at least, in images of `size` (width, height).

    Raises `ReconstructionError` when an image has too few observations.
    """
    seen = consistent_tracks(tracks, cameras, options.most_error_px)
    least = int(seen.sum(1).min())
    if least < options.least_seen:
        raise ReconstructionError(
            f"image {int(seen.sum(1).argmin()) + 1} sees only {least} of the tracked points within {options.most_error_px:g} pixels, and needs "
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
    """Return a model of square images in pixels of the photos; `frames` say where each photo lies in a square of `side` pixels.

    The principal point becomes the middle of each photo. A shared camera is that of the first photo, whose scale then goes for all observations.
    """
    ratio = np.array([max(frame.photo_size) / side for frame in frames])
    first_of_camera = [int(np.flatnonzero(model.camera_of_image == c)[0]) for c in range(len(model.params))]
    size = np.array([frames[v].photo_size for v in first_of_camera])
    params = model.params * ratio[first_of_camera, None]
    params[:, -2:] = size / 2
    corner = np.array([(frame.left, frame.top) for frame in frames])
    scale = ratio[first_of_camera][model.camera_of_image]  # (V,)
    xy = (model.xy - corner[model.image]) * scale[model.image, None]
    return replace(model, params=params, size=size, xy=xy)


def write_colmap(model: TrackedModel, names: Sequence[str], folder: Path, colours: np.ndarray | None = None) -> None:
    """Write the model in COLMAP's binary form; `names` are those of the images, `colours` (P, 3) uint8 those of the points."""
    import pycolmap

    if len(names) != len(model.cam_from_world):
        raise ValueError(f"a model of {len(model.cam_from_world)} images needs as many names, not {len(names)}")
    written = pycolmap.Reconstruction()
    for c, (params, size) in enumerate(zip(model.params, model.size)):
        camera = pycolmap.Camera(camera_id=c + 1, model=model.camera, width=int(size[0]), height=int(size[1]), params=params)
        written.add_camera_with_trivial_rig(camera)
    for v, name in enumerate(names):
        own = model.image == v
        places = pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in model.xy[own]])
        image = pycolmap.Image(name=name, points2D=places, camera_id=int(model.camera_of_image[v]) + 1, image_id=v + 1)
        written.add_image_with_trivial_frame(image, pycolmap.Rigid3d(model.cam_from_world[v, :3]))
    place_in_image = np.arange(len(model.image)) - np.searchsorted(model.image, model.image)
    by_point = np.split(np.argsort(model.point, kind="stable"), np.cumsum(model.track_lengths)[:-1])
    for p, (xyz, observed) in enumerate(zip(model.points, by_point)):
        elements = [pycolmap.TrackElement(int(model.image[o]) + 1, int(place_in_image[o])) for o in observed]
        colour = np.zeros(3, np.uint8) if colours is None else colours[p]
        written.add_point3D(xyz, pycolmap.Track(elements), colour)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written.write(folder)
    except OSError as error:
        raise OutputError(f"{folder}: the COLMAP model cannot be written ({error.strerror or error}). Choose another folder.") from error


def read_colmap(folder: Path) -> tuple[Cameras, np.ndarray]:
    """Return the cameras (V) of a COLMAP model's images by their ids, and its points (P, 3): point id k is in row k - 1, and gaps stay zero.

    Raises `FormatError` when there is no model in the folder.
    """
    import pycolmap

    try:
        model = pycolmap.Reconstruction(folder)
    except (ValueError, RuntimeError) as error:
        raise FormatError(f"{folder}: holds no COLMAP model ({str(error)[:120]}). Name the folder of its cameras, images and points3D.") from error
    images = [model.images[key] for key in sorted(model.images)]
    cam_from_world = np.tile(np.eye(4), (len(images), 1, 1))
    for v, image in enumerate(images):
        cam_from_world[v, :3] = image.cam_from_world().matrix()
    points = np.zeros((max(model.points3D, default=0), 3))
    for key, point in model.points3D.items():
        points[key - 1] = point.xyz
    K = np.stack([model.cameras[image.camera_id].calibration_matrix() for image in images]) if images else np.zeros((0, 3, 3))
    return Cameras(K, cam_from_world), points
