"""Picture files: which a folder holds, in which order, and which of them are masks of the others.

Conventions for a photo `a.jpg`: `a.jpg.png` (COLMAP), `a.jpg.mask.png` (RealityScan), `a.mask.png` (OpenMVS),
`a_mask.png` (openMVG, 3dgrut), and, in a folder of their own (RealityScan's is called `.mask`), the same name
or the same stem.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from masks.errors import ImageError, MaskError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".heic", ".heif")
MASK_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts img2 before img10; equal numbers are ordered by their text."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part.lower())
        for part in re.split(r"(\d+)", name)
        if part
    )


def list_photos(inputs: Sequence[Path]) -> tuple[Path, ...]:
    """Return the photos that were asked for: the files as given, or the pictures of a folder in natural order
    without its masks.

    Raises `ImageError` for a path that does not exist, a folder without pictures, and two photos with one
    name.
    """
    if not inputs:
        raise ImageError("no photos given. Name a folder of photos, or the photo files.")
    photos: list[Path] = []
    for path in inputs:
        if path.is_dir():
            photos += _photos_of(path)
        elif path.is_file():
            photos.append(path)
        else:
            raise ImageError(
                f"{path}: no such file or folder. Give a folder of photos or a list of photo files."
            )
    by_name: dict[str, Path] = {}
    for path in photos:
        first = by_name.setdefault(path.name, path)
        if first != path:
            raise ImageError(
                f"{path}: another photo is called {path.name} too ({first}). Views are told apart by file "
                "name: rename one of them."
            )
    return tuple(by_name.values())


def _photos_of(folder: Path) -> list[Path]:
    pictures = sorted(
        (p for p in folder.iterdir() if p.is_file() and is_picture(p)), key=lambda p: natural_key(p.name)
    )
    names = {p.name.lower() for p in pictures}
    photos = [p for p in pictures if not _is_mask_of_another(p, names)]
    by_stem: dict[str, Path] = {}
    for path in photos:
        # `a.jpg` beside `a.png` may be a photo and its mask, or one photo twice. A wrong guess would ruin the
        # scene silently.
        twin = by_stem.setdefault(path.stem.lower(), path)
        if twin != path:
            raise ImageError(
                f"{path}: beside it lies {twin.name}. If one of them is a mask, move the masks to a folder "
                "of their own and pass it with `masks`; "
                "if both are the same photo, remove one."
            )
    if not photos:
        inner = [
            d.name for d in sorted(folder.iterdir()) if d.is_dir() and any(is_picture(p) for p in d.iterdir())
        ]
        hint = (
            f" Its folder {inner[0]} has some: did you mean {folder / inner[0]}?"
            if inner
            else f" Known endings: {', '.join(PICTURE_SUFFIXES)}."
        )
        raise ImageError(f"{folder}: no photos in this folder.{hint}")
    return photos


def is_picture(path: Path) -> bool:
    """Tell whether a file name ends like a picture's; hidden files are none."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def _is_mask_of_another(path: Path, names: set[str]) -> bool:
    stem = path.stem.lower()
    if stem in names or stem.endswith(".mask"):
        return True
    owner = stem.removesuffix("_mask")
    return owner != stem and any(owner + suffix in names for suffix in PICTURE_SUFFIXES)


def mask_names(photo_name: str) -> tuple[str, ...]:
    """Return the lower-case stems (without the last ending) that a mask of this photo may have beside it,
    best first.
    """
    name, stem = photo_name.lower(), Path(photo_name).stem.lower()
    return (name, f"{name}.mask", f"{stem}.mask", f"{stem}_mask")


def find_masks(photos: Sequence[Path], folder: Path) -> tuple[tuple[Path | None, ...], tuple[Path, ...]]:
    """Return for each photo its mask file in `folder` (or none), and the files there that belong to no photo.

    Raises `MaskError` when the folder is missing or no file in it belongs to any photo.
    """
    if not folder.is_dir():
        raise MaskError(f"{folder}: no such folder of masks. Give the folder that holds them with `masks`.")
    by_stem = _masks_in(folder, photos)
    found = tuple(_first(by_stem, (*mask_names(p.name), p.stem.lower())) for p in photos)
    if not any(found):
        seen = f"it holds {(by_stem and next(iter(by_stem.values())).name) or 'no pictures'}"
        expected = f"{photos[0].name}.png, {photos[0].stem}.png or {photos[0].stem}_mask.png"
        raise MaskError(
            f"{folder}: no file here is the mask of a photo ({seen}; for {photos[0].name} it should hold "
            f"{expected}). Rename the masks."
        )
    used = {p for p in found if p}
    return found, tuple(p for p in by_stem.values() if p not in used)


def find_masks_beside(photos: Sequence[Path]) -> tuple[Path | None, ...]:
    """Return the masks that lie beside the photos or in a folder `.mask` there; all none when there are no
    such files.
    """
    folders = dict.fromkeys(photo.parent for photo in photos)
    beside = {folder: _masks_in(folder, photos) for folder in folders}
    hidden = {folder: _masks_in(folder / ".mask", photos) for folder in folders}
    return tuple(
        # The bare stem counts in a folder of masks only: beside the photos it would be another photo.
        _first(beside[photo.parent], mask_names(photo.name))
        or _first(hidden[photo.parent], (*mask_names(photo.name), photo.stem.lower()))
        for photo in photos
    )


def _masks_in(folder: Path, photos: Sequence[Path]) -> dict[str, Path]:
    """Return what may be a mask in a folder by lower-case stem, the first of equals in natural order; empty
    where there is no such folder.
    """
    if not folder.is_dir():
        return {}
    # A photo is not its own mask, even where photos and masks share a folder.
    taken = {photo.resolve() for photo in photos}
    files = [
        p
        for p in folder.iterdir()
        if p.is_file() and p.suffix.lower() in MASK_SUFFIXES and p.resolve() not in taken
    ]
    # Written in reverse order, so that of equal stems the first in natural order is the one that stays.
    return {p.stem.lower(): p for p in sorted(files, key=lambda p: natural_key(p.name), reverse=True)}


def _first(by_stem: dict[str, Path], stems: Sequence[str]) -> Path | None:
    return next((by_stem[stem] for stem in stems if stem in by_stem), None)
