"""The global alignment from predictions to scenes, whichever aligner a preset names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from align.aligned import Aligner, scene_of, with_depths
from align.initial.stated_cameras import check_scene_cameras, check_stated_cameras, check_stated_intrinsics
from align.localise.known_scene import extended, require_same_grids, with_fixed_views, with_scene
from align.measurements.components import (
    Components,
    all_together,
    connected_components,
    other_components,
    require_ties,
)
from align.measurements.gather import gather
from align.measurements.gathered import Measurements, Ties, keep_views
from align.measurements.known_cameras import known_cameras, states_poses, with_shared_K
from align.measurements.motion_masks import masked_by_motion
from align.presets import Preset
from align.scene import Report, Scene
from align.tracks import tracked_points
from masks.errors import GraphError, PointloomError, UserError
from masks.notice import Level, Notice, left_out, warning
from masks.progress import Progress, silent
from pairs.prediction.predictions import Predictions


def align_predictions(predictions: Predictions, preset: Preset, progress: Progress = silent) -> Scene:
    """Return the scene in which all pair predictions agree best.

    From the pair predictions, and, where the preset's aligner takes any, from camera poses: those that the
    user states, else the backend's. K that the user states, or that the backend has fitted to matches, is
    fixed. Views that cannot be used, or that neither matches nor a pose of the backend tie to the largest
    component, are left out by name. Where no view has a mask and the predictions show an object that turns
    before a still backdrop, it is cut out, and the report says so; not for the presets of the reference.
    Raises `GraphError` when no two views are tied by matches.
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
    if preset.aligner.pose_prior is None:
        raise UserError(
            "views are placed in a known scene only by an aligner that starts from poses. Use "
            "`preset=pointloom`."
        )
    require_same_grids(scene, predictions.views)
    job = _prepared(with_scene(scene, predictions), preset, progress)
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
    aligner: Aligner
    preset: Preset
    notices: tuple[Notice, ...]


def _prepared(predictions: Predictions, preset: Preset, progress: Progress) -> _Job:
    """Read the predictions for the aligner that fits them."""
    inputs = tuple(view.name for view in predictions.views)
    aligner = _aligner_for(predictions, preset)
    predictions = _as_heard(predictions, aligner)
    measurements, notices = _measured(predictions, aligner, progress)
    components = _components(measurements, aligner.reading.ties)
    notices = (*predictions.notices, *notices, *components.notices)
    return _Job(inputs, measurements, components, aligner, preset, notices)


def _aligner_for(predictions: Predictions, preset: Preset) -> Aligner:
    """Return the aligner that fits what is known of cameras beforehand."""
    estimated = predictions.cameras is not None and predictions.camera_source == "network"
    # Stated poses are in another world than the backend's, and are the better ones.
    if estimated and not states_poses(predictions) and preset.from_estimated is not None:
        return preset.from_estimated
    return preset.aligner


def _as_heard(predictions: Predictions, aligner: Aligner) -> Predictions:
    """Return the predictions with what is stated of a camera stated for all its views, and without the
    backend's cameras where the aligner starts from no poses; a notice says so of stated ones.
    """
    heard = replace(predictions, views=with_shared_K(predictions.views))
    if aligner.pose_prior is not None:
        return heard
    text = "the stated ones are not used: this preset starts without. Use `preset=pointloom`."
    unheard = (warning("poses", text),) if states_poses(predictions) else ()
    return replace(heard, cameras=None, group=None, notices=(*heard.notices, *unheard))


def _measured(
    predictions: Predictions, aligner: Aligner, progress: Progress
) -> tuple[Measurements, tuple[Notice, ...]]:
    """Return what the predictions say; of an object that turns before a still backdrop, that of the object
    alone, for which they are read again.
    """
    measurements = gather(predictions, aligner.reading, progress)
    if not aligner.reading.cut_out_motion:
        return measurements, measurements.notices
    masked, cut_out = masked_by_motion(measurements.predictions, measurements.samples)
    if not cut_out:
        return measurements, measurements.notices
    of_object = gather(masked, aligner.reading, progress)
    return of_object, (*measurements.notices, *cut_out, *of_object.notices)


def _components(measurements: Measurements, ties: Ties) -> Components:
    """Return which views become a scene together. Raises `GraphError` when nothing ties any."""
    predictions = measurements.predictions
    if predictions.cameras is None or states_poses(predictions):
        return connected_components(measurements, ties)
    # The backend's poses hold views without matches, too; but poses alone are no alignment.
    require_ties(measurements, ties)
    return all_together(measurements)


def _solved(job: _Job, number: int, progress: Progress, fixed_scene: Scene | None = None) -> Scene:
    """Return the scene of one component; the views of a scene that stays are fixed."""
    part = job.components.views[number]
    measurements, doubts = _compared(keep_views(job.measurements, part), job.aligner, fixed_scene)
    known, notices = known_cameras(measurements.predictions), (*job.notices, *doubts)
    if job.aligner.pose_prior is None:
        known = replace(known, cam_from_world={})
    if fixed_scene is not None:
        known = with_fixed_views(fixed_scene, measurements, known)
    else:
        names = [view.name for view in job.measurements.predictions.views]
        notices = (*notices, *other_components(job.components, number, names))
    aligned = job.aligner.align(measurements, known, progress)
    views = measurements.predictions.views
    aligned = with_depths(aligned, views, measurements.records, job.preset.depth, progress)
    progress("cleaning", 0, 1)
    tracks = tracked_points(measurements.predictions, measurements.records, aligned.cameras)
    scene = scene_of(measurements.predictions, aligned, notices, job.preset.clean)
    return replace(scene, inputs=job.inputs, tracks=tracks)


def _compared(
    measurements: Measurements, aligner: Aligner, fixed_scene: Scene | None
) -> tuple[Measurements, tuple[Notice, ...]]:
    """Return the measurements without stated poses that cannot be, and what is doubtful of stated cameras."""
    if fixed_scene is not None:
        return measurements, check_scene_cameras(measurements, [view.name for view in fixed_scene.views])
    if aligner.pose_prior is None:
        return measurements, check_stated_intrinsics(measurements)
    return check_stated_cameras(measurements, aligner.pose_prior)
