"""The photo of a view at its full resolution, as viewers show it; undistorted where its lens is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from masks.errors import ImageError
from masks.fill import Fill
from masks.image_file import open_image
from masks.lens import remap_to_ideal, remap_to_photo
from masks.pixelmap import turn_upright
from pairs.views.view import View


def load_photo(view: View) -> np.ndarray:
    """Return the photo (H, W, 3) uint8 of a view. Raises `ImageError` when its file is gone, damaged
    or another picture by now.
    """
    if view.path is None:
        raise ImageError(
            f"{view.name}: there is no photo, only a prediction made elsewhere. The embedded backend needs "
            "the photos themselves."
        )
    upright = _upright_photo(view, view.path)
    frame = view.pixel_map.undistortion
    return upright if frame is None else remap_to_ideal(frame, upright)


def filled_photo(view: View, fill: Fill) -> np.ndarray:
    """Return the photo with its background filled, before any resampling; as it is when the view has
    no mask.
    """
    if view.mask is None or view.path is None:
        return load_photo(view)
    upright = _upright_photo(view, view.path)
    frame = view.pixel_map.undistortion
    if frame is None:
        return fill(upright, view.mask.pixels)
    on_photo = remap_to_photo(frame, view.pixel_map.upright_size, view.mask.pixels)
    return remap_to_ideal(frame, fill(upright, on_photo))


def _upright_photo(view: View, path: Path) -> np.ndarray:
    """Return the photo as viewers show it, once it is known to be the one that was loaded."""
    picture = open_image(path, view.white)
    photo = np.ascontiguousarray(turn_upright(picture.pixels, view.pixel_map.orientation))
    h, w = photo.shape[:2]
    # What is computed from an edited photo would lie in the store under the key of the old one.
    changed = view.file_digest not in ("", picture.content)
    if changed or (w, h) != view.pixel_map.upright_size:
        raise ImageError(
            f"{path}: the photo is not the one that was loaded when the program began: the file "
            "changed meanwhile. Leave the photos as they "
            "are while it runs, and start again."
        )
    return photo
