"""The sparse global alignment from predictions to scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from align.aligned import scene_of
from align.bundle.bundle_alignment import bundle_align
from align.bundle.options import BundleOptions
from align.localise.known_scene import extended, require_same_grids, with_fixed_views, with_scene
from align.measurements.components import (
    Components,
    all_together,
    connected_components,
    other_components,
    require_matches,
)
from align.measurements.gather import gather
from align.measurements.gathered import Measurements, keep_views
from align.measurements.known_cameras import stated_cameras, with_shared_K
from align.measurements.motion_masks import masked_by_motion
from align.presets import Preset
from align.scene import Report, Scene
from align.sparse.options import SparseOptions
from align.sparse.sparse_alignment import sparse_align
from masks.errors import GraphError, PointloomError, UserError
from masks.notice import Level, Notice, left_out, warning
from masks.progress import Progress, silent
from pairs.prediction.predictions import Predictions


def align_predictions(predictions: Predictions, preset: Preset, progress: Progress = silent) -> Scene:
    """Return the scene in which all pair predictions agree best.

    From the backend's own cameras where the preset wants them (their K fixed if they are adjusted), unless
    the user states poses; else from the pair predictions alone and what the user states of cameras. Views
    that cannot be used, or that no matches tie to the largest component, are left out by name. Where no view
    has a mask and the predictions show an object that turns before a still backdrop, the default aligner cuts
    it out and says so. Raises `GraphError` when no two views are tied by matches.
    """
    return _solved(_prepared(predictions, preset, progress), 0, progress)


def align_components(
    predictions: Predictions, preset: Preset, progress: Progress = silent
) -> tuple[Scene | None, ...]:
    """Return one scene, as `align_predictions` does, of every component of views that matches tie together:
    the largest first, each in its own world and scale.

    None in the place of a component beside the first that cannot be aligned, which the first scene's report
    names.
    """
    job = _prepared(predictions, preset, progress)
    first = _solved(job, 0, progress)
    others, failed = [], []
    for number in range(1, len(job.components.views)):
        try:
            others.append(_solved(job, number, progress))
        except PointloomError as error:
            others.append(None)
            failed.append(left_out(f"part {number + 1}", str(error)))
    return (_with_notices(first, failed), *others)


def align_connected(predictions: Predictions, preset: Preset, progress: Progress = silent) -> Scene:
    """Return the scene as `align_predictions` does, or raise `GraphError` before any work where no matches
    tie all usable views together.
    """
    job = _prepared(predictions, preset, progress)
    names = [view.name for view in job.measurements.predictions.views]
    alone = [
        f"{notice.subject}: {notice.text}"
        for notice in job.components.notices
        if notice.level is Level.LEFT_OUT
    ]
    reasons = [*(notice.text for notice in other_components(job.components, 0, names)), *alone]
    if reasons:
        raise GraphError(" ".join(reasons))
    return _solved(job, 0, progress)


def register_views(
    scene: Scene, predictions: Predictions, preset: Preset, progress: Progress = silent
) -> Scene:
    """Return the scene with the predictions' other views placed in it; what it holds stays to the bit: poses,
    intrinsics, depths.

    The predictions tie views of the scene, known by their names, to new ones. Components that the scene alone
    ties together are placed one by one; views that no matches tie to it are left out by name. Raises
    `UserError` when predictions and scene share no view, or a view's grid differs; `GraphError` when no
    matches tie a new view to the scene.
    """
    if not isinstance(preset.from_scratch, BundleOptions):
        raise UserError(
            "views are placed in a known scene by the default aligner only. Use `preset=pointloom`."
        )
    require_same_grids(scene, predictions.views)
    job = _prepared(with_scene(scene, predictions), replace(preset, from_adjusted=None), progress)
    known = {view.name for view in scene.views}
    names = [view.name for view in job.measurements.predictions.views]
    linked = [
        number
        for number, part in enumerate(job.components.views)
        if 0 < sum(names[view] in known for view in part) < len(part)
    ]
    if not linked:
        raise GraphError(
            "no matches tie a new view to one of the scene. Add pairs of new views with views of the scene."
        )
    grown = scene
    for number in linked:
        grown = extended(grown, _solved(job, number, progress, scene))
    placed = {view.name for view in grown.views}
    text = "no matches tie it to a view of the scene. Add pairs of it with views of the scene."
    loose = [names[view] for part in job.components.views for view in part if names[view] not in placed]
    return _with_notices(grown, [left_out(name, text) for name in loose])


def _with_notices(scene: Scene, notices: Sequence[Notice]) -> Scene:
    return replace(scene, report=Report((*scene.report.notices, *notices), scene.report.figures))


@dataclass(frozen=True, slots=True)
class _Job:
    """What was read, and what is to be solved of it."""

    inputs: tuple[str, ...]
    measurements: Measurements
    components: Components
    solver: SparseOptions | BundleOptions
    preset: Preset
    notices: tuple[Notice, ...]


def _prepared(predictions: Predictions, preset: Preset, progress: Progress) -> _Job:
    """Read the predictions for the solver that fits them."""
    inputs = tuple(view.name for view in predictions.views)
    solver = _solver_for(predictions, preset)
    measurements, notices = _measured(_as_started(predictions, solver, preset), solver, preset, progress)
    components = _components(measurements, solver, preset)
    notices = (*predictions.notices, *notices, *components.notices)
    return _Job(inputs, measurements, components, solver, preset, notices)


def _solver_for(predictions: Predictions, preset: Preset) -> SparseOptions | BundleOptions:
    """Return the solver that fits what is known of cameras beforehand."""
    if predictions.cameras is None:
        return preset.from_scratch
    if preset.from_adjusted is not None and predictions.camera_source == "bundle_adjustment":
        return preset.from_adjusted
    # Stated poses are in another world than the backend's, and are the better ones.
    stated = any(view.cam_from_world is not None for view in predictions.views)
    return preset.from_scratch if stated or preset.from_estimated is None else preset.from_estimated


def _as_started(
    predictions: Predictions, solver: SparseOptions | BundleOptions, preset: Preset
) -> Predictions:
    """Return the predictions with the cameras that the solver starts from, and what is stated of a camera
    stated for all its views.
    """
    if solver is preset.from_adjusted:
        return predictions
    cameras = predictions.cameras if solver is preset.from_estimated else None
    return replace(predictions, cameras=cameras, views=with_shared_K(predictions.views))


def _measured(
    predictions: Predictions, solver: SparseOptions | BundleOptions, preset: Preset, progress: Progress
) -> tuple[Measurements, tuple[Notice, ...]]:
    """Return what the predictions say; of an object that turns before a still backdrop, that of the object
    alone, for which they are read again.
    """
    measurements = gather(predictions, preset.reading(solver), progress)
    if isinstance(solver, SparseOptions):
        return measurements, measurements.notices
    masked, cut_out = masked_by_motion(measurements.predictions, measurements.samples)
    if not cut_out:
        return measurements, measurements.notices
    of_object = gather(masked, preset.reading(solver), progress)
    return of_object, (*measurements.notices, *cut_out, *of_object.notices)


def _components(
    measurements: Measurements, solver: SparseOptions | BundleOptions, preset: Preset
) -> Components:
    """Return which views become a scene together. Raises `GraphError` when no matches tie any."""
    if solver is preset.from_adjusted:
        return all_together(measurements)
    if solver is preset.from_estimated:
        # The backend's cameras hold views without matches, too; but estimates alone are no alignment.
        require_matches(measurements)
        return all_together(measurements)
    return connected_components(measurements)


def _solved(job: _Job, number: int, progress: Progress, fixed_scene: Scene | None = None) -> Scene:
    """Return the scene of one component; the views of a scene that stays are fixed."""
    part, solver = job.components.views[number], job.solver
    names = [view.name for view in job.measurements.predictions.views]
    measurements = keep_views(job.measurements, part)
    notices = [
        *job.notices,
        *(() if fixed_scene is not None else other_components(job.components, number, names)),
    ]
    if isinstance(solver, BundleOptions):
        known = stated_cameras(measurements.predictions)
        aligned = bundle_align(
            measurements,
            solver,
            known if fixed_scene is None else with_fixed_views(fixed_scene, measurements, known),
            progress,
        )
    else:
        notices += _poses_not_used(measurements.predictions)
        aligned = sparse_align(measurements, solver, progress)
    progress("cleaning", 0, 1)
    return replace(scene_of(measurements.predictions, aligned, notices, job.preset.clean), inputs=job.inputs)


def _poses_not_used(predictions: Predictions) -> list[Notice]:
    if predictions.cameras is not None or all(view.cam_from_world is None for view in predictions.views):
        return []
    return [
        warning(
            "poses",
            "the stated ones are not used: the reference's presets start without. Use `preset=pointloom`.",
        )
    ]
