"""Photos and masks of a scene, written for programs that obey no EXIF turn (docs/exports.md, "Pictures").

Written photos are upright and say nothing of a turn: loaders differ in whether they obey it. A photo whose
pixels need no change is copied byte for byte.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from align.export.originals import Originals
from align.export.pictures import ideal_picture, upright_photo
from align.scene import Scene
from masks.disk.whole_file import require_folder, write_whole
from masks.errors import ImageError, OutputError
from masks.image_file import probe_image

_JPEG_QUALITY = 95
_COPIED = (".jpg", ".jpeg", ".png")
"""Endings of files that every loader opens."""
_LOSSLESS = (".png", ".tif", ".tiff", ".bmp")


def picture_names(scene: Scene) -> tuple[str, ...]:
    """Return what the written photos are called: as they were, with an ending that every loader knows."""
    names = []
    for view in scene.views:
        ending = Path(view.name).suffix.lower()
        known = "" if ending in _COPIED else ".png" if ending in _LOSSLESS else ".jpg"
        names.append(view.name + known)
        if any("\ud800" <= character <= "\udfff" for character in view.name):
            raise OutputError(f"{view.name!r}: is no text, which other programs need. Rename the photo.")
    return tuple(names)


def write_photos(scene: Scene, originals: Originals, folder: Path, undistorted: bool) -> None:
    """Write the photos, or the ideal pictures, of all views."""
    require_folder(folder)
    for view, name in zip(scene.views, picture_names(scene)):
        path = originals.photos[view.name]
        fact = probe_image(path)
        as_it_is = fact.orientation == 1 and not (undistorted and view.pixel_map.undistortion)
        if as_it_is and name == view.name and not fact.has_alpha:
            _copy(path, folder / name)
        else:
            shown = ideal_picture if undistorted else upright_photo
            write_picture(folder / name, shown(view, originals))


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write a picture (H, W) bool, (H, W, 3) or (H, W, 4) uint8 as its name ends: PNG, or JPEG of quality 95.

    True is white.
    """
    levels = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    buffer = io.BytesIO()
    if path.suffix.lower() == ".png":
        # The fastest half of the compression costs a tenth in size and saves most of the time.
        Image.fromarray(levels).save(buffer, "PNG", compress_level=3)
    else:
        Image.fromarray(levels).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    write_whole(path, buffer.getvalue())


def require_photos(scene: Scene, originals: Originals, format_name: str) -> None:
    """Raise `ImageError` where a format needs the photos and nobody said where they are."""
    if len(originals.photos) < len(scene.views):
        raise ImageError(
            f"{format_name} needs the photos that the scene was made of. Give their folder with `photos`."
        )


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be written ({error.strerror}). Choose another place for the results."
        ) from error
