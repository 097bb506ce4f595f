"""From files to views: photos, their EXIF facts, their masks, and the grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from masks.checks import check_masks, erode
from masks.errors import ImageError, MaskError
from masks.files import find_masks, find_masks_beside, list_photos
from masks.image_file import ImageFacts, Picture, open_image, probe_image
from masks.lens import Undistortion, remap_to_ideal
from masks.load import PhotoShape, Polarity, load_masks, mask_from_alpha
from masks.mask import Mask
from masks.notice import Notice, first_few, info, warning
from masks.pixelmap import image_to_target
from pairs.views.digest import digest
from pairs.views.exif_camera import camera_id, exif_focal
from pairs.views.grid import GridOptions, grid_map, with_decided_crop
from pairs.views.photos import load_photo
from pairs.views.view import View, grid_parts


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
    fewest: int = 2,
) -> tuple[tuple[View, ...], tuple[Notice, ...]]:
    """Read photos (a folder, or files) and their masks; at least `fewest`: a scene needs two.

    `masks` is a folder of masks; "auto": those beside the photos or in their alpha channels, if there are
    any; "none": everything in the photos counts.
    Returns the usable views in natural order of file names, or in the order given, and notices about
    everything that was decided or left out. Raises `ImageError` and `MaskError` naming the file at fault.
    """
    options = options or LoadOptions()
    paths = list_photos([Path(p) for p in ([photos] if isinstance(photos, (str, Path)) else photos)])
    if len(paths) < fewest:
        raise ImageError(
            f"{paths[0]}: one photo is not enough. Give at least two photos of the object from different "
            "sides."
        )
    facts = [probe_image(path) for path in paths]
    found = None
    if masks != "none":
        found = _views_with_mask_files(facts, masks, options) or _views_with_alpha(facts, options)
    views, notices = found or _views_without_masks(facts, masks, options)
    if len(views) < fewest:
        raise MaskError(
            f"{views[0].name}: only this view has a usable mask. Paint the object in at least two photos."
        )
    return tuple(views), (*notices, *_photo_notices(views))


# Photos are decoded one at a time: only their grids and the bits of their masks stay in memory.
_Found = tuple[list[View], tuple[Notice, ...]]


def _views_with_mask_files(
    facts: Sequence[ImageFacts], masks_of: Path | str, options: LoadOptions
) -> _Found | None:
    """Return the views by masks of a folder, or beside the photos ("auto"); none where there are none.

    Some photos without a mask are an error: a half-masked set would mix object and background.
    """
    paths = [fact.path for fact in facts]
    notices: list[Notice] = []
    if masks_of != "auto":
        folder = Path(masks_of)
        files, unused = find_masks(paths, folder)
        if unused:
            notices.append(
                warning("masks", f"{first_few([p.name for p in unused])}: masks of no photo, not used.")
            )
    else:
        files = find_masks_beside(paths)
        if not any(files):
            return None
        folder = paths[0].parent
        notices.append(info("masks", "the masks beside the photos are used (`masks=none` to ignore them)."))
    _require_all(paths, files, folder)
    shapes = [PhotoShape(fact.path.name, fact.upright_size, fact.orientation) for fact in facts]
    loaded, remarks = load_masks([file for file in files if file], shapes, options.polarity)
    masks = [erode(mask, options.erode_px) for mask in loaded]
    usable, more = check_masks([path.name for path in paths], masks)
    grid, cut = with_decided_crop(options.grid, [mask for mask, use in zip(masks, usable) if use])
    views = [
        view_of(fact, open_image(fact.path), mask, grid)
        for fact, mask, use in zip(facts, masks, usable)
        if use
    ]
    return views, (*notices, *remarks, *more, *cut)


def _views_with_alpha(facts: Sequence[ImageFacts], options: LoadOptions) -> _Found | None:
    """Return the views by the photos' alpha channels; none where no channel tells anything apart."""
    views: list[View] = []
    masks: list[Mask] = []
    varying = False
    for fact in facts:
        picture = open_image(fact.path) if fact.has_alpha else None
        if picture is None or picture.alpha is None:
            continue
        varying = varying or bool(np.ptp(picture.alpha) > 0)
        masks.append(erode(mask_from_alpha(picture.alpha, fact.orientation), options.erode_px))
        views.append(view_of(fact, picture, masks[-1], options.grid))
    if not varying:
        return None
    if len(views) < len(facts):
        bare = next(fact.path.name for fact in facts if not fact.has_alpha)
        raise MaskError(
            f"{bare}: has no alpha channel while other photos have one. Export all photos alike, or pass "
            "`masks=none`."
        )
    usable, remarks = check_masks([view.name for view in views], masks)
    used = info("masks", "the photos' alpha channels are used as masks (`masks=none` to ignore them).")
    grid, cut = with_decided_crop(options.grid, [mask for mask, use in zip(masks, usable) if use])
    views = [view for view, use in zip(views, usable) if use]
    if cut:
        # Known only now that all masks are: the photos are decoded once more.
        for k, view in enumerate(views):
            views[k] = _on_another_grid(view, grid)
    return views, (used, *remarks, *cut)


def _views_without_masks(facts: Sequence[ImageFacts], masks_of: Path | str, options: LoadOptions) -> _Found:
    views = [view_of(fact, open_image(fact.path), None, options.grid) for fact in facts]
    text = "no masks: everything in the photos counts. An object on a turntable needs them (`masks` DIR)."
    return views, () if masks_of == "none" else (info("masks", text),)


def _require_all(paths: Sequence[Path], files: Sequence[Path | None], folder: Path) -> None:
    missing = [path for path, file in zip(paths, files) if file is None]
    if missing:
        others = f" (and {len(missing) - 1} more photos)" if len(missing) > 1 else ""
        raise MaskError(
            f"{missing[0]}: no mask in {folder}{others}; expected {missing[0].name}.png or "
            f"{missing[0].stem}.png. Add it or remove the photo."
        )


def view_of(fact: ImageFacts, picture: Picture, mask: Mask | None, grid: GridOptions) -> View:
    """Return the view of one decoded photo with its mask, named after its file."""
    pixel_map = grid_map(str(fact.path), fact.size, fact.orientation, mask, grid)
    camera, focal = camera_id(fact), exif_focal(fact)
    content = digest(picture.content, fact.orientation, mask.bits if mask else "whole", camera, focal)
    return View(
        name=fact.path.name,
        # A caller may change the current folder while it works.
        path=fact.path.absolute(),
        image=image_to_target(pixel_map, picture.pixels),
        pixel_map=pixel_map,
        mask=mask,
        grid_key=digest(content, *grid_parts(pixel_map)),
        photo_key=content,
        file_digest=picture.content,
        camera=camera,
        grid=grid,
        focal_exif=focal,
    )


def _on_another_grid(view: View, grid: GridOptions) -> View:
    """Return a view that was loaded on another grid of its photo."""
    old = view.pixel_map
    pixel_map = grid_map(str(view.path), old.source_size, old.orientation, view.mask, grid)
    key = digest(view.photo_key, *grid_parts(pixel_map))
    image = image_to_target(pixel_map.ideal(), load_photo(view))
    return replace(view, image=image, pixel_map=pixel_map, grid_key=key, grid=grid)


def undistorted(view: View, frame: Undistortion) -> View:
    """Return the view on a grid of the ideal picture, chosen as its own was: its lens became known after it
    was
    loaded. Intrinsics that were stated are those of the ideal picture from now on.
    """
    if view.grid is None or view.pixel_map.undistortion is not None:
        raise ValueError(f"{view.name}: is no view of a photo as its file shows it")
    old = view.pixel_map
    mask = view.mask
    if mask is not None:
        mask = Mask(remap_to_ideal(frame, mask.pixels), mask.source)
    pixel_map = grid_map(str(view.path), old.source_size, old.orientation, mask, view.grid, frame)
    key = digest(view.photo_key, json.dumps(asdict(frame)))
    placed = replace(
        view, pixel_map=pixel_map, mask=mask, photo_key=key, grid_key=digest(key, *grid_parts(pixel_map))
    )
    image = image_to_target(pixel_map.ideal(), load_photo(placed))
    return replace(placed, image=image, K=None if view.K is None else frame.K_ideal)


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
