"""A calibration that the user states, and the photos that it is for (docs/calibration.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from masks.errors import FormatError
from masks.image_file import ImageFacts
from masks.lens import (
    Undistortion,
    distort,
    ideal_frame,
    ideal_from_photo,
    normalised,
    photo_outline,
    undistort,
)
from masks.mask import Mask
from masks.notice import Notice, first_few, info, warning
from pairs.views.imported_camera import ImportedCamera, ImportedCameras, resized, turned
from pairs.views.photo_names import entries_of_photos

_SAME_ASPECT = 0.005
"""How far the proportions of a photo that was made smaller may be off, or by a pixel of its shorter side:
both sides are rounded."""
_MUCH_LOST = 0.01
_SAMPLES = 200
"""Pixels a side that stand for a mask when its loss is measured: to a hundredth of a per cent."""


def calibrated(
    facts: Sequence[ImageFacts], stated: ImportedCameras
) -> tuple[tuple[ImportedCamera, ...], tuple[Notice, ...]]:
    """Return the camera of every upright photo, at its size and without a pose, and notices.

    Cameras are found by the photos' names; those without names are for all photos of their size. Raises
    `FormatError` naming the first photo without a camera, or of another shape than its camera's.
    """
    if any(camera.file for camera in stated.cameras):
        chosen, notices = _by_name(facts, stated)
    else:
        chosen, notices = [_by_size(fact, stated) for fact in facts], []
    fitted = [fitted_to(replace(camera, cam_from_world=None), fact) for camera, fact in zip(chosen, facts)]
    scaled = [k for k, (old, new) in enumerate(zip(chosen, fitted)) if set(old.size) != set(new.size)]
    if scaled:
        sizes = " to ".join(f"{w}x{h}" for w, h in (chosen[scaled[0]].size, fitted[scaled[0]].size))
        names = first_few([facts[k].path.name for k in scaled])
        notices.append(info("calibration", f"scaled from {sizes}, the size of {names}."))
    lenses = "with" if any(camera.lens for camera in fitted) else "without"
    count = len(set(camera_ids_of(fitted)))
    several = f"{count} cameras" if count > 1 else "1 camera"
    text = f"K of all photos from the {stated.kind} {stated.source}, {lenses} distortion: {several}."
    return tuple(fitted), (info("calibration", text), *stated.notices, *notices)


def camera_ids_of(cameras: Sequence[ImportedCamera]) -> tuple[str, ...]:
    """Return an id of every photo's camera: equal ones share it."""
    groups: dict[object, int] = {}
    numbers = [
        groups.setdefault((camera.size, camera.K.tobytes(), camera.lens), len(groups) + 1)
        for camera in cameras
    ]
    return tuple(
        f"calibration {number} {camera.size[0]}x{camera.size[1]}" for number, camera in zip(numbers, cameras)
    )


def fitted_to(camera: ImportedCamera, fact: ImageFacts) -> ImportedCamera:
    """Return the camera of the upright photo from one stated for the photo as stored, as viewers show it, or
    at another size. Raises `FormatError` when it is stated for another shape.
    """
    if _same_shape(camera.size, fact.upright_size):
        upright = camera
    elif fact.orientation >= 5 and _same_shape(camera.size, fact.size):
        upright = turned(camera, fact.orientation)
    else:
        (w, h), (photo_w, photo_h) = camera.size, fact.upright_size
        turned_by_hand = "turned by a quarter, and its file does not say which way"
        what = turned_by_hand if _same_shape((h, w), (photo_w, photo_h)) else "a crop"
        raise FormatError(
            f"{camera.place}: calibrated for {w}x{h}, the photo {fact.path.name} is {photo_w}x{photo_h}: "
            f"{what}. State K for the photo as it is."
        )
    return upright if upright.size == fact.upright_size else resized(upright, fact.upright_size)


def frame_of(camera: ImportedCamera) -> Undistortion | None:
    """Return the ideal picture of a photo; none without a lens."""
    return None if camera.lens is None else ideal_frame(camera.lens, camera.K, camera.size)


def lens_notices(
    cameras: Mapping[str, ImportedCamera], masks: Mapping[str, Mask | None]
) -> tuple[Notice, ...]:
    """Return what becomes of pixels that the lenses of photos do not show in their ideal pictures, by the
    photos' names. Raises `FormatError` where a lens folds the picture inside of the object.
    """
    beyond: list[str] = []
    lost: dict[str, float] = {}
    for name, mask in masks.items():
        camera = cameras.get(name)
        frame = None if camera is None else frame_of(camera)
        if camera is None or frame is None:
            continue
        _require_unfolded(camera, name, mask)
        if np.isnan(undistort(frame.lens, normalised(camera.K, photo_outline(camera.size)))).any():
            beyond.append(name)
        share = _share_cut(frame, camera, mask)
        if share > 0:
            lost[name] = share
    notices = []
    if beyond:
        text = f"the lens folds the picture off the object: nothing is used there in {first_few(beyond)}."
        notices.append(info("calibration", text))
    if lost:
        most = max(lost.values())
        text = (
            f"without its distortion the object leaves the picture in {first_few(list(lost))}: up to "
            f"{100 * most:.1f} % of its pixels are not used."
        )
        notices.append((warning if most > _MUCH_LOST else info)("calibration", text))
    return tuple(notices)


def _by_name(
    facts: Sequence[ImageFacts], stated: ImportedCameras
) -> tuple[list[ImportedCamera], list[Notice]]:
    cameras = [camera for camera in stated.cameras if camera.file]
    photos = [fact.path for fact in facts]
    entries = entries_of_photos(photos, [camera.file for camera in cameras], stated.source)
    names = [photo.name for photo in photos]
    missing = [name for name, entry in zip(names, entries) if entry is None]
    if len(missing) == len(names):
        raise FormatError(
            f"{stated.source}: names none of the photos. It names {first_few([c.file for c in cameras])}; "
            f"the photos are {first_few(names)}. Give the calibration of these photos."
        )
    if missing:
        raise FormatError(
            f"{stated.source}: no camera for {first_few(missing)}, {len(missing)} of {len(names)} photos. "
            "Add them, or leave these photos out."
        )
    strangers = [camera.file for k, camera in enumerate(cameras) if k not in entries]
    notices = []
    if strangers:
        more = f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
        notices.append(info("calibration", f"of no photo here: {', '.join(strangers[:3])}{more}."))
    return [cameras[entry] for entry in entries if entry is not None], notices


def _by_size(fact: ImageFacts, stated: ImportedCameras) -> ImportedCamera:
    """Return the only camera for photos of that size; where there is none, of those proportions."""
    for fits in (lambda size, photo: size == photo, _same_shape):
        found = [
            camera
            for camera in stated.cameras
            if fits(camera.size, fact.upright_size)
            or (fact.orientation >= 5 and fits(camera.size, fact.size))
        ]
        if len(found) > 1:
            places = " and ".join(camera.place for camera in found[:2])
            raise FormatError(
                f"{stated.source}: two cameras for photos of {fact.size[0]}x{fact.size[1]}, as "
                f"{fact.path.name} is: {places}. Name the photos of each, as in a COLMAP model with images."
            )
        if found:
            return found[0]
    if not stated.cameras:
        raise FormatError(f"{stated.source}: holds no camera. Give the calibration of these photos.")
    # Of the only one, or the first, `fitted_to` says what is wrong with it.
    return stated.cameras[0]


def _same_shape(stated: tuple[int, int], photo: tuple[int, int]) -> bool:
    return abs(stated[0] * photo[1] / (stated[1] * photo[0]) - 1) <= max(_SAME_ASPECT, 1 / min(photo))


def _require_unfolded(camera: ImportedCamera, name: str, mask: Mask | None) -> None:
    assert camera.lens is not None
    rim = photo_outline(camera.size) if mask is None else _rim(mask.pixels)
    at = normalised(camera.K, rim)
    folded = np.isnan(undistort(camera.lens, at)).any(-1)
    if folded.any():
        focal = float(np.sqrt(camera.K[0, 0] * camera.K[1, 1]))
        reach = focal * float(np.linalg.norm(at, axis=-1).max())
        turns = focal * float(np.linalg.norm(distort(camera.lens, np.array([camera.lens.valid_radius, 0.0]))))
        what = "photo" if mask is None else "object"
        remedy = "Mend the calibration" + (", or give masks of the object." if mask is None else ".")
        raise FormatError(
            f"{camera.place}: the lens {camera.lens.model} {camera.lens.coefficients} folds the picture "
            f"{turns:.0f} px from its middle, and the {what} of {name} reaches to {reach:.0f} px. {remedy}"
        )


def _rim(inside: np.ndarray) -> np.ndarray:
    """Return the outermost pixels (N, 2) of a mask (H, W) in every row: the furthest from any place are among
    them.
    """
    rows = np.flatnonzero(inside.any(1))
    first = inside[rows].argmax(1)
    last = inside.shape[1] - 1 - inside[rows, ::-1].argmax(1)
    return np.concatenate([np.stack([first, rows], -1), np.stack([last, rows], -1)]).astype(float)


def _share_cut(frame: Undistortion, camera: ImportedCamera, mask: Mask | None) -> float:
    """Return the share of the object's pixels whose places are not in the ideal picture."""
    w, h = camera.size
    step = max(1, max(w, h) // _SAMPLES)
    y, x = np.mgrid[step // 2 : h : step, step // 2 : w : step]
    xy = np.stack([x, y], axis=-1)
    if mask is not None:
        xy = xy[mask.pixels[y, x]]
    at = ideal_from_photo(frame, xy)
    inside = ((at >= -0.5) & (at <= np.array(frame.ideal_size) - 0.5)).all(-1)
    return 1 - float(inside.mean()) if inside.size else 0.0
