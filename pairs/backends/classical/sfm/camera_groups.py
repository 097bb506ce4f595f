"""Which views share a camera, and what the mapper may assume of it
(docs/classical_backend.md, "Cameras and focals").

Views of one camera share its focal, which then has the evidence of all of them; a wrong first guess of it is
the commonest reason for a scene that does not come together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from masks.pixelmap import intrinsics_to_target
from pairs.backends.classical.sfm.mapper import CameraStart
from pairs.backends.classical.sfm.working_image import working_map
from pairs.views.view import View

# COLMAP's own guess: a lens of 43 mm on film, in the middle of what phones and cameras have.
FIRST_FACTOR = 1.2
"""Focal assumed first, in longest sides, where nothing is known."""
# They cover what photographs have (0.7 to 5.2 on the measured sets). Textured sets give the same scene from
# all five; white plaster 8 of 16 views from 0.8 and 6 from 1.2.
OTHER_FACTORS = (0.8, 2.0, 3.5, 6.0)
"""Focals assumed next, whatever EXIF said: photos are cropped, and EXIF can be wrong."""


def camera_of_view(views: Sequence[View], longest: int) -> tuple[int, ...]:
    """Return the number of each view's camera: equal camera ids, picture sizes and stated intrinsics share
    one.
    """
    groups: dict[object, int] = {}
    return tuple(groups.setdefault(_shared_by(view, longest), len(groups)) for view in views)


def camera_starts(views: Sequence[View], longest: int, factor: float | None) -> tuple[CameraStart, ...]:
    """Return what is assumed of each camera: stated intrinsics, else a focal of `factor` longest sides, else
    EXIF's, else the first guess.
    """
    cameras = camera_of_view(views, longest)
    members = [[view for view, camera in zip(views, cameras) if camera == k] for k in range(max(cameras) + 1)]
    return tuple(_camera_start(group, longest, factor) for group in members)


def starts_from(
    views: Sequence[View], longest: int, K: Mapping[int, np.ndarray], *, fixed: bool, factor: float = 1.0
) -> tuple[CameraStart, ...]:
    """Return what is assumed of each camera where K (3, 3) of some views are found, by view and in working
    pixels: theirs with focals times `factor`, and `fixed` where they shall stay. Stated intrinsics do not
    give way to found ones that may move.
    """
    cameras = camera_of_view(views, longest)
    found = {cameras[view]: own for view, own in K.items()}
    starts = []
    for camera, start in enumerate(camera_starts(views, longest, None)):
        if camera in found and (fixed or not start.fixed):
            own = found[camera].copy()
            own[[0, 1], [0, 1]] *= factor
            start = replace(start, K=own, prior=True, fixed=fixed)
        starts.append(start)
    return tuple(starts)


def with_solved_cameras(views: Sequence[View], K: np.ndarray) -> tuple[View, ...]:
    """Return placed views with the cameras that the solve told apart: where views of one id and size have
    several focals in their K (V, 3, 3), each is a camera of its own, numbered from the widest.
    """
    focals: dict[tuple[str, tuple[int, int]], set[float]] = {}
    for view, mine in zip(views, K):
        if view.K is None:
            focals.setdefault((view.camera, view.photo_size), set()).add(float(mine[0, 0]))

    def told_apart(view: View, focal: float) -> View:
        several = sorted(focals.get((view.camera, view.photo_size), ())) if view.K is None else []
        if len(several) < 2:
            return view
        return replace(view, camera=f"{view.camera} zoom {several.index(focal) + 1}")

    return tuple(told_apart(view, float(mine[0, 0])) for view, mine in zip(views, K))


def _shared_by(view: View, longest: int) -> tuple[str, tuple[int, int], bytes]:
    """Return what is equal for all views of one camera."""
    stated = b"" if view.K is None else np.asarray(view.K, np.float64).tobytes()
    return (
        view.camera,
        (view.photo_size if view.K is not None else working_map(view, longest).target_size),
        stated,
    )


def _camera_start(group: Sequence[View], longest: int, factor: float | None) -> CameraStart:
    to_working = working_map(group[0], longest)
    w, h = to_working.target_size
    if group[0].K is not None:
        return CameraStart((w, h), intrinsics_to_target(to_working, group[0].K), prior=True, fixed=True)
    hints = [view.focal_exif for view in group if view.focal_exif is not None]
    # The median: a single photo may have been cropped, which its EXIF does not tell.
    prior = factor is None and bool(hints)
    focal = float(np.median(hints)) * to_working.scale[0] if prior else (factor or FIRST_FACTOR) * max(w, h)
    K = np.array([[focal, 0, (w - 1) / 2], [0, focal, (h - 1) / 2], [0, 0, 1.0]])
    return CameraStart((w, h), K, prior, fixed=False)
