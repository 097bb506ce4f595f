"""From files to views: photos, their EXIF facts, their masks, and the grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from masks.checks import check_masks, erode
from masks.errors import ImageError, MaskError
from masks.files import find_masks, find_masks_beside, list_photos
from masks.image_file import ImageFacts, open_image, probe_image
from masks.load import PhotoShape, Polarity, load_masks, mask_from_alpha
from masks.mask import Mask
from masks.notice import Notice, first_few, info, warning
from masks.pixelmap import image_to_target
from pairs.views.digest import digest
from pairs.views.grid import GridOptions, grid_map
from pairs.views.view import View

_FILM_DIAGONAL_MM = 43.27
"""Diagonal of a 36 x 24 mm film frame: the '35 mm equivalent' focal is stated for it."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How photos and masks are read."""

    polarity: Polarity = Polarity.AUTO
    """Which side of the mask files is the object."""
    erode_px: int = 0
    """Photo pixels taken off the rim of every mask."""
    grid: GridOptions = field(default_factory=GridOptions)


def load_views(
    photos: Sequence[Path | str] | Path | str,
    masks: Path | str = "auto",
    options: LoadOptions | None = None,
) -> tuple[tuple[View, ...], tuple[Notice, ...]]:
    """Read photos (a folder, or files) and their masks.

    `masks` is a folder of masks; "auto": those beside the photos or in their alpha channels, if there are
    any; "none": everything in the photos counts.
    Returns the usable views in natural order of file names, or in the order given, and notices about
    everything that was decided or left out. Raises `ImageError` and `MaskError` naming the file at fault.
    """
    options = options or LoadOptions()
    paths = list_photos([Path(p) for p in ([photos] if isinstance(photos, (str, Path)) else photos)])
    if len(paths) == 1:
        raise ImageError(
            f"{paths[0]}: one photo is not enough. Give at least two photos of the object from different "
            "sides."
        )
    facts = [probe_image(path) for path in paths]
    found, notices = _masks_of(facts, masks, options)
    usable = [True] * len(paths)
    if any(mask is not None for mask in found):
        checked = [erode(mask, options.erode_px) for mask in found if mask is not None]
        usable, remarks = check_masks([path.name for path in paths], checked)
        found, notices = checked, (*notices, *remarks)
    # Photos are decoded one at a time: only their grids stay in memory.
    views = [_view(fact, mask, options.grid) for fact, mask, use in zip(facts, found, usable) if use]
    if len(views) < 2:
        raise MaskError(
            f"{views[0].name}: only this view has a usable mask. Paint the object in at least two photos."
        )
    return tuple(views), (*notices, *_photo_notices(views))


def _masks_of(
    facts: Sequence[ImageFacts], masks: Path | str, options: LoadOptions
) -> tuple[Sequence[Mask | None], tuple[Notice, ...]]:
    paths = [fact.path for fact in facts]
    shapes = [PhotoShape(fact.path.name, fact.upright_size, fact.orientation) for fact in facts]
    if masks == "none":
        return [None] * len(paths), ()
    if masks != "auto":
        files, unused = find_masks(paths, Path(masks))
        _require_all(paths, files, Path(masks))
        loaded, notices = load_masks([f for f in files if f], shapes, options.polarity)
        return loaded, (*notices, *_unused(unused))
    beside = find_masks_beside(paths)
    if any(beside):
        _require_all(paths, beside, paths[0].parent)
        loaded, notices = load_masks([f for f in beside if f], shapes, options.polarity)
        return loaded, (
            info("masks", "the masks beside the photos are used (--masks none to ignore them)."),
            *notices,
        )
    return _alpha_masks(facts)


def _unused(masks: Sequence[Path]) -> list[Notice]:
    return (
        [warning("masks", f"{first_few([p.name for p in masks])}: masks of no photo, not used.")]
        if masks
        else []
    )


def _alpha_masks(facts: Sequence[ImageFacts]) -> tuple[Sequence[Mask | None], tuple[Notice, ...]]:
    alphas = [open_image(fact.path).alpha if fact.has_alpha else None for fact in facts]
    if not any(alpha is not None and np.ptp(alpha) > 0 for alpha in alphas):
        return [None] * len(facts), (
            info(
                "masks",
                (
                    "no masks: everything in the photos counts. An object on a turntable needs them (--masks "
                    "DIR)."
                ),
            ),
        )
    masks = [
        mask_from_alpha(alpha, fact.orientation) for alpha, fact in zip(alphas, facts) if alpha is not None
    ]
    if len(masks) < len(facts):
        bare = next(fact.path.name for fact, alpha in zip(facts, alphas) if alpha is None)
        raise MaskError(
            f"{bare}: has no alpha channel while other photos have one. Export all photos alike, or pass "
            "--masks none."
        )
    return masks, (
        info("masks", "the photos' alpha channels are used as masks (--masks none to ignore them)."),
    )


def _require_all(paths: Sequence[Path], files: Sequence[Path | None], folder: Path) -> None:
    missing = [path for path, file in zip(paths, files) if file is None]
    if missing:
        others = f" (and {len(missing) - 1} more photos)" if len(missing) > 1 else ""
        raise MaskError(
            f"{missing[0]}: no mask in {folder}{others}; expected {missing[0].name}.png or "
            f"{missing[0].stem}.png. Add it or remove the photo."
        )


def _view(fact: ImageFacts, mask: Mask | None, grid: GridOptions) -> View:
    picture = open_image(fact.path)
    pixel_map = grid_map(str(fact.path), fact.size, fact.orientation, mask, grid)
    camera, focal = _camera_id(fact), _exif_focal(fact)
    content = digest(
        picture.content, fact.orientation, np.packbits(mask.pixels) if mask else "whole", camera, focal
    )
    return View(
        name=fact.path.name,
        path=fact.path,
        image=image_to_target(pixel_map, picture.pixels),
        pixel_map=pixel_map,
        mask=mask,
        grid_key=digest(content, pixel_map.matrix, list(pixel_map.target_size)),
        photo_key=content,
        file_digest=picture.content,
        camera=camera,
        focal_exif=focal,
    )


def _camera_id(fact: ImageFacts) -> str:
    """Name the physical camera: what EXIF says of body, lens and zoom, and the size of the stored picture."""
    # The focal length is part of the name: a zoom lens is another camera at every setting.
    named = [str(fact.exif[k]) for k in ("Make", "Model", "LensModel", "FocalLength") if k in fact.exif]
    return " ".join([*named, f"{fact.size[0]}x{fact.size[1]}"])


def _exif_focal(fact: ImageFacts) -> float | None:
    # The equivalent is defined by the diagonal of the frame, whatever the proportions of the sensor. Pixels
    # of the stored file: a crop afterwards makes it wrong, so it is a first guess only.
    equivalent = fact.exif.get("FocalLengthIn35mmFilm")
    return equivalent / _FILM_DIAGONAL_MM * math.hypot(*fact.size) if isinstance(equivalent, float) else None


def _photo_notices(views: Sequence[View]) -> list[Notice]:
    notices = []
    sizes = sorted({view.photo_size for view in views})
    if len(sizes) > 1:
        listed = ", ".join(f"{w}x{h}" for w, h in sizes[:4])
        notices.append(
            info(
                "photos",
                (
                    f"{len(sizes)} sizes of photos ({listed}{', ...' if len(sizes) > 4 else ''}): each size "
                    "counts as a camera of its own."
                ),
            )
        )
    first_of: dict[str, str] = {}
    for view in views:
        twin = first_of.setdefault(view.grid_key, view.name)
        if twin != view.name:
            notices.append(
                warning(view.name, f"is the same photo as {twin}: it adds nothing. Remove one of them.")
            )
    return notices
