"""The photos as a texture sees them: pinhole pictures with their masks, opened one at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from align.export.mask_files import ideal_mask
from align.export.originals import Originals
from align.export.pictures import ideal_picture
from align.scene import Scene, SceneView
from masks.mask import box_around
from masks.pixelmap import PixelMap, image_to_target, intrinsics_to_target


@dataclass(frozen=True, slots=True)
class Shot:
    """A placed photo."""

    name: str
    K: np.ndarray  # (3, 3), pixels of the picture
    cam_from_world: np.ndarray  # (4, 4)
    size: tuple[int, int]
    """(width, height) of the picture."""
    read: Callable[[], tuple[np.ndarray, np.ndarray]]
    """Opens the picture (H, W, 3) uint8 and its mask (H, W) bool: all of them at once might not fit in
    memory."""


def shots_of(scene: Scene, originals: Originals) -> tuple[Shot, ...]:
    """Return the shots of a scene's views, at the resolution of the photos where these are at hand; else they
    are the pictures of the grids.
    """
    cameras = scene.at_ideal() if originals.photos else scene.cameras
    return tuple(
        Shot(
            view.name,
            K,
            pose,
            view.pixel_map.ideal_size if originals.photos else view.pixel_map.target_size,
            functools.partial(_opened, view, originals),
        )
        for view, K, pose in zip(scene.views, cameras.K, cameras.cam_from_world)
    )


def around_object(
    shot: Shot, margin_px: int, share: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the part of a shot around its mask, with a margin and shrunk to a share of its size: picture,
    mask, and K (3, 3) of both; none where the mask is empty.
    """
    picture, mask = shot.read()
    if not mask.any():
        return None
    left, top, width, height = box_around(mask, margin_px)
    size = max(1, round(width * share)), max(1, round(height * share))
    around = PixelMap(shot.size, 1, (left, top, width, height), size)
    K = intrinsics_to_target(around, shot.K)
    return image_to_target(around, picture), image_to_target(around, mask), K


def _opened(view: SceneView, originals: Originals) -> tuple[np.ndarray, np.ndarray]:
    if not originals.photos:
        return view.image, view.mask
    return ideal_picture(view, originals), ideal_mask(view, originals)
