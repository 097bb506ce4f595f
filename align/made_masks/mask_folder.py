"""A folder of made masks: files that other programs take, and pictures to look at before they are believed.

    DIR/a.jpg.png                 the mask of a.jpg at the photo's size: 255 = object
    DIR/masks.json                the road, its reason, and the figures of every mask
    DIR/check/contact_sheet.png   all photos with the masks' outlines
    DIR/check/a.jpg               a doubtful mask's outline on its photo

The pictures lie in a folder of their own, so that a reader of masks finds masks alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from align.show.image_file import write_image
from align.show.sheets import SheetView, mask_sheet, masked_photo
from masks.disk.whole_file import write_whole
from masks.errors import OutputError
from masks.files import masks_there
from masks.image_file import open_levels
from masks.making.check import doubtful
from masks.making.made import MadeMasks
from masks.mask import mask_on_grid
from masks.notice import first_few
from masks.pixelmap import fit_longest


def mask_file(folder: Path, photo: str) -> Path:
    """Return where the mask of a photo lies, in COLMAP's naming."""
    return folder / f"{photo}.png"


def require_no_masks(folder: Path, photos: Sequence[Path]) -> None:
    """Raise `OutputError` where masks of these photos are there already, by whatever name a mask may have:
    people correct them by hand.
    """
    found, _ = masks_there(photos, folder)
    there = [path.name for paths in found for path in paths]
    if there:
        raise OutputError(
            f"{folder}: {first_few(there)} there already, maybe corrected by hand. Choose another folder, or "
            "replace them with `force`."
        )


def require_same_masks(folder: Path, photos: Sequence[Path], made: MadeMasks) -> None:
    """Raise `OutputError` where other masks of the photos than the made ones are there: people correct them
    by hand.
    """
    found, _ = masks_there(photos, folder)
    for paths, mask in zip(found, made.masks):
        for path in paths:
            if not np.array_equal(open_levels(path) > 127, mask.pixels):
                raise OutputError(
                    f"{path}: is another mask than the one that was made, maybe corrected by hand. Give the "
                    f"folder by `masks={folder}`, or remove it."
                )


def write_mask_folder(folder: Path, made: MadeMasks) -> None:
    """Write masks, figures and pictures. Raises `OutputError` when the folder cannot be written."""
    names = [own.name for own in made.figures]
    views = []
    for name, mask, photo in zip(names, made.masks, made.pictures):
        write_image(mask_file(folder, name), mask.pixels.astype(np.uint8) * 255)
        small = mask_on_grid(mask, fit_longest((mask.shape[1], mask.shape[0]), max(photo.shape)))
        views.append(SheetView(name, photo, small))
    write_image(folder / "check" / "contact_sheet.png", mask_sheet(views, f"Made masks: {_road(made)}"))
    odd = {own.name for own in doubtful(made.figures)}
    for view in views:
        if view.name in odd and view.mask is not None:
            path = (folder / "check" / view.name).with_suffix(".jpg")
            write_image(path, masked_photo(view.photo, view.mask))
    write_whole(folder / "masks.json", (json.dumps(document(made), indent=1) + "\n").encode())


def document(made: MadeMasks) -> dict[str, object]:
    """Return what `masks.json` holds."""
    views = [
        asdict(own) | {"mask": mask_file(Path(), own.name).name, "doubts": own.doubts} for own in made.figures
    ]
    notices = [{"level": n.level.value, "subject": n.subject, "text": n.text} for n in made.notices]
    return {"road": _road(made), "reason": made.choice.reason, "views": views, "notices": notices}


def _road(made: MadeMasks) -> str:
    return "none" if made.choice.road is None else made.choice.road.value
