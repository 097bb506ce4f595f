"""Views and scene without distortion, once the solve knows the lenses
(docs/lenses.md, "The order of the work").

Depth, pairs and aligner then see pinholes, and never hear of a lens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from masks.lens import Undistortion, ideal_frame, ideal_from_photo
from masks.notice import Notice, info, warning
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.work import Work
from pairs.views.cameras import Cameras
from pairs.views.load import undistorted
from pairs.views.view import View

_PROBED_EVERY = 8
"""Pixels of the photo, across and down, that are asked whether the ideal picture shows them."""
_MUCH_LOST = 0.01


def ideal_views(
    views: Sequence[View], solve: SceneSolve, work: Work
) -> tuple[tuple[View, ...], SceneSolve, tuple[Notice, ...]]:
    """Return the views and their scene with K and observations of undistorted photos, and what that loses.
    Views that are not placed, or are pinholes, stay as they are.
    """
    placed = [(position, lens) for position, lens in enumerate(solve.lenses) if lens is not None]
    if not placed:
        return tuple(views), solve, ()
    frames = {
        position: ideal_frame(lens, solve.cameras.K[position], views[solve.placed[position]].photo_size)
        for position, lens in placed
    }
    tasks = [(views[solve.placed[position]], frame) for position, frame in frames.items()]
    made, lost = list(views), []
    for position, (view, share) in zip(frames, work.map("undistorting photos", _made_anew, tasks)):
        made[solve.placed[position]] = view
        lost.append(share)
    return tuple(made), _ideal_solve(solve, frames), _lost_notices([view for view, _ in tasks], lost)


def _made_anew(task: tuple[View, Undistortion]) -> tuple[View, float]:
    """Return a view without its lens, and the share of its object that the ideal picture does not hold; a
    task for a worker.
    """
    view, frame = task
    w, h = view.photo_size
    y, x = np.mgrid[0:h:_PROBED_EVERY, 0:w:_PROBED_EVERY]
    inside = np.ones(x.shape, bool) if view.mask is None else view.mask.pixels[y, x]
    xy = ideal_from_photo(frame, np.stack([x[inside], y[inside]], axis=-1))
    # NaN, what the lens does not show, fails both.
    held = ((xy >= -0.5) & (xy <= np.array(frame.ideal_size) - 0.5)).all(-1)
    return undistorted(view, frame), 1 - float(np.mean(held)) if len(xy) else 0.0


def _ideal_solve(solve: SceneSolve, frames: dict[int, Undistortion]) -> SceneSolve:
    K, xy = solve.cameras.K.copy(), solve.observed_xy.copy()
    for position, frame in frames.items():
        mine = solve.observed_by == position
        K[position], xy[mine] = frame.K_ideal, ideal_from_photo(frame, xy[mine])
    shown = np.isfinite(xy).all(1)
    return replace(
        solve,
        cameras=Cameras(K, solve.cameras.cam_from_world),
        observed_point=solve.observed_point[shown],
        observed_by=solve.observed_by[shown],
        observed_xy=xy[shown],
        lenses=(),
    )


def _lost_notices(views: Sequence[View], lost: Sequence[float]) -> tuple[Notice, ...]:
    worst = int(np.argmax(lost))
    if lost[worst] == 0:
        return ()
    what = "photo" if views[worst].mask is None else "object"
    text = (
        f"{views[worst].name}: {lost[worst]:.1%} of the {what} lies beyond the undistorted picture, which is "
        "at most 1.25 times as wide and high as the photo."
    )
    return (warning("lens", text) if lost[worst] > _MUCH_LOST else info("lens", text),)
