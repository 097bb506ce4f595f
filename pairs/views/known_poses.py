"""Poses that a file states, and the photos that they are of (docs/known_poses.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from masks.errors import FormatError
from masks.image_file import ImageFacts
from masks.notice import Notice, first_few, info
from pairs.views.calibration import fitted_to
from pairs.views.exif_camera import camera_id
from pairs.views.imported_camera import ImportedCamera, ImportedCameras
from pairs.views.photo_names import entries_of_photos


def posed_cameras(
    facts: Sequence[ImageFacts], stated: ImportedCameras
) -> tuple[dict[str, ImportedCamera], tuple[Notice, ...]]:
    """Return the cameras of upright photos that a file states a pose for, by the photos' names, and notices.

    Photos without a pose get the intrinsics that all others of their camera and size share, and no pose.
    Raises `FormatError` when the file holds no pose, or none of these photos'.
    """
    posed = [camera for camera in stated.cameras if camera.cam_from_world is not None and camera.file]
    if not posed:
        raise FormatError(
            f"{stated.source}: {stated.kind} without poses. Give the poses, or the file as a `calibration`."
        )
    names = [fact.path.name for fact in facts]
    entries = entries_of_photos(
        [fact.path for fact in facts], [camera.file for camera in posed], stated.source
    )
    found = {
        name: fitted_to(posed[entry], fact)
        for name, fact, entry in zip(names, facts, entries)
        if entry is not None
    }
    if not found:
        raise FormatError(
            f"{stated.source}: names none of the photos. It names {first_few([c.file for c in posed])}; the "
            f"photos are {first_few(names)}. Give the poses of these photos."
        )
    notices = [
        *stated.notices,
        info("known poses", f"{stated.kind}: of {len(found)} of {len(names)} photos."),
    ]
    strangers = [camera.file for k, camera in enumerate(posed) if k not in entries]
    if strangers:
        notices.append(info("known poses", f"of no photo here: {first_few(strangers)}."))
    missing = [name for name in names if name not in found]
    if missing:
        text = f"{first_few(missing)} have none: they are placed by their matches."
        notices.append(info("known poses", text))
    return found | _shared(facts, found), tuple(notices)


def _shared(facts: Sequence[ImageFacts], found: dict[str, ImportedCamera]) -> dict[str, ImportedCamera]:
    """Return cameras without pose for the other photos, where all of their camera and size state the same."""
    by_camera: dict[tuple[str, tuple[int, int]], list[ImportedCamera]] = {}
    for fact in facts:
        if fact.path.name in found:
            by_camera.setdefault((camera_id(fact), fact.upright_size), []).append(found[fact.path.name])
    shared = {}
    for fact in facts:
        alike = by_camera.get((camera_id(fact), fact.upright_size), [])
        same = len({(camera.K.tobytes(), camera.lens) for camera in alike}) == 1
        if fact.path.name not in found and same:
            shared[fact.path.name] = replace(alike[0], file=fact.path.name, cam_from_world=None)
    return shared
