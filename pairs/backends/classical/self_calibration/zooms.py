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
_LEFT_GAIN = 0.03
"""What it may still remove when the zooms are told apart."""
_LEAST_GAP = np.log(1.03)
_GAP_SIGMAS = 5.0
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
    doubted = _doubted_cameras(evidence, best, fit, options)
    guessed = [zooms for zooms in doubted if not evidence.views[zooms.views[0]].camera_stated]
    wrong = [zooms for zooms in doubted if zooms.gain > _WRONG_GAIN]
    for group_of in _groupings(evidence, best, guessed, solve, fit, options):
        parted = _renamed(evidence, group_of)
        again = best_attempt(run_attempts(parted, solve, options, lambda done: None))
        if again is None or again.num_placed < best.num_placed or (again.doubtful and not best.doubtful):
            continue
        gain = _gain(evidence, best, parted, again, fit, options)
        if gain > _SUSPECT_GAIN:
            said = [_warning(evidence, zooms, options) for zooms in wrong if zooms not in guessed]
            found = _found_notice(evidence, group_of, again, gain, options)
            return Regrouping(parted, again, (*said, found))
    return Regrouping(evidence, best, tuple(_warning(evidence, zooms, options) for zooms in wrong))


def partitions(focal: np.ndarray, sigma: np.ndarray) -> Iterator[np.ndarray]:
    """Yield labels (n,) of focals in two groups, three, ...: cut at the widest gaps of their logarithm first,
    as far as these are above 3 % and five standard deviations of the log focals. Labels ascend with the
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


def _doubted_cameras(evidence: Evidence, best: Attempt, fit: Fitter, options: SolveOptions) -> list[Zooms]:
    """Return the cameras whose views a focal each explains much better."""
    model, cameras = _model_of(best), camera_of_view(evidence.views, options.working_longest)
    members: dict[int, list[int]] = {}
    for position, view in enumerate(model.placed):
        if evidence.views[view].K is None:
            members.setdefault(cameras[view], []).append(position)
    asked = [positions for positions in members.values() if len(positions) >= _FEWEST_VIEWS]
    if not asked:
        return []
    one, each = fit(_job(evidence, model, cameras, _ONE, _EACH))
    zooms = [_zooms(model, positions, one, each) for positions in asked]
    return [each for each in zooms if each.gain > _SUSPECT_GAIN]


def _zooms(model: MapperModel, positions: Sequence[int], one: CameraFit, each: CameraFit) -> Zooms:
    alone = {camera.positions[0]: camera for camera in each.cameras}
    mine = set(positions)
    shared = sum(camera.cost for camera in one.cameras if mine.issuperset(camera.positions))
    gain = 1 - sum(alone[k].cost for k in positions) / max(shared, np.finfo(float).tiny)
    focal = np.array([alone[k].focal for k in positions])
    sigma = np.array([alone[k].sigma_focal for k in positions]) / focal
    return Zooms(tuple(model.placed[k] for k in positions), gain, focal, sigma)


def _groupings(
    evidence: Evidence,
    best: Attempt,
    doubted: Sequence[Zooms],
    solve: Solver,
    fit: Fitter,
    options: SolveOptions,
) -> Iterator[dict[int, str]]:
    """Yield the group of every view of the doubted cameras: as the scene of one focal has them, and, where
    that was bent too far, as a scene that was solved with a focal for each view.
    """
    of_camera = [_views_like(evidence, zooms.views[0], options) for zooms in doubted]
    alone = {view: evidence.views[view].name for views in of_camera for view in views}
    if found := _fewest_groups(evidence, best, doubted, fit, options):
        yield found
    if all(zooms.gain <= _WRONG_GAIN for zooms in doubted):
        return
    again = best_attempt(run_attempts(_renamed(evidence, alone), solve, options, lambda done: None))
    if again is None:
        return
    model = _model_of(again)
    one, each = fit(
        _job(evidence, model, camera_of_view(evidence.views, options.working_longest), _ONE, _EACH)
    )
    placed = [[k for k, view in enumerate(model.placed) if view in views] for views in of_camera]
    seen = [_zooms(model, positions, one, each) for positions in placed if positions]
    if found := _fewest_groups(evidence, again, seen, fit, options):
        yield found


def _fewest_groups(
    evidence: Evidence, attempt: Attempt, zooms: Sequence[Zooms], fit: Fitter, options: SolveOptions
) -> dict[int, str]:
    """Return the group of every view with as few groups as leave a focal for each view next to no gain."""
    model, group_of = _model_of(attempt), dict[int, str]()
    for each in zooms:
        # A view that is not placed may have any zoom.
        unknown = _views_like(evidence, each.views[0], options)
        for labels in partitions(each.focal, each.sigma):
            group_of |= {view: evidence.views[view].name for view in unknown}
            group_of |= {view: f"zoom {label + 1}" for view, label in zip(each.views, labels)}
            parted = camera_of_view(_renamed(evidence, group_of).views, options.working_longest)
            fits = fit(_job(evidence, model, parted, _ONE, _EACH))
            positions = [model.placed.index(view) for view in each.views]
            if _zooms(model, positions, *fits).gain <= _LEFT_GAIN:
                break
    return group_of


def _gain(
    evidence: Evidence, best: Attempt, parted: Evidence, again: Attempt, fit: Fitter, options: SolveOptions
) -> float:
    """Return the share of the mean squared error, beside a lens, that the second scene removes."""
    mean = []
    for seen, attempt in ((evidence, best), (parted, again)):
        cameras = camera_of_view(seen.views, options.working_longest)
        (fitted,) = fit(_job(seen, _model_of(attempt), cameras, _ONE))
        mean.append(fitted.cost / fitted.observations)
    return 1 - mean[1] / mean[0]


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


def _found_notice(
    evidence: Evidence, group_of: Mapping[int, str], again: Attempt, gain: float, options: SolveOptions
) -> Notice:
    """Say which views were given which focal."""
    members: dict[str, list[str]] = {}
    for position, view in enumerate(_model_of(again).placed):
        if view in group_of:
            focal = _photo_focal(evidence, view, _model_of(again).cameras.K[position, 0, 0], options)
            members.setdefault(f"{focal:.0f} px", []).append(evidence.views[view].name)
    listed = "; ".join(f"{focal}: {first_few(names)}" for focal, names in members.items())
    return info(
        "cameras",
        (
            f"one focal does not explain all photos, so {len(members)} were solved ({listed}), which removes "
            f"{gain:.0%} of the squared error. State which photos share a zoom by `cameras` if this is wrong."
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
