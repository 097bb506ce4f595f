"""What is known of a new photo's lens."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from align.localise.absolute_pose import QueryCamera
from align.scene import Scene
from masks.pixelmap import identity, intrinsics_to_source, intrinsics_to_target
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class LensGuess:
    """A lens, and where its focal comes from."""

    camera: QueryCamera
    """K in pixels of the upright photo."""
    source: str
    """"scene", "EXIF" or "sought"."""


def lens_guesses(view: View, scene: Scene) -> tuple[LensGuess, ...]:
    """Return what may be assumed of a photo's lens, the most trusted first; the last leaves the focal open.

    A photo of a camera of the scene (equal EXIF names and size) has its K; else EXIF's focal, the principal
    point in the middle.
    """
    w, h = view.photo_size
    middle = np.array([[1.0, 0, (w - 1) / 2], [0, 1.0, (h - 1) / 2], [0, 0, 1]])
    known = _of_scene(view, scene)
    sought = LensGuess(QueryCamera(middle if known is None else known, (w, h), focal_known=False), "sought")
    if known is not None:
        return (LensGuess(QueryCamera(known, (w, h)), "scene"), sought)
    if view.focal_exif is not None:
        K = middle * np.array([[view.focal_exif, 1, 1], [1, view.focal_exif, 1], [1, 1, 1]])
        return (LensGuess(QueryCamera(K, (w, h)), "EXIF"), sought)
    return (sought,)


def mirrored_lens(lens: LensGuess) -> LensGuess:
    """Return the lens for the photo's mirror image."""
    K = lens.camera.K.copy()
    K[0, 2] = lens.camera.size[0] - 1 - K[0, 2]
    return replace(lens, camera=replace(lens.camera, K=K))


def _of_scene(view: View, scene: Scene) -> np.ndarray | None:
    """Return K of the scene's camera that took the photo, if any did."""
    for k, seen in enumerate(scene.views):
        if seen.camera == view.camera and seen.pixel_map.source_size == view.pixel_map.source_size:
            # By way of the file, since the photo may be turned otherwise than the view.
            stored = view.pixel_map
            in_file = intrinsics_to_source(seen.pixel_map, scene.cameras.K[k])
            return intrinsics_to_target(identity(stored.source_size, stored.orientation), in_file)
    return None
