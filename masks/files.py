"""Picture files: which a folder holds, in which order, and which of them are masks of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from masks.errors import ImageError, MaskError
from masks.folders.contents import (
    PICTURE_SUFFIXES,
    Contents,
    contents_notices,
    contents_of,
    is_picture,
    natural_key,
)
from masks.given.twins import mask_names, stem_of, twins_of
from masks.notice import Notice

MASK_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")


@dataclass(frozen=True, slots=True)
class GivenPhotos:
    """The photos that were asked for, and what lies beside them."""

    photos: tuple[Path, ...]
    """The files as given, or those of a folder in natural order without its masks."""
    unread: tuple[Path, ...]
    """Pictures in the folders that cannot be read, of which there is no photo."""
    notices: tuple[Notice, ...]
    """What lies in the folders and is not used."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all pictures that were given, those that cannot be read last."""
        return tuple(path.name for path in (*self.photos, *self.unread))


def list_photos(inputs: Sequence[Path]) -> tuple[Path, ...]:
    """Return the photos that were asked for; see `given_photos`."""
    return given_photos(inputs).photos


def given_photos(inputs: Sequence[Path], known: Iterable[Path] = ()) -> GivenPhotos:
    """Return the photos that were asked for, and what else lies in folders that were given; folders that are
    `known` are used otherwise.

    Raises `ImageError` for a path that does not exist, a folder without pictures, and two photos with one
    name.
    """
    if not inputs:
        raise ImageError("no photos given. Name a folder of photos, or the photo files.")
    photos: list[Path] = []
    unread: list[Path] = []
    notices: list[Notice] = []
    for path in inputs:
        if path.is_dir():
            contents = contents_of(path)
            _require_photos(path, contents)
            photos += contents.photos
            unread += contents.unread
            notices += contents_notices(contents, (*known, *inputs))
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
    return GivenPhotos(
        tuple(by_name.values()), tuple(p for p in unread if p.name not in by_name), tuple(notices)
    )


def _require_photos(folder: Path, contents: Contents) -> None:
    by_stem: dict[str, Path] = {}
    for path in contents.photos:
        # `a.jpg` beside `a.png` may be a photo and its mask, or one photo twice. A wrong guess would ruin the
        # scene silently.
        twin = by_stem.setdefault(stem_of(path.name), path)
        if twin != path:
            raise ImageError(
                f"{path}: beside it lies {twin.name}. If one of them is a mask, move the masks to a folder "
                "of their own and pass it with `masks`; "
                "if both are the same photo, remove one."
            )
    if contents.photos:
        return
    hint = f" Known endings: {', '.join(PICTURE_SUFFIXES)}."
    if contents.folders:
        inner = contents.folders[0][0]
        hint = f" Its folder {inner.name} has some: did you mean {inner}?"
    elif contents.passed_over:
        path, _, called = contents.passed_over[0]
        hint = f" It holds {path.name}, {called}, which is not read. Export photos as JPEG, PNG or TIFF."
    raise ImageError(f"{folder}: no photos in this folder.{hint}")


Candidates = tuple[tuple[Path, ...], ...]
"""For each photo the files that may be its mask by their names, best first."""


def find_masks(photos: Sequence[Path], folder: Path) -> tuple[Candidates, tuple[Path, ...]]:
    """Return for each photo the files in `folder` that may be its mask (or none), and the files there that
    belong to no photo.

    Raises `MaskError` when the folder is missing or no file in it belongs to any photo.
    """
    if not folder.is_dir():
        raise MaskError(f"{folder}: no such folder of masks. Give the folder that holds them with `masks`.")
    found, unused = masks_there(photos, folder)
    if not any(found):
        seen = f"it holds {unused[0].name if unused else 'no pictures'}"
        expected = f"{photos[0].name}.png, {photos[0].stem}.png or {photos[0].stem}_mask.png"
        raise MaskError(
            f"{folder}: no file here is the mask of a photo ({seen}; for {photos[0].name} it should hold "
            f"{expected}). Rename the masks."
        )
    return found, unused


def masks_there(photos: Sequence[Path], folder: Path) -> tuple[Candidates, tuple[Path, ...]]:
    """Return the same of a folder that may hold none, or be missing."""
    by_stem = _masks_in(folder, photos)
    found = [_all(by_stem, (*mask_names(p.name), stem_of(p.name))) for p in photos]
    used = {p for paths in found for p in paths}
    rest = {stem: [p for p in paths if p not in used] for stem, paths in by_stem.items()}
    rest = {stem: paths for stem, paths in rest.items() if paths}
    # Where all photos have masks already, only what calls itself a mask may be another one.
    twins = twins_of([p.name for p in photos], rest if all(found) else by_stem, all(found))
    if twins is not None:
        found = [tuple(dict.fromkeys((*own, *twins[p.name]))) for own, p in zip(found, photos)]
    used = {p for paths in found for p in paths}
    return tuple(found), tuple(p for paths in by_stem.values() for p in paths if p not in used)


def find_masks_beside(photos: Sequence[Path]) -> Candidates:
    """Return the masks that lie beside the photos or in a folder `.mask` there; all none when there are no
    such files.
    """
    folders = dict.fromkeys(photo.parent for photo in photos)
    beside = {folder: _masks_in(folder, photos) for folder in folders}
    hidden = {folder: _masks_in(folder / ".mask", photos) for folder in folders}
    found = tuple(
        # The bare stem counts in a folder of masks only: beside the photos it would be another photo.
        _all(beside[photo.parent], mask_names(photo.name))
        or _all(hidden[photo.parent], (*mask_names(photo.name), stem_of(photo.name)))
        for photo in photos
    )
    if any(found):
        return found
    for folder in folders:
        own = [photo.name for photo in photos if photo.parent == folder]
        twins = twins_of(own, beside[folder], True)
        if twins is None:
            return found
        found = tuple(
            tuple(twins[photo.name]) if photo.parent == folder else paths
            for photo, paths in zip(photos, found)
        )
    return found


def _masks_in(folder: Path, photos: Sequence[Path]) -> dict[str, list[Path]]:
    """Return what may be a mask in a folder by its stem, in natural order; empty where there is no such
    folder.
    """
    if not folder.is_dir():
        return {}
    # A photo is not its own mask, even where photos and masks share a folder.
    taken = {photo.resolve() for photo in photos}
    by_stem: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda p: natural_key(p.name)):
        if not path.is_file() or path.resolve() in taken:
            continue
        if path.suffix.lower() in MASK_SUFFIXES or is_picture(path):
            by_stem.setdefault(stem_of(path.name), []).append(path)
    return by_stem


def _all(by_stem: dict[str, list[Path]], stems: Sequence[str]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(path for stem in stems for path in by_stem.get(stem, ())))
