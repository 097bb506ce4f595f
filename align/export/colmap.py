"""Writing COLMAP models: cameras, images, points and tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from masks.errors import OutputError


@dataclass(frozen=True, slots=True)
class TrackedModel:
    """A COLMAP model as arrays. COLMAP's ids are indices plus one; pixels are those of the tracks, without
    COLMAP's half pixel.
    """

    camera: str | tuple[str, ...]
    """COLMAP's name of the model of all cameras, or of each."""
    params: np.ndarray | tuple[np.ndarray, ...]  # (C, N): of each camera in COLMAP's order
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


def write_colmap(
    model: TrackedModel,
    names: Sequence[str],
    folder: Path,
    colours: np.ndarray | None = None,
    text: bool = False,
) -> None:
    """Write the model in COLMAP's binary form, or as text; `names` are those of the images, `colours` (P, 3)
    uint8 those of the points.
    """
    import pycolmap

    if len(names) != len(model.cam_from_world):
        raise ValueError(
            f"a model of {len(model.cam_from_world)} images needs as many names, not {len(names)}"
        )
    written = pycolmap.Reconstruction()
    kinds = (model.camera,) * len(model.params) if isinstance(model.camera, str) else model.camera
    for c, (kind, params, size) in enumerate(zip(kinds, model.params, model.size)):
        camera = pycolmap.Camera(
            camera_id=c + 1, model=kind, width=int(size[0]), height=int(size[1]), params=params
        )
        written.add_camera_with_trivial_rig(camera)
    for v, name in enumerate(names):
        own = model.image == v
        places = pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in model.xy[own]])
        image = pycolmap.Image(
            name=name, points2D=places, camera_id=int(model.camera_of_image[v]) + 1, image_id=v + 1
        )
        written.add_image_with_trivial_frame(image, pycolmap.Rigid3d(model.cam_from_world[v, :3]))
    place_in_image = np.arange(len(model.image)) - np.searchsorted(model.image, model.image)
    by_point = np.split(np.argsort(model.point, kind="stable"), np.cumsum(model.track_lengths)[:-1])
    for p, (xyz, observed) in enumerate(zip(model.points, by_point)):
        elements = [pycolmap.TrackElement(int(model.image[o]) + 1, int(place_in_image[o])) for o in observed]
        colour = np.zeros(3, np.uint8) if colours is None else colours[p]
        written.add_point3D(xyz, pycolmap.Track(elements), colour)
    written.update_point_3d_errors()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (written.write_text if text else written.write_binary)(folder)
    except OSError as error:
        raise OutputError(
            f"{folder}: the COLMAP model cannot be written ({error.strerror or error}). Choose another "
            "folder."
        ) from error
