"""What lies in a folder of photos: photos, their masks, and what is not used, with reasons."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from masks.folders.first_bytes import Content, content_of
from masks.folders.pages import pages_of
from masks.given.twins import mask_names, plain_name, said_to_be_masks, stem_of, twins_of
from masks.notice import Notice, first_few, info, left_out, warning

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".heic", ".heif")
_LITTER = ("thumbs.db", "desktop.ini")
"""Files that systems leave behind in every folder; hidden ones besides."""
_CURES = {
    Content.ANIMATION: "not read as a photo. Save its frames as PNG or JPEG",
    Content.FILM: "not read. Save its frames as photos (`ffmpeg -i FILM -r 2 %04d.jpg`)",
    Content.RAW: "not read. Develop it to JPEG or TIFF",
    Content.FOREIGN: "not read. Export it as JPEG, PNG or TIFF",
    Content.NO_FILE: "not read. Copy the photo itself to its place",
}
_NAMED = 60
"""Files that were lost by name; what a user looks for is hardly behind them."""
_DEEPEST, _MOST_FILES = 3, 5000
"""Folders below a folder of photos that are looked into for pictures, and files there: somebody may give the
folder that holds all."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a folder, each in natural order."""

    photos: tuple[Path, ...]
    masks: tuple[Path, ...]
    """Pictures that are masks of the photos, by their names."""
    passed_over: tuple[tuple[Path, Content, str], ...]
    """Pictures and films that cannot be read, what they are, and what that is called."""
    folders: tuple[tuple[Path, int], ...]
    """Folders that hold pictures, they or their own folders, and how many; neither hidden ones nor scenes."""
    pages: tuple[tuple[Path, int], ...]
    """Photos whose file holds more pages of their size, and how many."""
    others: tuple[Path, ...]
    """Files that are no pictures."""

    @property
    def unread(self) -> tuple[Path, ...]:
        """Pictures of which there is no photo: neither a raw file beside its JPEG nor a film is one."""
        stems = {stem_of(photo.name) for photo in self.photos}
        return tuple(
            path
            for path, content, _ in self.passed_over
            if content is not Content.FILM and stem_of(path.name) not in stems
        )


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts img2 before img10; equal numbers are ordered by their text."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part.lower())
        for part in re.split(r"(\d+)", name)
        if part
    )


def is_picture(path: Path) -> bool:
    """Tell whether a file is a picture that can be read: its ending says so, or its first bytes where the
    ending is none of a picture's; hidden files are none.
    """
    if path.name.startswith("."):
        return False
    known = path.suffix.lower() in PICTURE_SUFFIXES
    # A file of no bytes, or of others', is named when it is opened: its name promises a picture.
    return known or content_of(path)[0] is Content.PICTURE


def contents_of(folder: Path) -> Contents:
    """Return what lies in a folder."""
    entries = sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    seen = [path for path in entries if not path.name.startswith(".")]
    pictures, passed, others = [], [], []
    for path in seen:
        if not path.is_file():
            if path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir():
                called = "a link that leads nowhere" if path.is_symlink() else "no regular file"
                passed.append((path, Content.NO_FILE, called))
            continue
        content, called = content_of(path)
        promised = path.suffix.lower() in PICTURE_SUFFIXES
        # Of another format under the name of a photo: it is damaged or mistaken, and named when it is opened.
        if content in _CURES and not (promised and content is Content.FOREIGN):
            passed.append((path, content, called))
        elif content is Content.PICTURE or promised:
            pictures.append(path)
        elif path.name.lower() not in _LITTER:
            others.append(path)
    photos, masks = _split(pictures)
    owned = {name for photo in photos for name in mask_names(photo.name)}
    # A mask may be a GIF.
    drawn = {path for path, _, called in passed if called == "a GIF" and stem_of(path.name) in owned}
    inner = [(path, _pictures_within(path)) for path in seen if path.is_dir()]
    pages = [(path, pages_of(path)) for path in photos]
    return Contents(
        tuple(photos),
        (*masks, *sorted(drawn)),
        tuple(entry for entry in passed if entry[0] not in drawn),
        tuple((path, count) for path, count in inner if count),
        tuple((path, count) for path, count in pages if count > 1),
        tuple(others),
    )


def contents_notices(contents: Contents, known: Iterable[Path]) -> tuple[Notice, ...]:
    """Return what is said of files and folders that are not used; folders that are `known` are."""
    notices = []
    reasons: dict[str, list[str]] = {}
    stems = {stem_of(photo.name) for photo in contents.photos}
    for path, content, called in contents.passed_over:
        beside = content is not Content.FILM and stem_of(path.name) in stems
        cure = "beside a photo of its name, which is taken" if beside else _CURES[content]
        reason = f"{called}, {cure}"
        reasons.setdefault(reason, []).append(path.name)
    notices += [
        left_out("photos", f"{first_few(names, most=_NAMED)}: {reason}.") for reason, names in reasons.items()
    ]
    if contents.pages:
        names = [f"{path.name} ({count})" for path, count in contents.pages]
        text = (
            f"{first_few(names, most=_NAMED)}: several pages in one file, of which the first is the photo. "
            "Save each page as a file of its own."
        )
        notices.append(left_out("photos", text))
    taken = {path.resolve() for path in known}
    inner = [
        f"{path.name} ({count} picture{'s' * (count > 1)})"
        for path, count in contents.folders
        if path.resolve() not in taken
    ]
    if inner:
        text = (
            f"{first_few(inner)}: not looked into. Give photos of several folders one by one, and a folder "
            "of masks with `masks`."
        )
        notices.append(warning("photos", text))
    if contents.others:
        names = first_few([path.name for path in contents.others], most=_NAMED)
        notices.append(info("photos", f"beside the photos lie files that are no pictures: {names}."))
    return tuple(notices)


def _pictures_within(folder: Path) -> int:
    """Return how many pictures lie in a folder and in its folders; scenes that were written hold none."""
    count = files = 0
    for at, folders, names in os.walk(folder):
        depth = len(Path(at).relative_to(folder).parts)
        scene = "scene.json" in names
        folders[:] = [] if scene or depth >= _DEEPEST else [f for f in folders if not f.startswith(".")]
        # Where there are many, how many is no matter: an answer within a second is.
        if files > _MOST_FILES:
            break
        files += len(names)
        count += 0 if scene else sum(is_picture(Path(at, name)) for name in names)
    return count


def _split(pictures: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the photos and the masks of them among the pictures of a folder."""
    names = {plain_name(path.name) for path in pictures}
    masks = [path for path in pictures if _is_mask_of_another(path, names)]
    photos = [path for path in pictures if path not in masks]
    said = {stem_of(path.name): [path] for path in photos if said_to_be_masks(path.name)}
    others = [path for path in photos if stem_of(path.name) not in said]
    twins = twins_of([path.name for path in others], said, True) if others and said else None
    if twins is not None and len(others) == len(said):
        return others, [*masks, *(path for paths in twins.values() for path in paths)]
    return photos, masks


def _is_mask_of_another(path: Path, names: set[str]) -> bool:
    stem = stem_of(path.name)
    # A name without an ending is its own stem.
    if (stem in names and stem != plain_name(path.name)) or stem.endswith(".mask"):
        return True
    owner = stem.removesuffix("_mask")
    return owner != stem and any(owner + suffix in names for suffix in PICTURE_SUFFIXES)
