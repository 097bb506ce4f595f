"""Whether the cameras that a user states fit the photos (docs/calibration.md, "What is checked").

A calibration of another lens, zoom or crop gives a scene in which everything is in order but its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from masks.notice import Notice, first_few, warning
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.self_calibration.camera_fits import (
    CameraFit,
    FitJob,
    FittedCamera,
    FreeParameters,
)
from pairs.backends.classical.self_calibration.chosen_cameras import LEAST_OBSERVATIONS, LEAST_VIEWS
from pairs.backends.classical.sfm.attempts import Attempt, Evidence
from pairs.backends.classical.sfm.camera_groups import camera_of_view
from pairs.backends.classical.sfm.working_image import working_map

_WRONG_GAIN = 0.2
"""Share of the squared error that a lens of its own removes: a barrel of 1 % that is not stated has 0.13 on
fountain-P11, of 3 % 0.48."""
_FREE = FreeParameters(coefficients=2)


def stated_camera_notices(
    evidence: Evidence,
    best: Attempt,
    fit: Callable[[FitJob], tuple[CameraFit, ...]],
    options: SolveOptions,
) -> tuple[Notice, ...]:
    """Return a warning for every stated camera with which a focal and two radial coefficients of its own
    would explain the photos much better.
    """
    model = best.model
    cameras = camera_of_view(evidence.views, options.working_longest)
    fixed = frozenset(camera for camera, view in zip(cameras, evidence.views) if view.K is not None)
    placed = [cameras[view] for view in (model.placed if model is not None else ())]
    if model is None or max((placed.count(camera) for camera in fixed), default=0) < LEAST_VIEWS:
        return ()
    (as_stated,) = fit(FitJob(model, evidence.xy, cameras, fixed, (_FREE,)))
    (free,) = fit(FitJob(model, evidence.xy, cameras, frozenset(), (_FREE,)))
    own = {camera.positions: camera for camera in free.cameras}
    notices = []
    for camera in as_stated.cameras:
        is_stated = cameras[model.placed[camera.positions[0]]] in fixed
        enough = len(camera.positions) >= LEAST_VIEWS and camera.observations >= LEAST_OBSERVATIONS
        gain = 1 - own[camera.positions].cost / max(camera.cost, np.finfo(float).tiny)
        if is_stated and enough and gain > _WRONG_GAIN:
            views = [model.placed[position] for position in camera.positions]
            notices.append(_warning(evidence, views, own[camera.positions], gain, options))
    return tuple(notices)


def _warning(
    evidence: Evidence, views: Sequence[int], own: FittedCamera, gain: float, options: SolveOptions
) -> Notice:
    view = evidence.views[views[0]]
    assert view.K is not None
    stated = float(view.K[0, 0])
    focal = own.focal / working_map(view, options.working_longest).scale[0]
    frame = view.pixel_map.undistortion
    k1 = 0.0 if frame is None else float(frame.lens.opencv[0])
    # What was left over by the stated lens comes on top of it, to first order and for the new focal.
    left = 0.0 if own.lens is None else own.lens.coefficients[0]
    found = k1 * (focal / stated) ** 2 + left
    names = first_few([evidence.views[k].name for k in views])
    return warning(
        "calibration",
        (
            f"does not fit these photos: a focal of {focal:.0f} px instead of {stated:.0f} and k1 = "
            f"{found:.3g} instead of {k1:.3g} would remove {gain:.0%} of the squared error of {names}. Give "
            "the calibration of this lens and zoom, or none."
        ),
    )
