"""A ring that grows by one view after the other (docs/turntables.md, "Views that features cannot place").

All at once from a short arc is not good enough: its focal and its tilt are a little wrong, and all far views
would lean on them alike. So the clearest view is placed, everything shared is refined, and the next one is
looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.rings.outline import Outline
from pairs.rings.placing import (
    CLEAR_RATIO,
    MOST_COST,
    Placement,
    aligned_piece,
    coherence_of_rivals,
    join_pieces,
    place_view,
    scanned_again,
    with_views,
    without_view,
)
from pairs.rings.refinement import PairMatches, refine_ring, sampson
from pairs.rings.ring import Ring, wrapped
from pairs.rings.steps import step_pattern
from pairs.views.cameras import Cameras

STEADY_RAD = np.deg2rad(1.0)
"""A view that the others move by more when they look again stands nowhere in particular."""
_SHARE_AT_ONCE = 12
"""Of so many placed views one more is placed before the next refinement: from a short arc one by one."""
_AGREE_PX, _MOST_AGREE, _LEAST_AGREE = 3.0, 0.5, 10
"""Sampson distance at which a match speaks for an azimuth, the share of matches that must, and how many."""
_COHERENT_LEAST = 0.1
"""What a wrong azimuth adds to the incoherence at least: with exact outlines of four like sides all four add
0.001 to 0.02, and more than one of them is right."""
_WHOLE_STEP = 0.2
_FEW_FOR_STEPS = 6


@dataclass(frozen=True, slots=True)
class RingEvidence:
    """What views say of a ring: all by the numbers of the scene's views, in working pixels."""

    outlines: Mapping[int, Outline]
    """Of the views whose mask shows something."""
    K: Mapping[int, np.ndarray]  # (3, 3), to begin with; of the views that may be placed
    pairs: Mapping[Pair, VerifiedPair]
    xy: Sequence[np.ndarray]  # per view (N, 2)
    focal_known: bool
    seed: int
    step: float | None = None
    """Radians a photo in file order, where the user states it."""


@dataclass(frozen=True, slots=True)
class GrownRing:
    """A ring with its cameras, and how each view that features did not place came to it."""

    ring: Ring
    K: np.ndarray  # (n, 3, 3)
    placed: Mapping[int, Placement]
    """Views that were placed by their outlines."""
    joined: tuple[tuple[int, ...], ...] = ()
    """Views of the pieces that were joined to it."""
    unclear: Mapping[int, Placement] | None = None
    """Views that stay out, with the azimuths that fit."""
    tangency: float = np.inf
    """Median in working pixels."""
    beside: tuple[Ring, ...] = ()
    """Rings at other heights of the same axis (`several_rings`)."""

    @property
    def views(self) -> tuple[int, ...]:
        """The views of all rings, ascending: those of `K`."""
        return tuple(sorted(int(view) for ring in (self.ring, *self.beside) for view in ring.views))

    def cam_from_world(self) -> np.ndarray:
        """(n, 4, 4) poses of all views."""
        rings = (self.ring, *self.beside)
        poses = np.concatenate([ring.cam_from_world() for ring in rings])
        return poses[np.argsort(np.concatenate([ring.views for ring in rings]), kind="stable")]


def grown(start: GrownRing, pieces: Sequence[Ring], evidence: RingEvidence) -> GrownRing:
    """Return the ring with all views that its outlines place clearly."""
    found = _refined(start, evidence)
    for piece in pieces:
        found = _with_piece(found, piece, evidence)
    unclear: dict[int, Placement] = {}
    while left := sorted(set(evidence.K) - set(map(int, found.ring.views))):
        placements = {view: _scanned(found, view, evidence) for view in left}
        chosen = _chosen(found, placements, evidence)
        if not chosen:
            unclear = placements
            break
        found = _with_placed(found, chosen, evidence)
    kept = _steady(found, evidence)
    return replace(kept, unclear={**unclear, **(kept.unclear or {})})


def azimuth_of(grown_ring: GrownRing, view: int) -> float:
    """Return a placed view's azimuth in radians."""
    ring = next(ring for ring in (grown_ring.ring, *grown_ring.beside) if view in ring.views)
    return float(ring.azimuth[np.flatnonzero(ring.views == view)[0]])


def outlines_of_ring(ring: Ring, evidence: RingEvidence) -> list[Outline]:
    """Return the outlines in the order of a ring's views."""
    return [evidence.outlines[view] for view in ring.views]


def matches_between(
    views: Sequence[int], pairs: Mapping[Pair, VerifiedPair], xy: Sequence[np.ndarray]
) -> list[PairMatches]:
    """Return the verified matches between some views, whose places are those in `views`."""
    place = {int(view): k for k, view in enumerate(views)}
    return [
        PairMatches(
            place[a],
            place[b],
            xy[a][pair.indices[:, 0]].astype(np.float64),
            xy[b][pair.indices[:, 1]].astype(np.float64),
        )
        for (a, b), pair in pairs.items()
        if a in place and b in place
    ]


def whole_steps(ring: Ring, stated: float | None) -> np.ndarray | None:
    """Return the place (n,) of every view in steps of the turntable, where these are regular or stated."""
    if stated is not None:
        return ring.views - ring.views[0]
    if len(ring.views) < _FEW_FOR_STEPS:
        return None
    pattern = step_pattern(ring, np.arange(int(ring.views.max()) + 1))
    if pattern is None or not pattern.regular:
        return None
    places = np.concatenate([[0.0], np.cumsum(pattern.steps)])
    whole = np.rint(places)
    # One view between two steps: whatever it is, these are no equal steps.
    return whole if np.abs(places - whole).max() < _WHOLE_STEP else None


def _refined(found: GrownRing, evidence: RingEvidence) -> GrownRing:
    ring = found.ring
    refined = refine_ring(
        ring,
        found.K,
        outlines_of_ring(ring, evidence),
        matches_between(list(ring.views), evidence.pairs, evidence.xy),
        free_focal=not evidence.focal_known,
        steps=whole_steps(ring, evidence.step),
        seed=evidence.seed,
    )
    return replace(found, ring=refined.ring, K=refined.K, tangency=refined.tangency)


def intrinsics_of(found: GrownRing, views: Sequence[int], evidence: RingEvidence) -> np.ndarray:
    """Return intrinsics (m, 3, 3) of views at the focal that the ring has been refined to."""
    before = [evidence.K[view] for view in found.views]
    intrinsics = []
    for view in views:
        own = evidence.K[view].copy()
        # Copied, not computed, where a view of the same camera is there: to the bit one camera has one focal.
        same = [K for K, old in zip(found.K, before) if np.array_equal(old, own)]
        own[[0, 1], [0, 1]] *= found.K[0, 0, 0] / before[0][0, 0]
        intrinsics.append(same[0] if same else own)
    return np.stack(intrinsics)


def _scanned(found: GrownRing, view: int, evidence: RingEvidence) -> Placement:
    outlines = outlines_of_ring(found.ring, evidence)
    (K,) = intrinsics_of(found, [view], evidence)
    return place_view(found.ring, found.K, outlines, K, evidence.outlines[view])


def _with_piece(found: GrownRing, piece: Ring, evidence: RingEvidence) -> GrownRing:
    """Return the ring with the views of a piece, where one turn alone joins it."""
    views, ring = [int(view) for view in piece.views], found.ring
    K = intrinsics_of(found, views, evidence)
    outlines = [evidence.outlines[view] for view in views]
    turn = join_pieces(ring, found.K, outlines_of_ring(ring, evidence), piece, K, outlines)
    if not turn.clear:
        return found
    joined = _with_views(found, views, aligned_piece(ring, piece).azimuth + turn.azimuth, evidence)
    joined = replace(joined, joined=(*found.joined, tuple(views)))
    return _refined(joined, evidence)


def _with_placed(found: GrownRing, chosen: Mapping[int, Placement], evidence: RingEvidence) -> GrownRing:
    azimuth = np.array([placement.azimuth for placement in chosen.values()])
    more = _with_views(found, list(chosen), azimuth, evidence)
    return _refined(replace(more, placed={**found.placed, **chosen}), evidence)


def _with_views(
    found: GrownRing, views: Sequence[int], azimuth: np.ndarray, evidence: RingEvidence
) -> GrownRing:
    order = np.argsort(np.concatenate([found.ring.views, views]), kind="stable")
    K = np.concatenate([found.K, intrinsics_of(found, views, evidence)])[order]
    return replace(found, ring=with_views(found.ring, np.array(views), azimuth), K=K)


def _chosen(
    found: GrownRing, placements: Mapping[int, Placement], evidence: RingEvidence
) -> dict[int, Placement]:
    """Return the views to place next: the clearest, else one whose rivals other evidence rules out."""
    clear = sorted((p.ratio, view) for view, p in placements.items() if p.clear)
    at_once = max(1, len(found.ring.views) // _SHARE_AT_ONCE)
    if clear:
        return {view: placements[view] for _, view in clear[:at_once]}
    for _, view in sorted((p.ratio, view) for view, p in placements.items() if not p.flat or evidence.step):
        azimuth = _decided(found, view, placements[view], evidence)
        if azimuth is not None:
            cost = placements[view].rival_costs[placements[view].rivals.index(azimuth)]
            return {view: replace(placements[view], azimuth=azimuth, cost=cost)}
    return {}


def _decided(found: GrownRing, view: int, placement: Placement, evidence: RingEvidence) -> float | None:
    """Return which of several azimuths of a view coherence, its matches or the steps leave alone, if the
    outline fits there at all.
    """
    azimuth = _preferred(found, view, placement, evidence)
    if azimuth is None or placement.rival_costs[placement.rivals.index(azimuth)] > MOST_COST:
        return None
    return azimuth


def _preferred(found: GrownRing, view: int, placement: Placement, evidence: RingEvidence) -> float | None:
    rivals = np.array(placement.rivals)
    if len(rivals) < 2:
        return None
    # A step that the user states is the strongest word, one that the other views show the weakest.
    in_order = _expected_among(found.ring, view, rivals, evidence)
    if evidence.step is not None and in_order is not None:
        return in_order
    outlines = outlines_of_ring(found.ring, evidence)
    (K,) = intrinsics_of(found, [view], evidence)
    added = coherence_of_rivals(found.ring, found.K, outlines, K, evidence.outlines[view], placement.rivals)
    best, other = np.argsort(added, kind="stable")[:2]
    if added[best] <= CLEAR_RATIO * added[other] and added[other] >= _COHERENT_LEAST:
        return float(rivals[best])
    agree = _agreeing(found, view, K, rivals, evidence)
    best, other = np.argsort(-agree, kind="stable")[:2]
    if agree[best] >= _MOST_AGREE and agree[other] <= CLEAR_RATIO * agree[best]:
        return float(rivals[best])
    return in_order


def _agreeing(
    found: GrownRing, view: int, K: np.ndarray, rivals: np.ndarray, evidence: RingEvidence
) -> np.ndarray:
    """Return the share (R,) of a view's verified matches with placed views that each azimuth explains."""
    place = {int(v): k for k, v in enumerate(found.ring.views)}
    own = {pair: found_ for pair, found_ in evidence.pairs.items() if view in pair}
    with_placed = {pair: v for pair, v in own.items() if (pair[0] if pair[1] == view else pair[1]) in place}
    total = sum(len(pair.indices) for pair in with_placed.values())
    if total < _LEAST_AGREE:
        return np.zeros(len(rivals))
    index = {**place, view: len(place)}
    matches = [
        PairMatches(
            index[a], index[b], evidence.xy[a][pair.indices[:, 0]], evidence.xy[b][pair.indices[:, 1]]
        )
        for (a, b), pair in with_placed.items()
    ]
    shares = []
    for rival in rivals:
        poses = found.ring.cam_from_world(np.append(found.ring.azimuth, rival))
        off = sampson(Cameras(np.concatenate([found.K, K[None]]), poses), matches)
        shares.append(np.mean(np.abs(off) < _AGREE_PX))
    return np.array(shares)


def _expected_among(ring: Ring, view: int, rivals: np.ndarray, evidence: RingEvidence) -> float | None:
    """Return the one azimuth at which a view should stand in file order, where that is regular."""
    places = whole_steps(ring, evidence.step)
    files = ring.views - ring.views[0]
    # Photos that are missing, or out of order, leave nothing to count on.
    if places is None or not np.array_equal(places, files):
        return None
    turn = np.unwrap(ring.azimuth)
    step = float(np.polyfit(files, turn, 1)[0])
    expected = turn[0] + step * (view - ring.views[0])
    near = np.abs(wrapped(rivals - expected)) < _WHOLE_STEP * abs(step)
    return float(rivals[near][0]) if near.sum() == 1 else None


def _steady(found: GrownRing, evidence: RingEvidence) -> GrownRing:
    """Return the ring without views that the others, in the end, would put elsewhere."""
    while found.placed:
        again = scanned_again(found.ring, found.K, outlines_of_ring(found.ring, evidence))
        place = {int(view): k for k, view in enumerate(found.ring.views)}
        last = {view: again[place[view]] for view in found.placed}
        lost = [view for view in last if not _stands(found, view, last[view], evidence)]
        if not lost:
            return replace(found, placed=last)
        worst = max(lost, key=lambda view: last[view].ratio)
        rest = replace(_without(found, worst), unclear={**(found.unclear or {}), worst: last[worst]})
        found = _refined(rest, evidence)
    return found


def _stands(found: GrownRing, view: int, again: Placement, evidence: RingEvidence) -> bool:
    """Tell whether a view stays where it is, by its outline, or by what chooses among its rivals."""
    azimuth = again.azimuth if again.clear else _decided(_without(found, view), view, again, evidence)
    return azimuth is not None and bool(
        np.abs(wrapped(np.array(azimuth - azimuth_of(found, view)))) < STEADY_RAD
    )


def _without(found: GrownRing, view: int) -> GrownRing:
    """Return the ring without a view that was placed."""
    kept = found.ring.views != view
    placed = {v: p for v, p in found.placed.items() if v != view}
    return replace(found, ring=without_view(found.ring, view), K=found.K[kept], placed=placed)
