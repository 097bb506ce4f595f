"""Scene points at poses that outlines gave, and whether the scene may be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairs.backends.classical.completion.grown_ring import GrownRing, matches_between
from pairs.backends.classical.known_mapper import KnownPosesJob, run_known_mapper
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, assessed
from pairs.backends.classical.sfm.camera_groups import camera_of_view, starts_from
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
    """Views whose cameras stay as they are, on whatever rings."""

    views: tuple[int, ...]
    """Ascending."""
    K: np.ndarray  # (n, 3, 3), working pixels
    poses: np.ndarray  # (n, 4, 4)
    tangency: float
    """Median in working pixels by which their outlines disagree."""

    def cam_from_world(self) -> np.ndarray:
        """(n, 4, 4) poses of all views."""
        return self.poses


def ring_scene(
    evidence: Evidence,
    ring: GrownRing | PosedViews,
    strategy: str,
    start: str,
    workers: Workers,
    options: SolveOptions,
) -> Attempt:
    """Return the scene of a ring, or of posed views: its poses as they are, and the points of all verified
    matches that agree with them.

    Rings in steps of 30 degrees have next to no tracks of three views, so those of two count, too.
    """
    of_view = dict(zip(ring.views, ring.cam_from_world()))
    model = _triangulated(evidence, ring, of_view, workers, options)
    model = _with_all_views(model, ring, of_view)
    return Attempt(strategy, start, model, _assessment(evidence, model, ring, options))


def _triangulated(
    evidence: Evidence,
    ring: GrownRing | PosedViews,
    of_view: Mapping[int, np.ndarray],
    workers: Workers,
    options: SolveOptions,
) -> MapperModel | None:
    placed = Cameras(ring.K, np.stack(list(of_view.values())))
    pairs = agreeing_pairs(evidence, placed, list(of_view), _AGREE_PX)
    if not pairs:
        return None
    cameras = camera_of_view(evidence.views, options.working_longest)
    K = dict(zip(ring.views, ring.K))
    starts = starts_from(evidence.views, options.working_longest, K, fixed=True)
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


def _with_all_views(
    model: MapperModel | None, ring: GrownRing | PosedViews, of_view: Mapping[int, np.ndarray]
) -> MapperModel:
    """Return the model with every view of the ring, to the bit where it put them; without points where there
    are none.
    """
    placed = tuple(sorted(of_view))
    cameras = Cameras(ring.K, np.stack([of_view[view] for view in placed]))
    nothing = np.zeros(0, np.int32)
    if model is None:
        return MapperModel(placed, cameras, np.zeros((0, 3)), nothing, nothing, nothing)
    position = np.array([placed.index(view) for view in model.placed], np.int32)
    return replace(model, placed=placed, cameras=cameras, observed_by=position[model.observed_by])


def _assessment(
    evidence: Evidence, model: MapperModel, ring: GrownRing | PosedViews, options: SolveOptions
) -> Assessment:
    """Judge the scene by its points; by its outlines alone where these are too few."""
    if len(model.points) >= FEW_POINTS:
        return assessed(evidence, model, options)
    reason = f"the outlines agree within {ring.tangency:.2f} px in the median"
    return Assessment(Verdict.SURE, reason, None)
