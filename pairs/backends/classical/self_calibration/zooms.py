"""Zooms that were taken for one camera, told apart on the finished scene
(docs/camera_groups.md, "What the solve checks").

Two zooms under one focal look healthy: every view is placed, the silhouettes fit, and the camera centres are
off by a tenth of their distance. A focal for each view betrays them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from masks.notice import Notice, first_few, info, warning
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.self_calibration.camera_fits import CameraFit, FitJob, FreeParameters
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, Solver, best_attempt, run_attempts
from pairs.backends.classical.sfm.camera_groups import camera_of_view
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.working_image import working_map

Fitter = Callable[[FitJob], tuple[CameraFit, ...]]
"""Runs the fits of a job."""

_FEWEST_VIEWS = 5
_SUSPECT_GAIN, _WRONG_GAIN = 0.05, 0.2
"""Shares of the squared error that a focal for each view removes: from the first on groups are looked for,
from the second on one focal is wrong even where none are found. Zooms of 1 : 1.3 have 0.22 to 0.79, 1 : 1.1
0.07; where one focal is right it is at most 0.02, lens or not."""
_CLEAR_SPREAD = 3.5
"""Standard deviations that the views' focals differ by, as a whole, where one focal is wrong at a lesser gain
too: a zoom that goes on from photo to photo is mostly explained by cameras that draw back. One from 1 to 0.6
over ten photos: a gain of 0.08, 5.2 deviations, and cameras 3.7 degrees off."""
_LEFT_GAIN = 0.03
"""What it may still remove when the zooms are told apart."""
_MOST_ROUNDS = 3
_LEAST_GAP = np.log(1.03)
_GAP_SIGMAS = 3.5
# Beside a lens: without one, its bend passes for zooms (a barrel of 3 % on fountain-P11: 0.16, beside it
# 0.02).
_ONE = FreeParameters(coefficients=2)
_EACH = FreeParameters(coefficients=2, focal_of_each_view=True)


@dataclass(frozen=True, slots=True)
class Regrouping:
    """The scene with the cameras that were found."""

    evidence: Evidence
    """Its views have the ids of these cameras."""
    best: Attempt
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Zooms:
    """The focals that the views of one camera would rather have."""

    views: tuple[int, ...]
    """Its placed views."""
    gain: float
    """Share of the squared error that a focal for each of them removes."""
    focal: np.ndarray  # (n,), working pixels
    sigma: np.ndarray  # (n,), of the log focal


def regrouped(
    evidence: Evidence, best: Attempt, solve: Solver, fit: Fitter, options: SolveOptions
) -> Regrouping:
    """Return the scene solved again with zooms told apart, where one focal does not explain a camera's views;
    else the scene as it is, with a warning where this was seen and not mended.

    Cameras of fewer than five placed views, and stated intrinsics, are left alone; cameras that the user
    stated are never parted.
    """
    scene = Regrouping(evidence, best)
    doubted = _doubted_cameras(scene, fit, options)
    for _ in range(_MOST_ROUNDS):
        guessed = [zooms for zooms in doubted if not evidence.views[zooms.views[0]].camera_stated]
        parted = _groupings(scene, guessed, solve, fit, options)
        better = next((each for each in parted if _removes(scene, each, fit, options) > _SUSPECT_GAIN), None)
        if better is None:
            break
        # The views of one zoom fit better now, so that others may show among them.
        scene, doubted = better, _doubted_cameras(better, fit, options)
    notices = [_warning(evidence, zooms, options) for zooms in doubted if one_focal_is_wrong(zooms)]
    if scene.best is best:
        return replace(scene, notices=tuple(notices))
    joined = _joined(evidence, scene, solve, options)
    if joined is not None and _removes(scene, joined, fit, options) > -_LEFT_GAIN:
        scene = joined
    return replace(scene, notices=(*notices, _found_notice(evidence, scene, options)))


def one_focal_is_wrong(zooms: Zooms) -> bool:
    """Tell whether one focal surely does not explain the views."""
    if zooms.gain <= _SUSPECT_GAIN:
        return False
    known = np.isfinite(zooms.sigma) & (zooms.sigma > 0)
    log, sigma = np.log(zooms.focal[known]), zooms.sigma[known]
    if zooms.gain > _WRONG_GAIN or len(log) < _FEWEST_VIEWS:
        return zooms.gain > _WRONG_GAIN
    mean = np.average(log, weights=1 / sigma**2)
    return bool(np.sum(((log - mean) / sigma) ** 2) > _CLEAR_SPREAD**2 * (len(log) - 1))


def partitions(focal: np.ndarray, sigma: np.ndarray) -> Iterator[np.ndarray]:
    """Yield labels (n,) of focals in two groups, three, ...: cut at the widest gaps of their logarithm first,
    as far as these are above 3 % and 3.5 standard deviations of the log focals. Labels ascend with the
    focal.
    """
    order = np.argsort(focal, kind="stable")
    gap = np.diff(np.log(focal[order]))
    doubt = np.hypot(sigma[order][1:], sigma[order][:-1])
    # False where a deviation is not known.
    wide = np.flatnonzero((gap > _LEAST_GAP) & (gap > _GAP_SIGMAS * doubt))
    cuts = wide[np.argsort(-gap[wide], kind="stable")]
    for count in range(1, len(cuts) + 1):
        labels = np.empty(len(focal), int)
        labels[order] = np.searchsorted(np.sort(cuts[:count]), np.arange(len(focal)))
        yield labels


def _doubted_cameras(scene: Regrouping, fit: Fitter, options: SolveOptions) -> list[Zooms]:
    """Return the cameras whose views a focal each explains much better."""
    return [zooms for zooms in _all_zooms(scene, fit, options) if zooms.gain > _SUSPECT_GAIN]


def _all_zooms(scene: Regrouping, fit: Fitter, options: SolveOptions) -> list[Zooms]:
    """Return what the views of every camera say that has enough of them and no stated K."""
    evidence, model = scene.evidence, _model_of(scene.best)
    cameras = camera_of_view(evidence.views, options.working_longest)
    members: dict[int, list[int]] = {}
    for position, view in enumerate(model.placed):
        if evidence.views[view].K is None:
            members.setdefault(cameras[view], []).append(position)
    asked = [positions for positions in members.values() if len(positions) >= _FEWEST_VIEWS]
    if not asked:
        return []
    one, each = fit(_job(evidence, model, cameras, _ONE, _EACH))
    return [_zooms(model, positions, one, each) for positions in asked]


def _zooms(model: MapperModel, positions: Sequence[int], one: CameraFit, each: CameraFit) -> Zooms:
    alone, mine = {camera.positions[0]: camera for camera in each.cameras}, set(positions)
    shared = [camera for camera in one.cameras if mine.issuperset(camera.positions)]
    cost, count = sum(camera.cost for camera in shared), sum(camera.observations for camera in shared)
    # The lens of a single view with few observations may end before its rim: such a view gains nothing.
    usual = {k: cost * alone[k].observations / count for k in positions}
    left = sum(alone[k].cost if np.isfinite(alone[k].cost) else usual[k] for k in positions)
    gain = 1 - left / max(cost, np.finfo(float).tiny)
    focal = np.array([alone[k].focal for k in positions])
    sigma = np.array([alone[k].sigma_focal for k in positions]) / focal
    return Zooms(tuple(model.placed[k] for k in positions), gain, focal, sigma)


def _groupings(
    scene: Regrouping, doubted: Sequence[Zooms], solve: Solver, fit: Fitter, options: SolveOptions
) -> Iterator[Regrouping]:
    """Yield scenes that were solved with the doubted cameras' views in groups, the most wanted first: few
    groups that leave next to nothing to explain, as the scene at hand has them, or, where one focal is surely
    wrong, as a scene with a focal for each view has them; that scene; groups that leave more.
    """
    groups, suffice = _fewest_groups(scene, doubted, fit, options)
    parted = _solved(scene.evidence, groups, solve, options)
    if parted is not None and suffice:
        yield parted
    wrong = [zooms for zooms in doubted if one_focal_is_wrong(zooms)]
    members = [_views_like(scene.evidence, zooms.views[0], options) for zooms in wrong]
    alone = {view: scene.evidence.views[view].name for views in members for view in views}
    apart = _solved(scene.evidence, alone, solve, options)
    if apart is not None:
        as_one = replace(apart, evidence=scene.evidence)
        asked = [zooms for zooms in _all_zooms(as_one, fit, options) if zooms.views[0] in alone]
        groups, suffice = _fewest_groups(as_one, asked, fit, options)
        better = _solved(scene.evidence, groups, solve, options) if suffice else None
        yield from (each for each in (better, apart) if each is not None)
    if parted is not None:
        yield parted


def _fewest_groups(
    scene: Regrouping, zooms: Sequence[Zooms], fit: Fitter, options: SolveOptions
) -> tuple[dict[int, str], bool]:
    """Return the group of every view with as few groups as leave a focal for each view next to no gain, and
    whether they do.
    """
    evidence, model, group_of, suffice = scene.evidence, _model_of(scene.best), dict[int, str](), True
    for each in zooms:
        # A view that is not placed may have any zoom.
        unknown = _views_like(evidence, each.views[0], options)
        left = each.gain
        for labels in partitions(each.focal, each.sigma):
            group_of |= {view: evidence.views[view].name for view in unknown}
            group_of |= {view: f"zoom {label + 1}" for view, label in zip(each.views, labels)}
            parted = camera_of_view(_renamed(evidence, group_of).views, options.working_longest)
            fits = fit(_job(evidence, model, parted, _ONE, _EACH))
            left = _zooms(model, [model.placed.index(view) for view in each.views], *fits).gain
            if left <= _LEFT_GAIN:
                break
        suffice = suffice and left <= _LEFT_GAIN
    return group_of, suffice


def _solved(
    evidence: Evidence, group_of: Mapping[int, str], solve: Solver, options: SolveOptions
) -> Regrouping | None:
    """Return the scene of these groups; none where there are no groups, or no scene of them."""
    parted = _renamed(evidence, group_of)
    best = best_attempt(run_attempts(parted, solve, options, lambda done: None)) if group_of else None
    return None if best is None else Regrouping(parted, best)


def _joined(evidence: Evidence, scene: Regrouping, solve: Solver, options: SolveOptions) -> Regrouping | None:
    """Return the scene solved again with groups of one camera in one where their focals came out nearly
    equal: a scene that was bent far tears them apart. None where there are no such groups.
    """
    model, cameras = _model_of(scene.best), camera_of_view(evidence.views, options.working_longest)
    group_of = {view: evidence.views[view].name for view in _parted_views(evidence, scene)}
    too_many = 0
    for camera in sorted({cameras[view] for view in group_of}):
        mine = {v: float(K[0, 0]) for v, K in zip(model.placed, model.cameras.K) if cameras[v] == camera}
        widest: list[float] = []
        for focal in sorted(set(mine.values())):
            if widest and np.log(focal / widest[-1]) <= _LEAST_GAP:
                too_many += 1
            else:
                widest.append(focal)
        group_of |= {view: f"zoom {np.searchsorted(widest, focal, 'right')}" for view, focal in mine.items()}
    return _solved(evidence, group_of, solve, options) if too_many else None


def _parted_views(evidence: Evidence, scene: Regrouping) -> list[int]:
    """Return the views whose camera the scene does not share with all that had it."""
    return [k for k, (a, b) in enumerate(zip(evidence.views, scene.evidence.views)) if a.camera != b.camera]


def _removes(scene: Regrouping, other: Regrouping, fit: Fitter, options: SolveOptions) -> float:
    """Return the share of the mean squared error that another scene removes; less than any where it places
    fewer views or is more doubtful.
    """
    if other.best.num_placed < scene.best.num_placed or (other.best.doubtful and not scene.best.doubtful):
        return -np.inf
    before, after = (_mean_square(each, fit, options) for each in (scene, other))
    return 1 - after / before


def _mean_square(scene: Regrouping, fit: Fitter, options: SolveOptions) -> float:
    """Return the mean squared error of a scene beside a lens."""
    cameras = camera_of_view(scene.evidence.views, options.working_longest)
    (fitted,) = fit(_job(scene.evidence, _model_of(scene.best), cameras, _ONE))
    return fitted.cost / fitted.observations


def _views_like(evidence: Evidence, view: int, options: SolveOptions) -> list[int]:
    """Return all views, placed or not, of a view's camera."""
    cameras = camera_of_view(evidence.views, options.working_longest)
    return [other for other, camera in enumerate(cameras) if camera == cameras[view]]


def _job(evidence: Evidence, model: MapperModel, cameras: Sequence[int], *wanted: FreeParameters) -> FitJob:
    fixed = frozenset(camera for camera, view in zip(cameras, evidence.views) if view.K is not None)
    return FitJob(model, evidence.xy, tuple(cameras), fixed, wanted)


def _renamed(evidence: Evidence, group_of: Mapping[int, str]) -> Evidence:
    """Return the evidence with the groups as part of the views' camera ids."""
    views = tuple(
        replace(view, camera=f"{view.camera} {group_of[k]}") if k in group_of else view
        for k, view in enumerate(evidence.views)
    )
    return replace(evidence, views=views)


def _model_of(attempt: Attempt) -> MapperModel:
    if attempt.model is None:
        raise ValueError("an attempt without a model has no zooms")
    return attempt.model


def _found_notice(evidence: Evidence, scene: Regrouping, options: SolveOptions) -> Notice:
    """Say which views were given which focal."""
    members: dict[str, list[str]] = {}
    model, parted = _model_of(scene.best), set(_parted_views(evidence, scene))
    for view, K in zip(model.placed, model.cameras.K):
        if view in parted:
            focal = f"{_photo_focal(evidence, view, K[0, 0], options):.0f} px"
            members.setdefault(focal, []).append(evidence.views[view].name)
    listed = [f"{focal}: {first_few(names)}" for focal, names in members.items()]
    return info(
        "cameras",
        (
            f"one focal does not explain all photos, so {len(members)} were solved "
            f"({first_few(listed, '; ')}). State which photos share a zoom by `cameras` if this is wrong."
        ),
    )


def _warning(evidence: Evidence, zooms: Zooms, options: SolveOptions) -> Notice:
    """Say that views contradict one focal, and which lie on either side of the widest gap."""
    order = np.argsort(zooms.focal, kind="stable")
    cut = int(np.argmax(np.diff(np.log(zooms.focal[order])))) + 1
    sides = []
    for side in (order[:cut], order[cut:]):
        focal = _photo_focal(evidence, zooms.views[side[0]], float(np.median(zooms.focal[side])), options)
        names = [evidence.views[zooms.views[k]].name for k in np.sort(side)]
        sides.append(f"about {focal:.0f} px: {first_few(names)}")
    stated = evidence.views[zooms.views[0]].camera_stated
    remedy = (
        "Check the stated `cameras`."
        if stated
        else "Tell which photos share a zoom by `cameras`: a file with lines `name group`, one a photo."
    )
    return warning(
        "cameras",
        (
            f"the focal seems to change between photos of one camera: a focal for each removes "
            f"{zooms.gain:.0%} of the squared error ({'; '.join(sides)}). They were solved with one, which "
            f"may bend the scene. {remedy}"
        ),
    )


def _photo_focal(evidence: Evidence, view: int, focal: float, options: SolveOptions) -> float:
    """Return a focal of the working picture in pixels of the photo."""
    return focal / working_map(evidence.views[view], options.working_longest).scale[0]
