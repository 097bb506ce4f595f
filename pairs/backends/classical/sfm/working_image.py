"""The working picture: what features are found on (docs/classical_backend.md, "Working image and fill")."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from masks.fill import nearest
from masks.mask import mask_on_grid
from masks.pixelmap import PixelMap, fit_longest, image_to_target, present
from pairs.views.photos import filled_photo
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class WorkingImage:
    """The filled photo in grey at working size."""

    grey: np.ndarray  # (h, w) uint8
    mask: np.ndarray | None  # (h, w) bool; none when everything counts
    of_object: bool = True
    """The mask tells object from background, not only what the photo shows once its lens is undone."""


def working_map(view: View, longest: int) -> PixelMap:
    """Return the map from the upright photo to the working picture, which is never larger than the photo."""
    return fit_longest(view.photo_size, longest)


def working_image(view: View, longest: int) -> WorkingImage:
    """Load a view's photo, fill its background and shrink it."""
    # The fill comes first: a resize would mix background into the rim, and features would then depend on what
    # stood behind the object.
    filled = filled_photo(view, nearest)
    small = image_to_target(working_map(view, longest), filled)
    mask = working_mask(view, longest)
    if mask is None and view.pixel_map.undistortion is not None:
        # The rim of what the photo shows is an edge of no object, and the black beyond it shows nothing.
        mask = present(view.pixel_map.to_ideal().onto(working_map(view, longest)))
    return WorkingImage(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), mask, view.mask is not None)


def working_mask(view: View, longest: int) -> np.ndarray | None:
    """Return the mask (h, w) on the working picture, or none."""
    return None if view.mask is None else mask_on_grid(view.mask, working_map(view, longest))
