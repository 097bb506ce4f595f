"""Scene points at poses that outlines gave, and whether the scene may be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairs.backends.classical.completion.growing import GrownRing, matches_between
from pairs.backends.classical.known_mapper import KnownPosesJob, run_known_mapper
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, assessed
from pairs.backends.classical.sfm.camera_groups import camera_of_view, camera_starts
from pairs.backends.classical.sfm.mapper import MapperModel, solve_apart
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.engines.engines import Workers
from pairs.rings.refinement import sampson
from pairs.views.cameras import Cameras

_AGREE_PX = 2.0
_LEAST_MATCHES = 8
FEW_POINTS = 50
"""With fewer scene points a view's share of them inside its mask says nothing."""


@dataclass(frozen=True, slots=True)
class PosedViews:
    """Views whose cameras stay as they are."""

    views: np.ndarray  # (n,) int, ascending
    cameras: Cameras
    """Of these views, in working pixels."""
    tangency: float
    """Median in working pixels by which their outlines disagree."""


def ring_scene(
    evidence: Evidence, ring: GrownRing, strategy: str, start: str, workers: Workers, options: SolveOptions
) -> Attempt:
    """Return the scene of a ring: its poses as they are, and the points of all verified matches that agree
    with them.

    Rings in steps of 30 degrees have next to no tracks of three views, so those of two count, too.
    """
    posed = PosedViews(np.array(ring.views), Cameras(ring.K, ring.cam_from_world()), ring.tangency)
    return posed_scene(evidence, posed, strategy, start, workers, options)


def posed_scene(
    evidence: Evidence, posed: PosedViews, strategy: str, start: str, workers: Workers, options: SolveOptions
) -> Attempt:
    """Return the scene of views with known cameras, as `ring_scene`."""
    model = _with_all_views(_triangulated(evidence, posed, workers, options), posed)
    return Attempt(strategy, start, model, _assessment(evidence, model, posed, options))


def _triangulated(
    evidence: Evidence, posed: PosedViews, workers: Workers, options: SolveOptions
) -> MapperModel | None:
    pairs = agreeing_pairs(evidence, posed.cameras, posed.views.tolist(), _AGREE_PX)
    if not pairs:
        return None
    cameras = camera_of_view(evidence.views, options.working_longest)
    known = {cameras[view]: K for view, K in zip(posed.views, posed.cameras.K)}
    starts = tuple(
        replace(start, K=known.get(camera, start.K), prior=True, fixed=True)
        for camera, start in enumerate(camera_starts(evidence.views, options.working_longest, None))
    )
    of_view = dict(zip(map(int, posed.views), posed.cameras.cam_from_world))
    job = KnownPosesJob(
        evidence.xy, starts, cameras, pairs, options.seed, cam_from_world=of_view, two_view_tracks=True
    )
    return solve_apart(job, workers, run_known_mapper)


def agreeing_pairs(
    evidence: Evidence, cameras: Cameras, views: Sequence[int], within_px: float
) -> dict[Pair, VerifiedPair]:
    """Return the verified pairs of `views` with the matches that lie where their cameras put them."""
    inside = {pair: found for pair, found in evidence.pairs.items() if set(pair) <= set(views)}
    kept = {}
    for (pair, found), matches in zip(
        inside.items(), matches_between(views, evidence.pairs, evidence.xy), strict=True
    ):
        agreeing = found.indices[np.abs(sampson(cameras, [matches])) < within_px]
        if len(agreeing) >= _LEAST_MATCHES:
            kept[pair] = replace(found, indices=agreeing)
    return kept


def _with_all_views(model: MapperModel | None, posed: PosedViews) -> MapperModel:
    """Return the model with every view, to the bit where it was put; without points where there are none."""
    placed = tuple(map(int, posed.views))
    nothing = np.zeros(0, np.int32)
    if model is None:
        return MapperModel(placed, posed.cameras, np.zeros((0, 3)), nothing, nothing, nothing)
    position = np.array([placed.index(view) for view in model.placed], np.int32)
    return replace(model, placed=placed, cameras=posed.cameras, observed_by=position[model.observed_by])


def _assessment(
    evidence: Evidence, model: MapperModel, posed: PosedViews, options: SolveOptions
) -> Assessment:
    """Judge the scene by its points; by its outlines alone where these are too few."""
    if len(model.points) >= FEW_POINTS:
        return assessed(evidence, model, options)
    reason = f"the outlines agree within {posed.tangency:.2f} px in the median"
    return Assessment(Verdict.SURE, reason, None)
