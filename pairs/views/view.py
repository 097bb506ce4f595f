"""One photo, ready for a backend."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from masks.mask import Mask, mask_on_grid
from masks.pixelmap import PixelMap, intrinsics_to_target, present
from pairs.views.grid import GridOptions


@dataclass(frozen=True, slots=True)
class View:
    """A photo with its mask and all that is known about its camera.

    "The photo" is always the upright picture that viewers show, undistorted where its lens is known (the
    ideal picture of the pixel map); `pixel_map` starts at the stored file and carries turn and lens as well.
    """

    name: str
    """File name; unique within a scene."""
    path: Path | None
    """Where the photo lies; none for predictions made elsewhere."""
    image: np.ndarray  # (H, W, 3) uint8, on the grid, background as photographed
    pixel_map: PixelMap
    """Grid pixels from file pixels."""
    mask: Mask | None
    """Object of the photo; none when everything counts."""
    grid_key: str
    """Digest of everything that can change a result: the content, and the pixel map to the grid."""
    photo_key: str = ""
    """Digest of what does not depend on the grid: photo bytes, turn, mask pixels, what is known of the
    camera."""
    file_digest: str = ""
    """Digest of the photo file's bytes when it was loaded; empty for views that are not from files."""
    camera: str = ""
    """Id of the physical camera: views with the same id share intrinsics."""
    camera_stated: bool = False
    """The user says which views share it; otherwise EXIF or their size does, which may be wrong."""
    K: np.ndarray | None = None  # (3, 3), pixels of the photo
    """Intrinsics that the user stated, if any."""
    cam_from_world: np.ndarray | None = None  # (4, 4)
    """Pose that the user stated, if any."""
    grid: GridOptions | None = None
    """How its grid was chosen; none where it is not that of a photo that was loaded."""
    focal_exif: float | None = None
    """Focal in pixels of the photo that EXIF suggests, if any."""
    white: float | None = None
    """What white is in the photo's file and all of its set, where it has more than 8 bits."""

    def __post_init__(self) -> None:
        w, h = self.pixel_map.target_size
        if self.image.shape != (h, w, 3) or self.image.dtype != np.uint8:
            raise ValueError(
                f"{self.name}: image must be uint8 ({h}, {w}, 3), not {self.image.dtype} {self.image.shape}"
            )

    @property
    def photo_size(self) -> tuple[int, int]:
        """(width, height) of the photo."""
        return self.pixel_map.ideal_size

    @property
    def grid_from_photo(self) -> PixelMap:
        """Grid pixels from pixels of the photo."""
        return self.pixel_map.ideal()


def grid_parts(pixel_map: PixelMap) -> list[object]:
    """Return what of a pixel map enters the digest of a view on its grid."""
    lens = pixel_map.undistortion
    stated = [] if lens is None else [json.dumps(asdict(lens))]
    return [pixel_map.matrix, list(pixel_map.target_size), *stated]


def grid_mask(view: View) -> np.ndarray:
    """Return the view's mask (H, W) on its grid; all true without a mask, false on padding."""
    if view.mask is not None:
        return mask_on_grid(view.mask, view.grid_from_photo)
    # Padding shows nothing of the photo: no match may lie there, mask or none.
    return present(view.pixel_map)


def grid_K(view: View) -> np.ndarray | None:
    """Return the intrinsics (3, 3) that the user stated, in pixels of the view's grid; none when nothing was
    stated.
    """
    return intrinsics_to_target(view.grid_from_photo, view.K) if view.K is not None else None
