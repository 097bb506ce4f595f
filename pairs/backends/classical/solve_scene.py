"""From photos and masks to cameras and scene points (docs/classical_backend.md, "The order of the work").

The cameras come first, from sharp points alone, because dense depth needs them and cannot repair them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

import networkx
import numpy as np

from masks.errors import MaskError, ReconstructionError
from masks.notice import SHOWN, Notice, info, left_out, warning
from masks.progress import Progress
from pairs.backends.classical.completion.complete import (
    completed,
    completion_notices,
    require_completion,
    require_masks,
)
from pairs.backends.classical.completion.unfolding import unfolded
from pairs.backends.classical.keys import photo_key, stage_key
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.self_calibration.camera_fits import CameraFit, FitJob, fit_cameras
from pairs.backends.classical.self_calibration.chosen_cameras import with_chosen_cameras
from pairs.backends.classical.self_calibration.stated_check import stated_camera_notices
from pairs.backends.classical.self_calibration.zooms import regrouped
from pairs.backends.classical.sfm.attempts import Evidence, best_attempt, run_attempts
from pairs.backends.classical.sfm.candidates import promising_pairs
from pairs.backends.classical.sfm.features import (
    KIND,
    Features,
    features_from_arrays,
    features_key,
    find_features,
)
from pairs.backends.classical.sfm.mapper import MapperJob, MapperModel, require_mapper, solve_apart
from pairs.backends.classical.sfm.matching import (
    MATCHES_KIND,
    MatchTask,
    Pair,
    indices_from_arrays,
    match_features,
    matches_key,
    merge_doubles,
)
from pairs.backends.classical.sfm.outcome import hand_over, require_enough, scene_notices
from pairs.backends.classical.sfm.repeats import repeat_notices, repeated_views
from pairs.backends.classical.sfm.solve import KIND as SOLVE_KIND
from pairs.backends.classical.sfm.solve import SceneSolve, solve_from_arrays, solve_to_arrays
from pairs.backends.classical.sfm.stationary import StationaryReport, nothing_moves, reject_stationary
from pairs.backends.classical.sfm.verification import VerifiedPair, verify_pairs
from pairs.backends.classical.sfm.working_image import working_mask
from pairs.backends.work import Work, cached_map
from pairs.engines.processes import single_threaded
from pairs.views.view import View

_WARNED_STATIC = 0.05
"""Share of key points that stand still above which the report warns."""


def solve_scene(
    views: Sequence[View], graph: networkx.Graph | None, work: Work, options: SolveOptions
) -> SceneSolve:
    """Place the views' cameras and the scene points that they share.

    Which pairs are matched does not depend on the graph (nodes are indices into `views`): a star or a narrow
    window would make a poor scene. It says which views the user holds for neighbours, and its pairs are tried
    alone when the scene of all pairs contradicts the silhouettes. Finished features, matches and solves are
    read from the store, whatever the grid. Views that cannot be placed are named in the notices with the
    reason. Raises `ReconstructionError` or `MaskError` when the photos do not say enough, `SolverError` when
    the mapper dies.
    """
    if len(views) < 2:
        raise ReconstructionError(
            f"{len(views)} usable photo: depth needs at least two. Add photos of the same object from "
            "other sides."
        )
    key = solve_key(views, graph, options)
    # A finished solve needs no mapper, so it goes on where there is no wheel of it.
    return work.store.get_or_make(
        SOLVE_KIND, key, lambda: solve_to_arrays(_solved(views, graph, work, options)), solve_from_arrays
    )


def _solved(
    views: Sequence[View], graph: networkx.Graph | None, work: Work, options: SolveOptions
) -> SceneSolve:
    require_mapper()
    return scene_of(matched_views(views, work, options), graph, work, options)


@dataclass(frozen=True, slots=True)
class MatchedViews:
    """Views, their key points, and which of them look alike."""

    views: tuple[View, ...]
    xy: tuple[np.ndarray, ...]  # per view (N, 2) float32, working pixels
    masks: tuple[np.ndarray | None, ...]  # per view, on the working picture
    matches: dict[Pair, np.ndarray]  # (M, 2) int32, key points of both views


def matched_views(
    views: Sequence[View], work: Work, options: SolveOptions, also: Sequence[Pair] = ()
) -> MatchedViews:
    """Find and match the views' features, of the promising pairs and others `also`.

    Raises `MaskError` and `ReconstructionError` as `solve_scene`.
    """
    masks = tuple(working_mask(view, options.working_longest) for view in views)
    if all(mask is not None and not mask.any() for mask in masks):
        raise MaskError(
            f"{len(views)} masks, and no pixel of the object in any of them. Check the masks' polarity: "
            "white is the object."
        )
    require_masks(masks, options)
    features = _features(views, work, options)
    # A stated turntable needs none.
    if not options.turntable_stated:
        _require_texture(views, features, options)
    pairs = sorted({*_candidates(views, features, work.progress, options), *also})
    matches = _matches(views, pairs, work, options)
    return MatchedViews(tuple(views), tuple(f.xy for f in features), masks, matches)


def scene_of(
    matched: MatchedViews, graph: networkx.Graph | None, work: Work, options: SolveOptions
) -> SceneSolve:
    """Place the cameras of matched views, and choose their lenses; see `solve_scene`."""
    with single_threaded():
        verified = _verified(matched, work.progress, options)
    evidence = _evidence(matched, verified, graph)
    work.progress("scene", 0, 0)

    def solve(job: MapperJob) -> MapperModel | None:
        return solve_apart(job, work.workers)

    attempts = run_attempts(
        evidence,
        solve,
        options,
        lambda done: work.progress("scene", done, 0),
        lambda tries: unfolded(evidence, tries, work.workers, options),
    )
    found = best_attempt(attempts)
    more = completed(evidence, found, solve, work.workers, options)
    if more.attempt is not None:
        said = scene_notices(evidence, (more.attempt,), more.attempt, options)
        # Where outlines place all views anew, what became of the others' folds is no matter.
        before = found.notices if found and len(more.by_outline) < more.attempt.num_placed else ()
        said = (*before, *completion_notices(more, said, found))
        notices = (*_empty_mask_notices(matched), *verified.notices, *said)
        # Its poses are the circle's: neither a lens nor a focal a view may move them.
        return replace(hand_over(evidence, more.attempt, notices, options), by_outline=more.by_outline)
    require_completion(more, found)
    best = require_enough(evidence, attempts, found)

    def fit(job: FitJob) -> tuple[CameraFit, ...]:
        return work.workers.apart(fit_cameras, job)

    # Before the lens: under one focal for two zooms every lens looks wanted.
    scene = regrouped(evidence, best, solve, fit, options)
    evidence = scene.evidence
    best, lenses = with_chosen_cameras(evidence, verified.matches, scene.best, work.workers, options)
    doubts = stated_camera_notices(evidence, best, fit, options)
    said = completion_notices(more, scene_notices(evidence, attempts, best, options), best)
    solved = (*scene.notices, *doubts, *said, *lenses)
    notices = (*_empty_mask_notices(matched), *verified.notices, *solved)
    return hand_over(evidence, best, notices, options)


@dataclass(frozen=True, slots=True)
class PhotoEvidence:
    """What photos say before any camera is placed."""

    evidence: Evidence
    matches: dict[Pair, np.ndarray]  # (M, 2) int each
    """All matches of every pair that was tried, verified or not."""
    notices: tuple[Notice, ...]


def photo_evidence(
    views: Sequence[View],
    graph: networkx.Graph | None,
    work: Work,
    options: SolveOptions,
    also: Sequence[Pair] = (),
) -> PhotoEvidence:
    """Find features, match the promising pairs and some others `also`, and verify them.

    Raises `ReconstructionError` or `MaskError` when the photos do not say enough.
    """
    require_mapper()
    matched = matched_views(views, work, options, also)
    with single_threaded():
        verified = _verified(matched, work.progress, options)
    evidence = _evidence(matched, verified, graph)
    return PhotoEvidence(evidence, verified.matches, (*_empty_mask_notices(matched), *verified.notices))


def solve_key(views: Sequence[View], graph: networkx.Graph | None, options: SolveOptions) -> str:
    """Return the store's key of a solve: all that it is made of."""
    known = [
        [
            view.name,
            photo_key(view),
            view.camera,
            view.focal_exif,
            *(None if stated is None else stated.tolist() for stated in (view.K, view.cam_from_world)),
            *(["stated"] if view.camera_stated else []),
        ]
        for view in views
    ]
    edges = None if graph is None else [list(pair) for pair in sorted(_graph_pairs(graph) or ())]
    return stage_key(SOLVE_KIND, known, edges, asdict(options))


def _evidence(matched: MatchedViews, verified: _Verified, graph: networkx.Graph | None) -> Evidence:
    return Evidence(
        matched.views,
        matched.xy,
        matched.masks,
        verified.pairs,
        _graph_pairs(graph),
        repeats=verified.repeats,
    )


def _graph_pairs(graph: networkx.Graph | None) -> frozenset[Pair] | None:
    return None if graph is None else frozenset((min(a, b), max(a, b)) for a, b in graph.edges)


def _empty_mask_notices(matched: MatchedViews) -> list[Notice]:
    return [
        left_out(view.name, "its mask is empty: nothing to see of the object. Paint it, or remove the photo.")
        for view, mask in zip(matched.views, matched.masks)
        if mask is not None and not mask.any()
    ]


def _features(views: Sequence[View], work: Work, options: SolveOptions) -> list[Features]:
    keys = [features_key(view, options) for view in views]
    return cached_map(
        work,
        "features",
        KIND,
        keys,
        find_features,
        lambda missing: [(views[k], options) for k in missing],
        features_from_arrays,
    )


def _require_texture(views: Sequence[View], features: Sequence[Features], options: SolveOptions) -> None:
    most = max(len(f) for f in features)
    if most < options.min_features:
        richest = views[int(np.argmax([len(f) for f in features]))]
        raise ReconstructionError(
            f"{richest.name}: {most} features, and no view has more (one needs {options.min_features}): "
            "the object shows too little texture. Use "
            "larger photos, add texture, or check that the masks are white on the object. Masked photos of a "
            "turntable need none where its step is stated by `turntable`."
        )


def _candidates(
    views: Sequence[View], features: Sequence[Features], progress: Progress, options: SolveOptions
) -> list[Pair]:
    if len(views) <= options.exhaustive_views:
        return list(combinations(range(len(views)), 2))
    masked = any(view.mask is not None for view in views)
    with single_threaded():
        return promising_pairs(features, masked, options, lambda done, total: progress("pairs", done, total))


def _matches(
    views: Sequence[View], pairs: Sequence[Pair], work: Work, options: SolveOptions
) -> dict[Pair, np.ndarray]:
    features = [features_key(view, options) for view in views]
    keys = [matches_key(features[a], features[b], options.ratio) for a, b in pairs]

    def tasks(missing: list[int]) -> list[MatchTask]:
        return [
            MatchTask(work.store, features[a], features[b], options.ratio)
            for a, b in (pairs[k] for k in missing)
        ]

    found = cached_map(work, "matching", MATCHES_KIND, keys, match_features, tasks, indices_from_arrays)
    return dict(zip(pairs, found, strict=True))


@dataclass(frozen=True, slots=True)
class _Verified:
    """Verified pairs and what the report must say of them."""

    matches: dict[Pair, np.ndarray]
    """What was verified: matches without doubles and without what stands still."""
    pairs: dict[Pair, VerifiedPair]
    notices: list[Notice]
    repeats: tuple[int, ...]
    """For each view the first one that it repeats; empty where none does."""


def _verified(matched: MatchedViews, progress: Progress, options: SolveOptions) -> _Verified:
    """Reject what stands still, check the epipolar geometry, and stop where too little is left."""
    views, xy, matches = matched.views, matched.xy, matched.matches
    progress("verification", 0, len(matches))
    # Before doubles are merged and stationary matches go: afterwards copies of one photo would look like
    # photos without any match.
    if nothing_moves(xy, matches, options.stationary_px, options.min_inliers):
        raise ReconstructionError(
            f"{len(views)} photos, and nothing moves between them by {options.stationary_px:g} px or more: "
            "they are copies of one photo. "
            "Move the camera, or the object, between photos; on a turntable before a backdrop, give masks "
            "of the object."
        )
    matches = merge_doubles(xy, matches)
    notices: list[Notice] = []
    stationary = None
    first = repeated_views(views, xy, matches, options.stationary_px)
    said = repeat_notices(views, first)
    notices += said
    if all(view.mask is None for view in views):
        matches, stationary = reject_stationary(xy, matches, options.stationary_px, first)
        if not said or stationary.key_points > _WARNED_STATIC:
            notices.append(_stationary_notice(stationary))
    pairs = verify_pairs(xy, matches, options.verify_px, options.min_inliers)
    progress("verification", len(matches), len(matches))
    if not options.turntable_stated:
        _require_pairs(views, matches, pairs, stationary, options)
    return _Verified(matches, pairs, notices, first if said else ())


def _stationary_notice(stationary: StationaryReport) -> Notice:
    text = (
        f"{stationary.key_points:.1%} of the matched key points stand still with the camera "
        f"({stationary.matches:.1%} of the matches) and were thrown out."
    )
    if stationary.key_points <= _WARNED_STATIC:
        return info("stationary background", text)
    return warning(
        "stationary background",
        (
            f"{text} A turntable in front of a fixed backdrop looks so: masks of the object make the result "
            "safer."
        ),
    )


def _require_pairs(
    views: Sequence[View],
    matches: dict[Pair, np.ndarray],
    pairs: dict[Pair, VerifiedPair],
    stationary: StationaryReport | None,
    options: SolveOptions,
) -> None:
    connected = {view for pair in pairs for view in pair}
    if stationary is not None and stationary.key_points > _WARNED_STATIC and 2 * len(connected) < len(views):
        raise ReconstructionError(
            f"the background does not move ({stationary.key_points:.0%} of the key points stand still), and "
            f"without it only {len(connected)} of "
            f"{len(views)} views have a verified pair. Give masks of the object."
        )
    if not pairs:
        raise ReconstructionError(
            f"no pair of views has {options.min_inliers} verified matches. Most matches: "
            f"{best_pairs(views, matches)}. Take photos at most 20 "
            "degrees apart, sharp and with texture; check that the masks are white on the object."
        )


def best_pairs(views: Sequence[View], matches: dict[Pair, np.ndarray]) -> str:
    """Return the pairs with most matches as words."""
    most = sorted(matches, key=lambda pair: -len(matches[pair]))[:SHOWN]
    return ", ".join(f"{views[a].name} and {views[b].name} {len(matches[a, b])}" for a, b in most)
