"""Features of a finished scene's views, and the points of the object that they lie on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from align.scene import Scene, SceneView
from masks.errors import ImageError, ReconstructionError
from masks.fill import nearest
from masks.image_file import probe_image
from masks.mask import Mask, shrunk
from masks.pixelmap import image_to_source, to_source, to_target
from masks.progress import Progress
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.features import Features, detect, features_of
from pairs.backends.classical.sfm.working_image import WorkingImage, working_map
from pairs.backends.classical.stereo.warp import sample_valid
from pairs.views.view import View

# On the photo sets 75 % (fox) to 99 % (the plaster) of the features find such a depth; with 0.02 3 % fewer.
_SMOOTH = 0.05
"""Largest relative step of the depth to the next pixel: a larger one is an edge, where a position half a
pixel off would get the depth of what stands behind."""


@dataclass(frozen=True, slots=True)
class SceneFeatures:
    """What one view of the scene offers to be recognised by."""

    view: int
    """Index in the scene."""
    features: Features
    """Those with a depth; `xy` in pixels of the view's grid."""
    points: np.ndarray  # (N, 3), world


def scene_features(
    scene: Scene, photos: Mapping[str, Path], options: SolveOptions, progress: Progress
) -> tuple[SceneFeatures, ...]:
    """Return the features of all views that have a depth, found in their photos where `photos` has them by
    name, else in the images of the scene, which are smaller.

    Raises `ImageError` for a photo of another size than the view's, `ReconstructionError` when no view has
    enough features.
    """
    found = []
    for k, view in enumerate(scene.views):
        progress("features of the scene", k, len(scene.views))
        if not (view.depth > 0).any():
            continue  # a view that was placed by its features alone
        features = (
            _of_photo(view, photos[view.name], options) if view.name in photos else _of_image(view, options)
        )
        found.append(_with_points(scene, k, features))
    progress("features of the scene", len(scene.views), len(scene.views))
    most = max((len(each.points) for each in found), default=0)
    if most < options.min_features:
        raise ReconstructionError(
            f"the scene has no view with {options.min_features} features on its surface (the richest has "
            f"{most}): nothing to recognise it by. Reconstruct it with a larger `longest`, or give its own "
            "photos (`scene_photos`)."
        )
    return tuple(found)


def _of_image(view: SceneView, options: SolveOptions) -> Features:
    if view.mask.all():
        return detect(WorkingImage(cv2.cvtColor(view.image, cv2.COLOR_RGB2GRAY), None), options)
    # The image was shrunk with its background, which has left its colour in the rim: the fill starts inside.
    image = nearest(view.image, shrunk(view.mask, 1))
    return detect(WorkingImage(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), view.mask), options)


def _of_photo(view: SceneView, path: Path, options: SolveOptions) -> Features:
    fact = probe_image(path)
    upright = view.pixel_map.ideal()
    if (fact.size, fact.orientation) != (view.pixel_map.source_size, view.pixel_map.orientation):
        raise ImageError(
            f"{path}: is not the photo that the scene was made of, whose size was "
            f"{view.pixel_map.source_size[0]}x{view.pixel_map.source_size[1]}. Give the original photos, or "
            "omit `scene_photos`."
        )
    mask = None if view.mask.all() else Mask(image_to_source(upright, view.mask), "the scene")
    photo = View(view.name, path, view.image, view.pixel_map, mask, grid_key="")
    features = features_of(photo, options)
    working = working_map(photo, options.working_longest)
    xy = to_target(upright, to_source(working, features.xy))
    return replace(
        features,
        xy=xy.astype(np.float32),
        size=features.size * np.float32(upright.scale[0] / working.scale[0]),
    )


def _with_points(scene: Scene, k: int, features: Features) -> SceneFeatures:
    """Return the features whose depth is known, with their points."""
    view, K = scene.views[k], scene.cameras.K[k]
    x, y = features.xy.astype(np.float64).T
    known = (view.depth > 0) & (view.conf > 0)
    # Inverse depth is linear in the pixel on a plane, depth is not.
    inverse = 1 / np.where(known, view.depth, 1).astype(np.float64)
    (read,), sure = sample_valid([inverse], known & _smooth(inverse, known), x, y)
    rays = np.stack([x, y, np.ones_like(x)], 1) @ np.linalg.inv(K).T
    world_from_cam = scene.cameras.world_from_cam[k]
    points = rays / read[:, None] @ world_from_cam[:3, :3].T + world_from_cam[:3, 3]
    kept = Features(features.xy[sure], features.size[sure], features.descriptors[sure])
    return SceneFeatures(k, kept, points[sure])


def _smooth(inverse: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return which pixels (H, W) have no step of the depth to a known neighbour."""
    nearest_, farthest = (
        filtered(np.where(known, inverse, other), np.ones((3, 3)))
        for filtered, other in ((cv2.dilate, 0.0), (cv2.erode, np.inf))
    )
    return nearest_ / (1 + _SMOOTH) <= farthest
