"""The photos of a scene at full resolution; enlarged from its grids where their files are not at hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from align.export.originals import Originals
from align.scene import SceneView
from masks.image_file import open_image
from masks.lens import remap_to_ideal
from masks.pixelmap import PixelMap, image_to_source, turn_upright

_GREY = 128  # where a grid shows less than the photo


def upright_map(view: SceneView) -> PixelMap:
    """Return the map from the upright photo, as its lens shows it, to the view's grid."""
    return replace(view.pixel_map, source_size=view.pixel_map.upright_size, orientation=1)


def upright_photo(view: SceneView, originals: Originals) -> np.ndarray:
    """Return the photo (H, W, 3) uint8 as viewers show it."""
    if view.name not in originals.photos:
        return image_to_source(upright_map(view), view.image, _GREY)
    picture = open_image(originals.photos[view.name])
    return np.ascontiguousarray(turn_upright(picture.pixels, view.pixel_map.orientation))


def ideal_picture(view: SceneView, originals: Originals) -> np.ndarray:
    """Return the pinhole picture (H, W, 3) uint8 that stands for the photo: without its lens's distortion."""
    frame = view.pixel_map.undistortion
    if view.name not in originals.photos:
        return image_to_source(view.pixel_map.ideal(), view.image, _GREY)
    photo = upright_photo(view, originals)
    return photo if frame is None else remap_to_ideal(frame, photo)
