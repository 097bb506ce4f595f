"""Which photos share a camera, and so a focal (docs/camera_groups.md).

Two zooms taken for one camera bend the scene by tenths of its size while every view is placed; one camera
taken for many costs accuracy only. EXIF tells them apart where it speaks; where it is silent the user can.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from masks.errors import FormatError, UserError
from masks.image_file import ImageFacts
from masks.notice import first_few
from masks.reading import reading, shown
from pairs.views.exif_camera import camera_id

CAMERA_CHOICES = ("exif", "one", "folder", "each")
"""What tells cameras apart, by name; a file with lines `name group` besides."""
_SAME_ZOOM = 0.01
"""Lenses breathe: focusing changes the focal length that some bodies write, by less than this."""
_REMEDY = "Write one line a photo: its name, a space or a tab, and the name of its camera."


def camera_ids(facts: Sequence[ImageFacts], cameras: Path | str) -> tuple[str, ...]:
    """Return an id of the camera of every photo; equal ids share intrinsics, and never two sizes of photos.

    `cameras` is one of `CAMERA_CHOICES`, or a text file with lines `name group`, one a photo. Raises
    `FormatError`, naming file and line, where it does not say the group of every photo once.
    """
    match cameras:
        case "exif":
            return _by_exif(facts)
        case "one":
            names = [""] * len(facts)
        case "folder":
            names = _folder_names(facts)
        case "each":
            names = [fact.path.name for fact in facts]
        case _:
            group = _groups_in(Path(cameras), [fact.path.name for fact in facts])
            names = [group[fact.path.name] for fact in facts]
    return tuple(_sized(name, fact) for name, fact in zip(names, facts))


def _sized(name: str, fact: ImageFacts) -> str:
    w, h = fact.size
    return f"{name} {w}x{h}".lstrip()


def _by_exif(facts: Sequence[ImageFacts]) -> tuple[str, ...]:
    """Return ids of what EXIF says, and of the folders where it names no camera and there are several."""
    folders = _folder_names(facts)
    apart = len(set(folders)) > 1
    ids: list[str] = []
    zooms: dict[object, list[tuple[float, str]]] = {}
    for fact, folder in zip(facts, folders):
        name = camera_id(fact)
        if name == _sized("", fact):
            ids.append(_sized(folder, fact) if apart else name)
            continue
        focal = fact.exif.get("FocalLength")
        if isinstance(focal, float):
            body = (*(fact.exif.get(tag) for tag in ("Make", "Model", "LensModel")), fact.size)
            seen = zooms.setdefault(body, [])
            # The first photo of a zoom names it, so that further photos rename nothing.
            name = next((known for at, known in seen if abs(focal / at - 1) <= _SAME_ZOOM), name)
            seen.append((focal, name))
        ids.append(name)
    return tuple(ids)


def _folder_names(facts: Sequence[ImageFacts]) -> list[str]:
    """Return the folder of each photo, below the one that holds them all."""
    folders = [fact.path.absolute().parent for fact in facts]
    levels = zip(*(folder.parts for folder in folders))
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    return ["/".join(folder.parts[shared:]) or folder.name for folder in folders]


def _groups_in(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the group of every photo as a file states it."""
    if not path.is_file():
        raise UserError(f"`cameras={path}`: neither {', '.join(CAMERA_CHOICES)} nor a file. {_REMEDY}")
    with reading(path, _REMEDY, "is not text", FormatError):
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    known, group, stated_in = set(names), dict[str, str](), dict[str, int]()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        where = f"{path}, line {number}"
        # Names may hold spaces, groups do not.
        fields = text.split("\t") if "\t" in text else text.rsplit(None, 1)
        name, camera = (fields[0].strip(), fields[-1].strip()) if len(fields) == 2 else ("", "")
        if not name or not camera:
            raise FormatError(f"{where}: {shown(text)} is not a name and a camera. {_REMEDY}")
        if name not in known:
            raise FormatError(
                f"{where}: there is no photo {shown(name)}. The photos are {first_few(names)}; correct the "
                "line or delete it."
            )
        if name in group:
            raise FormatError(
                f"{where}: {shown(name)} has a camera already, in line {stated_in[name]}. Delete one of the "
                "lines."
            )
        group[name], stated_in[name] = camera, number
    if not group:
        raise FormatError(f"{path}: no cameras. {_REMEDY}")
    missing = [name for name in names if name not in group]
    if missing:
        raise FormatError(
            f"{path}: no camera for {first_few(missing)}. Add a line for each, or choose another `cameras`."
        )
    return group
