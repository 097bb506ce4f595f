"""Lens and principal point of a finished scene (docs/lenses.md, "The order of the work").

The scene is solved as a pinhole first: that places every view at every distortion tried (13 % at the corner),
while a mapper with a free lens decides on it by its first pairs, where it is undetermined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from masks.lens import Lens, normalised, pixels_of, undistort
from masks.notice import Notice
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.self_calibration.camera_fits import FitJob
from pairs.backends.classical.self_calibration.look import Look, LookTask, look
from pairs.backends.classical.self_calibration.report import dropped_notice, lens_notices
from pairs.backends.classical.sfm.acceptance import Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, assessed, best_attempt, run_attempts
from pairs.backends.classical.sfm.camera_groups import camera_of_view, camera_starts
from pairs.backends.classical.sfm.mapper import MapperJob, MapperModel, lens_of, solve_apart
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair, verify_pairs
from pairs.engines.engines import Workers
from pairs.engines.processes import single_threaded
from pairs.views.cameras import Cameras

LEAST_VIEWS = 5
"""Of a camera whose parameters may be freed. Four views of one object give a lens that fits them and no
other."""
LEAST_OBSERVATIONS = 500
_RANKS = {Verdict.SURE: 0, Verdict.UNCHECKED: 0, Verdict.DOUBTFUL: 1, Verdict.REJECTED: 2}


def with_chosen_cameras(
    evidence: Evidence,
    matches: Mapping[Pair, np.ndarray],
    best: Attempt,
    workers: Workers,
    options: SolveOptions,
) -> tuple[Attempt, tuple[Notice, ...]]:
    """Return the accepted scene with the lens and the principal point that its photos determine, and what the
    report says of them.

    `matches` are those that were verified. Where nothing is freed the scene comes back as it is.
    """
    if best.model is None:
        raise ValueError("an attempt without a model has no cameras")
    task = _task(evidence, best.model, options)
    if not task.asked:
        return best, ()
    first = workers.apart(look, task)
    attempt, chosen, judged_by = best, first, evidence
    if first.has_lens:
        attempt, chosen, judged_by = _solved_again(evidence, matches, (best, first), task, workers, options)
    if chosen.model is None:
        return best, lens_notices(evidence, best.model, chosen.choices, options)
    assessment = assessed(judged_by, chosen.model, options)
    if best.assessment is not None and _RANKS[assessment.verdict] > _RANKS[best.assessment.verdict]:
        return best, (dropped_notice(assessment.reason),)
    notices = lens_notices(evidence, chosen.model, chosen.choices, options)
    return replace(attempt, model=chosen.model, assessment=assessment), notices


def _task(evidence: Evidence, model: MapperModel, options: SolveOptions) -> LookTask:
    cameras = camera_of_view(evidence.views, options.working_longest)
    starts = camera_starts(evidence.views, options.working_longest, None)
    fixed = frozenset(k for k, start in enumerate(starts) if start.fixed)
    counts = np.bincount(model.observed_by, minlength=len(model.placed))
    # What isn't a photo as its file shows it could not be made anew once its lens is known.
    made = {cameras[k] for k, v in enumerate(evidence.views) if v.grid is None or v.pixel_map.undistortion}
    of_camera = {
        camera: [k for k, view in enumerate(model.placed) if cameras[view] == camera]
        for camera in sorted({cameras[view] for view in model.placed} - fixed - made)
    }
    asked = tuple(
        camera
        for camera, mine in of_camera.items()
        if len(mine) >= LEAST_VIEWS and counts[mine].sum() >= LEAST_OBSERVATIONS
    )
    job = FitJob(model, evidence.xy, cameras, fixed, ())
    return LookTask(job, asked, tuple(start.size for start in starts))


def _solved_again(
    evidence: Evidence,
    matches: Mapping[Pair, np.ndarray],
    first: tuple[Attempt, Look],
    task: LookTask,
    workers: Workers,
    options: SolveOptions,
) -> tuple[Attempt, Look, Evidence]:
    """Verify and solve once more on key points whose distortion is undone, and look again; the first result
    where that places fewer views.

    The limits of verification and mapper, 1 and 2 px, cut off what a pinhole can't explain, and with it half
    of a strong lens (k1 -0.3: the first choice misses a principal point that gains 0.0043 then). A second
    round changes rotations by less than 0.013 degrees.
    """
    best, look_before = first
    if look_before.model is None:
        raise ValueError("a lens comes with its model")
    known = _known_cameras(look_before.model, task, evidence, options)
    ideal = tuple(
        _undone(points, *known[camera]) for points, camera in zip(evidence.xy, task.job.camera_of_view)
    )
    with single_threaded():
        pairs = _verified(ideal, matches, options)
    again = replace(evidence, pairs=pairs, found=tuple(K for K, _ in known))

    def solve(job: MapperJob) -> MapperModel | None:
        model = solve_apart(replace(job, xy=ideal), workers)
        return None if model is None else _with_lenses(model, known, job.camera_of_view)

    attempt = best_attempt(run_attempts(again, solve, options, lambda done: None))
    if attempt is None or attempt.model is None or attempt.num_placed < best.num_placed:
        return best, look_before, evidence
    second = workers.apart(look, _from_the_middle(_task(evidence, attempt.model, options)))
    return attempt, second, again


def _known_cameras(
    model: MapperModel, task: LookTask, evidence: Evidence, options: SolveOptions
) -> list[tuple[np.ndarray, Lens | None]]:
    """Return intrinsics (3, 3) and lens of every camera: as the model has them, else as they are assumed."""
    starts = camera_starts(evidence.views, options.working_longest, None)
    known: list[tuple[np.ndarray, Lens | None]] = [(start.K, None) for start in starts]
    for k, view in enumerate(model.placed):
        known[task.job.camera_of_view[view]] = (model.cameras.K[k], lens_of(model, k))
    return known


def _undone(xy: np.ndarray, K: np.ndarray, lens: Lens | None) -> np.ndarray:
    """Return where a pinhole with the same K would show the key points (N, 2); NaN where the lens shows
    nothing.
    """
    if lens is None:
        return xy
    return pixels_of(K, undistort(lens, normalised(K, xy))).astype(xy.dtype)


def _verified(
    xy: Sequence[np.ndarray], matches: Mapping[Pair, np.ndarray], options: SolveOptions
) -> dict[Pair, VerifiedPair]:
    shown = [np.isfinite(points.sum(1)) for points in xy]
    kept = {(a, b): m[shown[a][m[:, 0]] & shown[b][m[:, 1]]] for (a, b), m in matches.items()}
    return verify_pairs(xy, kept, options.verify_px, options.min_inliers)


def _with_lenses(
    model: MapperModel, known: Sequence[tuple[np.ndarray, Lens | None]], camera_of_view: Sequence[int]
) -> MapperModel:
    """Return a model of undistorted key points as one of the photo's own: the lens beside its K, told for the
    focal that the mapper ended with.
    """
    lenses = []
    for k, view in enumerate(model.placed):
        K, lens = known[camera_of_view[view]]
        lenses.append(None if lens is None else lens.at_focal(model.cameras.K[k, 0, 0] / K[0, 0]))
    return replace(model, lenses=tuple(lenses))


def _from_the_middle(task: LookTask) -> LookTask:
    """Return the task with the principal points of its model in the middle, where all fits start."""
    job, K = task.job, task.job.model.cameras.K.copy()
    for k, view in enumerate(job.model.placed):
        camera = job.camera_of_view[view]
        if camera not in job.fixed:
            K[k, :2, 2] = (np.array(task.sizes[camera]) - 1) / 2
    cameras = Cameras(K, job.model.cameras.cam_from_world)
    return replace(task, job=replace(job, model=replace(job.model, cameras=cameras)))
