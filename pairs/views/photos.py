"""The photo of a view at its full resolution, as viewers show it."""

from __future__ import annotations

import numpy as np

from masks.errors import ImageError
from masks.fill import Fill
from masks.image_file import open_image
from masks.pixelmap import turn_upright
from pairs.views.view import View


def load_photo(view: View) -> np.ndarray:
    """Return the upright photo (H, W, 3) uint8 of a view. Raises `ImageError` when its file is gone, damaged
    or another picture by now.
    """
    if view.path is None:
        raise ImageError(
            f"{view.name}: there is no photo, only a prediction made elsewhere. The embedded backend needs "
            "the photos themselves."
        )
    picture = open_image(view.path)
    photo = np.ascontiguousarray(turn_upright(picture.pixels, view.pixel_map.orientation))
    h, w = photo.shape[:2]
    # What is computed from an edited photo would lie in the store under the key of the old one.
    changed = view.file_digest not in ("", picture.content)
    if changed or (w, h) != view.photo_size:
        raise ImageError(
            f"{view.path}: the photo is not the one that was loaded when the program began: the file "
            "changed meanwhile. Leave the photos as they "
            "are while it runs, and start again."
        )
    return photo


def filled_photo(view: View, fill: Fill) -> np.ndarray:
    """Return the upright photo with its background filled, before any resize; as it is when the view has no
    mask.
    """
    photo = load_photo(view)
    return photo if view.mask is None else fill(photo, view.mask.pixels)
