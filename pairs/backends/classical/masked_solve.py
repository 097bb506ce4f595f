"""A scene that was solved without masks, brought down to the object once there are masks.

No feature is looked for again. Where the object turned, its cameras are adjusted to the object's points
alone: what stands in the backdrop has no say any more. Where the camera moved, the backdrop is as good a
witness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from masks.mask import holds
from masks.notice import Level, Notice, info
from pairs.backends.classical.self_calibration.camera_fits import FitJob, FreeParameters, fit_mixed
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.work import Work
from pairs.views.view import View

_LEAST_SEEN = 30
"""Points of the object that every placed view sees: with fewer its camera hangs on the backdrop."""
_OF_NO_MASKS = ("stationary background", "no masks")
"""Subjects of notices that hold only where there are no masks."""
_UNCHECKED = "not checked: without masks"


@dataclass(frozen=True, slots=True)
class UnmaskedSolve:
    """Cameras that were solved without masks."""

    names: tuple[str, ...]
    """Of the views that the solve counts."""
    solve: SceneSolve
    backdrop_moves: bool = True
    """Whether the backdrop may have moved against the object."""


def on_object(unmasked: UnmaskedSolve, views: Sequence[View], work: Work) -> SceneSolve | None:
    """Return the solve of the views, which have masks now, adjusted to what lies on these.

    None where a view that was placed has no mask, or shows too few points of the object: then the cameras
    are better solved from the object's features.
    """
    number = {view.name: k for k, view in enumerate(views)}
    solve = unmasked.solve
    names = [unmasked.names[k] for k in solve.placed]
    if any(name not in number for name in names) or solve.by_outline:
        return None
    placed = [number[name] for name in names]
    kept = np.zeros(len(solve.observed_by), bool)
    for position, k in enumerate(placed):
        mask, mine = views[k].mask, solve.observed_by == position
        if mask is not None:
            kept[mine] = holds(mask.pixels, solve.observed_xy[mine])
    seen = np.bincount(solve.observed_point[kept], minlength=len(solve.points))
    kept &= seen[solve.observed_point] >= 2
    if np.bincount(solve.observed_by[kept], minlength=len(placed)).min() < _LEAST_SEEN:
        return None
    used, points = np.unique(solve.observed_point[kept], return_inverse=True)
    less = replace(
        solve,
        points=solve.points[used],
        observed_point=points.reshape(-1),
        observed_by=solve.observed_by[kept],
        observed_xy=solve.observed_xy[kept],
    )
    text = f"solved without masks; {len(used)} of {len(solve.points)} points lie on the masks."
    if unmasked.backdrop_moves:
        work.progress("adjusting cameras", 0, 1)
        fitted = work.workers.apart(_adjusted, _job(less, [views[k] for k in placed]))
        less = replace(less, cameras=fitted.cameras, points=fitted.points, lenses=fitted.lenses)
        text = f"{text} The cameras were adjusted to these."
    said = (notice for notice in solve.notices if _holds_with_masks(notice))
    return replace(less, placed=tuple(placed), notices=(*said, info("scene solve", text)))


def _holds_with_masks(notice: Notice) -> bool:
    if notice.subject in _OF_NO_MASKS:
        return False
    return not (notice.level is Level.WARNING and notice.text.startswith(_UNCHECKED))


def _job(solve: SceneSolve, views: Sequence[View]) -> FitJob:
    """Return the adjustment, in pixels of the photos."""
    per_view, feature = [], np.empty(len(solve.observed_by), np.int32)
    for position in range(len(views)):
        mine = np.flatnonzero(solve.observed_by == position)
        per_view.append(solve.observed_xy[mine])
        feature[mine] = np.arange(len(mine))
    # Those of one camera have one K, whatever told that they are.
    groups: dict[bytes, int] = {}
    camera = tuple(groups.setdefault(K.tobytes(), len(groups)) for K in solve.cameras.K)
    fixed = frozenset(number for number, view in zip(camera, views) if view.K is not None)
    model = MapperModel(
        tuple(range(len(views))),
        solve.cameras,
        solve.points,
        solve.observed_point.astype(np.int32),
        solve.observed_by.astype(np.int32),
        feature,
        solve.lenses,
    )
    return FitJob(model, tuple(per_view), camera, fixed, ())


def _adjusted(job: FitJob) -> MapperModel:
    """Adjust poses, points, focals and lenses; the principal point stays. A task for a process of its own."""
    lenses = job.model.lenses or (None,) * len(job.model.placed)
    free = {
        number: FreeParameters(0 if lens is None else len(lens.coefficients))
        for number, lens in zip(job.camera_of_view, lenses)
    }
    return fit_mixed(job, free)
