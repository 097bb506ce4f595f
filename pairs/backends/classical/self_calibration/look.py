"""All cameras of a scene looked at together; what a process of its own runs.

It imports nothing heavy: that process would take longer to start than for its fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pairs.backends.classical.self_calibration.camera_choice import (
    CENTRE_GAIN,
    LENS_GAIN,
    CameraChoice,
    choose_camera,
)
from pairs.backends.classical.self_calibration.camera_fits import (
    CameraFit,
    FitJob,
    FittedCamera,
    FreeParameters,
    fit_camera,
    fit_mixed,
)
from pairs.backends.classical.sfm.mapper import MapperModel, residuals


@dataclass(frozen=True, slots=True)
class LookTask:
    """A finished scene whose cameras are looked at."""

    job: FitJob
    """Its `fixed` are the cameras whose intrinsics were stated; no fits are asked for by name."""
    asked: tuple[int, ...]
    """Cameras that have enough views and observations, ascending."""
    sizes: tuple[tuple[int, int], ...]
    """(width, height) of every camera's working picture."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was decided of each camera."""

    choices: Mapping[int, CameraChoice]
    model: MapperModel | None
    """The scene adjusted accordingly; none when nothing is freed."""

    @property
    def has_lens(self) -> bool:
        """Whether any camera has one."""
        return any(choice.free.coefficients for choice in self.choices.values())


def look(task: LookTask) -> Look:
    """Choose the parameters of every asked camera, and adjust the scene to them; a task for a process."""
    job = task.job
    cameras = sorted({job.camera_of_view[view] for view in job.model.placed})
    # Cameras with too few views hold still while the others are judged.
    still = replace(job, fixed=job.fixed | (set(cameras) - set(task.asked)))
    fits: dict[FreeParameters, CameraFit] = {}

    def fitted_as(number: int) -> Callable[[FreeParameters], FittedCamera]:
        def fitted(free: FreeParameters) -> FittedCamera:
            if free not in fits:
                fits[free] = fit_camera(still, free)
            return fits[free].cameras[number]

        return fitted

    choices = {
        camera: choose_camera(fitted_as(cameras.index(camera)), task.sizes[camera]) for camera in task.asked
    }
    states = {
        camera: choices[camera].free if camera in choices else FreeParameters()
        for camera in cameras
        if camera not in job.fixed
    }
    if len(choices) > 1:
        for camera in _unneeded(job, states):
            states[camera] = FreeParameters()
            choices[camera] = replace(
                choices[camera],
                free=FreeParameters(),
                lens_refused="the other cameras' parameters explain it",
            )
    wanted = set(states.values())
    if wanted == {FreeParameters()}:
        return Look(choices, None)
    same = len(wanted) == 1 and still.fixed == job.fixed
    return Look(choices, fits[wanted.pop()].model if same else fit_mixed(job, states))


def _unneeded(job: FitJob, states: Mapping[int, FreeParameters]) -> list[int]:
    """Return the cameras that keep their residuals when they alone free nothing: in the common fits a camera
    gains as well when another one, which sees the same points, gets its lens.
    """
    whole = _costs(job, fit_mixed(job, states))
    unneeded = []
    for camera, free in states.items():
        if free == FreeParameters():
            continue
        without = _costs(job, fit_mixed(job, {**states, camera: FreeParameters()}))
        least = LENS_GAIN if free.coefficients else CENTRE_GAIN
        if not whole[camera] <= (1 - least) * without[camera]:
            unneeded.append(camera)
    return unneeded


def _costs(job: FitJob, model: MapperModel) -> np.ndarray:
    """Return every camera's sum of squared residuals."""
    camera = np.array([job.camera_of_view[view] for view in model.placed])[model.observed_by]
    return np.bincount(camera, (residuals(model, job.xy) ** 2).sum(1))
