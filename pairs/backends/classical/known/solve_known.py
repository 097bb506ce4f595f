"""From photos and stated poses to a scene (docs/known_poses.md, "The order of the work")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import networkx
import numpy as np

from masks.errors import FormatError, ReconstructionError, StatedCamerasError, UserError
from masks.notice import Notice, first_few, info, warning
from pairs.backends.classical.known.judgement import FIXED_MOST_PX, SOFT_MOST_RAD, SURE_PX, Judgement, judge
from pairs.backends.classical.known.match_evidence import (
    MatchEvidence,
    arc_distances,
    directions,
    match_evidence,
)
from pairs.backends.classical.known.register import near_cameras, registered
from pairs.backends.classical.known_mapper import KnownPosesJob, run_known_mapper
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Verdict, assess
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, best_attempt, run_attempts
from pairs.backends.classical.sfm.camera_groups import camera_of_view, camera_starts
from pairs.backends.classical.sfm.mapper import CameraStart, MapperModel, solve_apart
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.outcome import hand_over, require_enough, scene_notices
from pairs.backends.classical.sfm.solve import KIND as SOLVE_KIND
from pairs.backends.classical.sfm.solve import SceneSolve, solve_from_arrays, solve_to_arrays
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.backends.classical.solve_scene import PhotoEvidence, photo_evidence, solve_key
from pairs.backends.work import Work
from pairs.prediction.checks import fault_of_pose
from pairs.views.cameras import Cameras, camera_centres, nearest_to_lines
from pairs.views.pose_readings import Poses
from pairs.views.view import View

_KNOWN_PX, _LEAST_KNOWN = 2.0, 8
"""A match of two views with fixed poses counts when it lies so near; a wrong one does by chance one time in
a hundred."""
_FACTORS = tuple(np.geomspace(0.5, 8.0, 12))
"""Focals in longest sides that are tried where nobody knows one."""
_FINER = (1.13, 1.05, 1.02)
_FEW_POINTS = 30
_SLACK = 3.0
_CENTRE_SIGMA = 0.01
"""Of soft poses, in distances of the object, as the aligner believes them."""
_MOVED_RAD = np.deg2rad(10.0)
"""Soft poses that turn by more in the middle, while matches are fitted, were none of these photos."""
_ODD_DISTANCE = (0.05, 50.0)


def solve_known(
    views: Sequence[View], graph: networkx.Graph | None, work: Work, options: SolveOptions
) -> SceneSolve:
    """Return the scene in the world of the poses that some views state, or all.

    The poses are compared with the matches first. Raises `StatedCamerasError` naming contradiction and
    cause, otherwise as `solve_scene`.
    """
    _require_poses(views)
    if options.turntable_stated:
        raise UserError(f"`turntable={options.turntable}`: poses are known, so it says nothing. Omit it.")
    if len(views) < 2:
        raise ReconstructionError(f"{len(views)} usable photo: depth needs at least two. Add photos.")
    key = solve_key(views, graph, options)
    return work.store.get_or_make(
        SOLVE_KIND, key, lambda: solve_to_arrays(_solved(views, graph, work, options)), solve_from_arrays
    )


def _require_poses(views: Sequence[View]) -> None:
    posed = [view for view in views if view.cam_from_world is not None]
    for view in posed:
        if view.cam_from_world is not None and (fault := fault_of_pose(view.cam_from_world)):
            raise FormatError(f"{view.name}: {fault}")
    poses = np.stack([view.cam_from_world for view in posed if view.cam_from_world is not None])
    if len(posed) > 1 and (poses == poses[0]).all():
        raise StatedCamerasError(
            f"the stated poses of {first_few([view.name for view in posed])} are all the same: the cameras "
            "would stand in one place. Check the file, or leave it out: poses are found without."
        )


def _solved(
    views: Sequence[View], graph: networkx.Graph | None, work: Work, options: SolveOptions
) -> SceneSolve:
    stated = {k: view.cam_from_world for k, view in enumerate(views) if view.cam_from_world is not None}
    seen = photo_evidence(views, graph, work, options, near_cameras(stated))
    evidence, names = seen.evidence, [view.name for view in views]
    starts, judgement, notices = _compared(seen, stated, options)
    if judgement.fault:
        raise StatedCamerasError(judgement.fault, judgement.read_as)
    stated, doubts = _without_doubted(stated, judgement, names, options.fixed_poses)
    work.progress("scene", 0, 0)
    model = _model_at(seen, stated, starts, judgement, work, options)
    model = _in_their_world(model, stated, options.fixed_poses, names)
    attempt = _assessed(model, evidence, starts, options)
    attempt = require_enough(evidence, (attempt,), attempt)
    notices = [*seen.notices, *notices, *doubts, _scale_notice(model, len(stated))]
    return hand_over(
        evidence, attempt, (*notices, *scene_notices(evidence, (attempt,), attempt, options)), options
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What matches say of poses, and with which cameras."""

    evidence: MatchEvidence
    starts: tuple[CameraStart, ...]
    rough: bool
    """Focals were looked for."""


def _asked(seen: PhotoEvidence, chosen: Sequence[int], poses: Poses, options: SolveOptions) -> _Asked:
    """Return the evidence about some views, with the focals that suit their poses best where none is
    stated.
    """
    views = seen.evidence.views
    cameras = camera_of_view(views, options.working_longest)

    def at(factors: Sequence[float | None]) -> tuple[MatchEvidence, list[tuple[CameraStart, ...]]]:
        starts = [camera_starts(views, options.working_longest, factor) for factor in factors]
        K = [[each[camera].K for camera in cameras] for each in starts]
        return match_evidence(seen.evidence.xy, seen.evidence.pairs, chosen, K), starts

    factors: list[float | None] = [None]
    rough = any(views[view].K is None for view in chosen)
    found, starts = at([None, *_FACTORS] if rough else factors)
    if rough and len(found.pair):
        factors += _FACTORS
        for finer in _FINER:
            best = found.best_focal(poses)
            factor = factors[best] or starts[best][0].K[0, 0] / max(starts[best][0].size)
            factors += [factor / finer, factor * finer]
            found, starts = at(factors)
    best = found.best_focal(poses) if len(found.pair) else 0
    return _Asked(found, starts[best], rough)


def _compared(
    seen: PhotoEvidence, stated: Mapping[int, np.ndarray], options: SolveOptions
) -> tuple[tuple[CameraStart, ...], Judgement, list[Notice]]:
    """Return the cameras that suit the stated poses best, what the matches say of these, and what the report
    says of that.
    """
    chosen = sorted(stated)
    poses = _poses_of([stated[view] for view in chosen])
    asked = _asked(seen, chosen, poses, options)
    if not len(asked.evidence.pair):
        text = (
            "not compared with the photos: no two photos with poses have enough matches. Look at the scene "
            "before use."
        )
        return asked.starts, Judgement(0.0), [warning("known poses", text)]
    names = [seen.evidence.views[view].name for view in chosen]
    most_px = _most_px(asked.evidence, options.fixed_poses and not asked.rough)
    judgement = judge(asked.evidence, poses, names, most_px, asked.rough)
    doubted = {chosen[k]: text for k, text in judgement.doubted.items()}
    notice = _distance_notice(judgement, len(asked.evidence.pair), options.fixed_poses)
    return asked.starts, replace(judgement, doubted=doubted), [notice]


def pose_distances(
    views: Sequence[View], senses: Sequence[Mapping[int, np.ndarray]], work: Work, options: SolveOptions
) -> tuple[float, ...]:
    """Return how far the matches of views lie from where poses (4, 4), by view, put them, in working pixels:
    for each of several senses of the same poses. Infinite where nothing can be compared.
    """
    seen = photo_evidence(views, None, work, options)
    distances = []
    for stated in senses:
        chosen = sorted(stated)
        poses = _poses_of([stated[view] for view in chosen])
        evidence = _asked(seen, chosen, poses, options).evidence
        far = not len(evidence.pair)
        distances.append(np.inf if far else evidence.middle(evidence.misfits(poses)))
    return tuple(distances)


def _poses_of(matrices: Sequence[np.ndarray]) -> Poses:
    stacked = np.stack(matrices)
    return stacked[:, :3, :3], stacked[:, :3, 3]


def _most_px(evidence: MatchEvidence, fixed: bool) -> float:
    return FIXED_MOST_PX if fixed else max(FIXED_MOST_PX, float(np.median(evidence.focal)) * SOFT_MOST_RAD)


def _distance_notice(judgement: Judgement, pairs: int, fixed: bool) -> Notice:
    off = judgement.distance_px
    text = (
        f"compared with the photos: matches of {pairs} pairs lie {off:.2f} px from where the poses put them."
    )
    if off > SURE_PX and fixed:
        return warning(
            "known poses",
            f"{text} They stay as they are; `poses=soft` lets the matches improve them.",
        )
    return info("known poses", text)


def _without_doubted(
    stated: Mapping[int, np.ndarray], judgement: Judgement, names: Sequence[str], fixed: bool
) -> tuple[dict[int, np.ndarray], list[Notice]]:
    """Return the poses without those that the others contradict. Raises `StatedCamerasError` where they
    would stay.
    """
    doubted = judgement.doubted
    if fixed and doubted:
        remarks = " ".join(dict.fromkeys(doubted.values()))
        raise StatedCamerasError(
            f"the stated poses of {first_few([names[view] for view in doubted])} contradict those of the "
            f"others, by the matches of the photos, and frozen ones would stay. {remarks}"
        )
    text = "its stated pose contradicts those of the others: it is placed by its matches."
    return {view: pose for view, pose in stated.items() if view not in doubted}, [
        warning(names[view], f"{text} {remark}") for view, remark in doubted.items()
    ]


def _model_at(
    seen: PhotoEvidence,
    stated: Mapping[int, np.ndarray],
    starts: tuple[CameraStart, ...],
    judgement: Judgement,
    work: Work,
    options: SolveOptions,
) -> MapperModel:
    """Return the scene at the stated poses, with the other views placed in it.

    Where too few views have one to triangulate from, the scene is solved without, brought to them, and
    triangulated again.
    """
    evidence, fixed = seen.evidence, options.fixed_poses
    cameras = camera_of_view(evidence.views, options.working_longest)
    job = KnownPosesJob(
        evidence.xy,
        starts,
        cameras,
        _pairs_at(seen, stated, [starts[camera].K for camera in cameras])
        if fixed and all(start.fixed for start in starts)
        else evidence.pairs,
        options.seed,
        cam_from_world=stated,
        fixed=fixed,
        # Where everything is stated, nothing can come nearer.
        start_px=0.0 if fixed and all(start.fixed for start in starts) else _SLACK * judgement.distance_px,
        centre_sigma=_CENTRE_SIGMA * _usual_distance(stated),
    )
    model = solve_apart(job, work.workers, run_known_mapper) if len(stated) > 1 else None
    if model is None or len(model.points) < _FEW_POINTS:
        if len(stated) == len(evidence.views):
            raise StatedCamerasError(_NO_POINTS)
        attempts = run_attempts(evidence, lambda job: solve_apart(job, work.workers), options, lambda _: None)
        free = require_enough(evidence, attempts, best_attempt(attempts)).model
        if free is None or not set(free.placed) & set(stated):
            raise ReconstructionError(
                "no photo with a known pose hangs together with the others. Add photos between them."
            )
        others = registered(free, stated)
        job = replace(job, starts=others, cameras=_with_focals(starts, cameras, free))
        model = solve_apart(job, work.workers, run_known_mapper)
    if model is None or len(model.points) < _FEW_POINTS:
        raise StatedCamerasError(_NO_POINTS)
    return model


_NO_POINTS = (
    "at the stated poses hardly a match becomes a point of the scene: they are not accurate enough to stay, "
    "or not of these photos. Use `poses=soft`, or leave them out: poses are found without."
)


def _with_focals(
    starts: tuple[CameraStart, ...], cameras: Sequence[int], free: MapperModel
) -> tuple[CameraStart, ...]:
    """Return the cameras with the focals that a solve has found."""
    solved = {cameras[view]: K for view, K in zip(free.placed, free.cameras.K)}
    return tuple(
        start if start.fixed or k not in solved else replace(start, K=solved[k])
        for k, start in enumerate(starts)
    )


def _pairs_at(
    seen: PhotoEvidence, stated: Mapping[int, np.ndarray], K: Sequence[np.ndarray]
) -> dict[Pair, VerifiedPair]:
    """Return the pairs with the matches that lie where two fixed poses put them; others as they were
    verified without.
    """
    evidence = seen.evidence
    pairs = {pair: found for pair, found in evidence.pairs.items() if not {*pair} <= set(stated)}
    for (a, b), matches in seen.matches.items():
        if a not in stated or b not in stated or not len(matches):
            continue
        R = stated[b][:3, :3] @ stated[a][:3, :3].T
        t = stated[b][:3, 3] - R @ stated[a][:3, 3]
        towards_a = t / max(float(np.linalg.norm(t)), 1e-300)
        rays = [directions(K[v], evidence.xy[v][matches[:, side]])[None] for side, v in enumerate((a, b))]
        angle = arc_distances(R[None], towards_a[None], *rays)[0]
        agreeing = matches[angle * K[b][0, 0] <= _KNOWN_PX]
        if len(agreeing) >= _LEAST_KNOWN:
            pairs[a, b] = VerifiedPair(_fundamental(R, t, K[a], K[b]), agreeing, len(agreeing) / len(matches))
    return pairs


def _fundamental(R: np.ndarray, t: np.ndarray, K_a: np.ndarray, K_b: np.ndarray) -> np.ndarray:
    across = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
    return np.linalg.inv(K_b).T @ across @ R @ np.linalg.inv(K_a)


def _usual_distance(stated: Mapping[int, np.ndarray]) -> float:
    """Return how far cameras stand from what they look at, as far as their poses tell."""
    if len(stated) < 2:
        return 1.0
    poses = np.stack(list(stated.values()))
    centres, axes = camera_centres(poses), poses[:, 2, :3]
    # The point next to all optical axes; parallel ones meet nowhere, and the cameras' spread must do.
    middle = nearest_to_lines(centres, axes, rcond=1e-3)
    return float(np.median(np.linalg.norm(centres - middle, axis=1)))


def _in_their_world(
    model: MapperModel, stated: Mapping[int, np.ndarray], fixed: bool, names: Sequence[str]
) -> MapperModel:
    """Return the model with fixed poses to the bit, or brought back to where the improved ones were."""
    poses = model.cameras.cam_from_world.copy()
    if fixed:
        for k, view in enumerate(model.placed):
            poses[k] = stated.get(view, poses[k])
        return replace(model, cameras=Cameras(model.cameras.K, poses))
    turned = [
        float(np.arccos(np.clip((np.trace(poses[k, :3, :3] @ stated[view][:3, :3].T) - 1) / 2, -1, 1)))
        for k, view in enumerate(model.placed)
        if view in stated
    ]
    if turned and np.median(turned) > _MOVED_RAD:
        raise StatedCamerasError(
            f"the matches turn the stated poses of {first_few([names[view] for view in stated])} by "
            f"{np.degrees(np.median(turned)):.0f} degrees: they are poses of other photos, or far less "
            "accurate than needed. Check them, or leave them out: poses are found without."
        )
    return model


def _assessed(
    model: MapperModel, evidence: Evidence, starts: Sequence[CameraStart], options: SolveOptions
) -> Attempt:
    """Judge the model by the silhouettes; what they contradict is handed on as doubtful, since the poses were
    stated.
    """
    cameras = camera_of_view(evidence.views, options.working_longest)
    of_views = [starts[camera] for camera in cameras]
    found = assess(model, evidence.xy, evidence.masks, of_views, options)
    if found.verdict is Verdict.REJECTED:
        doubtful = Verdict.DOUBTFUL if found.mask_share is not None else Verdict.UNCHECKED
        found = replace(found, verdict=doubtful)
    kept = "kept" if options.fixed_poses else "improved"
    return Attempt("known poses", f"{kept}, points triangulated at them", model, found)


def _scale_notice(model: MapperModel, poses: int) -> Notice:
    """Say in which unit the scene is, by the distance of the object."""
    distance = _object_distance(model)
    if poses == 1:
        text = "one pose sets place and turn of the world, but no scale: it is arbitrary. State a second one."
        return warning("known poses", text)
    text = f"world and scale are those of the known poses: the object is {distance:.3g} units away."
    small, large = _ODD_DISTANCE
    if distance > large:
        text += " These look like millimetres or centimetres; they stay."
    elif distance < small:
        text += " That is very near for metres; it stays."
    return info("known poses", text)


def _object_distance(model: MapperModel) -> float:
    position = model.observed_by
    in_camera = np.einsum(
        "mj,mj->m", model.cameras.cam_from_world[position, 2, :3], model.points[model.observed_point]
    )
    return float(np.median(in_camera + model.cameras.cam_from_world[position, 2, 3]))
