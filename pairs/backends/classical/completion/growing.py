"""Rings that grow by one view after the other (docs/turntables.md, "Views that features cannot place" and
"Several heights").

All at once from a short arc is not good enough: its focal and its tilt are a little wrong, and all far views
would lean on them alike. So the clearest view is placed, everything shared is refined, and the next one is
looked for. Which of several heights a view was taken from is told by its outline alone: the order of the
files, or their folders, may be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pairs.backends.classical.completion.grown_ring import (
    GrownRing,
    RingEvidence,
    azimuth_of,
    intrinsics_of,
    matches_between,
)
from pairs.rings.outline import Outline
from pairs.rings.placing import (
    CLEAR_RATIO,
    MOST_COST,
    Placement,
    aligned_piece,
    coherence_of_rivals,
    join_pieces,
    place_beside,
    rivals_among,
    with_views,
    without_view,
)
from pairs.rings.refinement import refine_ring, refine_rings, sampson
from pairs.rings.ring import Ring, wrapped
from pairs.rings.steps import step_pattern
from pairs.views.cameras import Cameras

_STEADY_RAD = np.deg2rad(1.0)
"""A view that the others move by more when they look again stands nowhere in particular."""
_SHARE_AT_ONCE, _SHARE_OF_SEVERAL = 12, 4
"""Of so many placed views one more is placed before the next refinement: from a short arc one by one. Two
rings hold focal and tilt."""
_AGREE_PX, _MOST_AGREE, _LEAST_AGREE = 3.0, 0.5, 10
"""Sampson distance at which a match speaks for an azimuth, the share of matches that must, and how many."""
_COHERENT_LEAST = 0.1
"""What a wrong azimuth adds to the incoherence at least: with exact outlines of four like sides all four add
0.001 to 0.02, and more than one of them is right."""
_WHOLE_STEP = 0.2
_FEW_FOR_STEPS = 6


def grown(start: GrownRing, pieces: Sequence[Ring], evidence: RingEvidence) -> GrownRing:
    """Return the rings with all views that their outlines place clearly, on one of them alone.

    Pieces are joined to a ring that stands alone.
    """
    found = _refined(start, evidence)
    for piece in pieces:
        found = _with_piece(found, piece, evidence)
    unclear: dict[int, Placement] = {}
    while left := sorted(set(evidence.K) - set(found.views)):
        placements = {view: _scanned(found, view, evidence) for view in left}
        chosen = _chosen(found, placements, evidence)
        if not chosen:
            unclear = {view: placement for view, (_, placement) in placements.items()}
            break
        found = _with_placed(found, chosen, evidence)
    kept = _steady(found, evidence)
    return replace(kept, unclear={**unclear, **(kept.unclear or {})})


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


def _outlines(found: GrownRing, evidence: RingEvidence) -> list[Outline]:
    return [evidence.outlines[view] for view in found.views]


def _refined(found: GrownRing, evidence: RingEvidence) -> GrownRing:
    outlines = _outlines(found, evidence)
    matches = matches_between(found.views, evidence.pairs, evidence.xy)
    free, seed = not evidence.focal_known, evidence.seed
    if found.beside:
        several = refine_rings(found.rings, found.K, outlines, matches, free_focal=free, seed=seed)
        ring, beside = several.rings[0], several.rings[1:]
        return replace(found, ring=ring, beside=beside, K=several.K, tangency=several.tangency)
    steps = whole_steps(found.ring, evidence.step)
    one = refine_ring(found.ring, found.K, outlines, matches, free_focal=free, steps=steps, seed=seed)
    return replace(found, ring=one.ring, K=one.K, tangency=one.tangency)


def _scanned(found: GrownRing, view: int, evidence: RingEvidence) -> tuple[int, Placement]:
    """Return the ring on which a view's outline costs least, and its place there; what other rings offer are
    rivals like any other azimuth.
    """
    (K,) = intrinsics_of(found, [view], evidence)
    placed = Cameras(found.K, found.cam_from_world())
    drawn = _outlines(found, evidence)
    tried = [place_beside(ring, placed, drawn, K, evidence.outlines[view]) for ring in found.rings]
    best = min(range(len(tried)), key=lambda k: tried[k].cost)
    return best, rivals_among(tried[best], [each for k, each in enumerate(tried) if k != best])


def _with_piece(found: GrownRing, piece: Ring, evidence: RingEvidence) -> GrownRing:
    """Return the ring with the views of a piece, where one turn alone joins it."""
    views, ring = [int(view) for view in piece.views], found.ring
    K = intrinsics_of(found, views, evidence)
    outlines = [evidence.outlines[view] for view in views]
    turn = join_pieces(ring, found.K, _outlines(found, evidence), piece, K, outlines)
    if not turn.clear:
        return found
    joined = _with_views(found, 0, views, aligned_piece(ring, piece).azimuth + turn.azimuth, evidence)
    joined = replace(joined, joined=(*found.joined, tuple(views)))
    return _refined(joined, evidence)


def _with_placed(
    found: GrownRing, chosen: Mapping[int, tuple[int, Placement]], evidence: RingEvidence
) -> GrownRing:
    more = found
    for view, (k, placement) in chosen.items():
        more = _with_views(more, k, [view], np.array([placement.azimuth]), evidence)
    placed = {**found.placed, **{view: placement for view, (_, placement) in chosen.items()}}
    return _refined(replace(more, placed=placed), evidence)


def _with_views(
    found: GrownRing, number: int, views: Sequence[int], azimuth: np.ndarray, evidence: RingEvidence
) -> GrownRing:
    """Return the rings with views at azimuths (m,) of one of them."""
    rings = list(found.rings)
    rings[number] = with_views(rings[number], np.array(views), azimuth)
    order = np.argsort([*found.views, *views], kind="stable")
    K = np.concatenate([found.K, intrinsics_of(found, views, evidence)])[order]
    return replace(found, ring=rings[0], beside=tuple(rings[1:]), K=K)


def _chosen(
    found: GrownRing, placements: Mapping[int, tuple[int, Placement]], evidence: RingEvidence
) -> dict[int, tuple[int, Placement]]:
    """Return the views to place next: the clearest, else one whose rivals other evidence rules out."""
    clear = sorted((p.ratio, view) for view, (_, p) in placements.items() if p.clear)
    share = _SHARE_OF_SEVERAL if found.beside else _SHARE_AT_ONCE
    at_once = max(1, len(found.views) // share)
    if clear:
        return {view: placements[view] for _, view in clear[:at_once]}
    for _, view in sorted((p.ratio, v) for v, (_, p) in placements.items() if not p.flat or evidence.step):
        number, placement = placements[view]
        azimuth = _decided(found, view, placement, evidence)
        if azimuth is not None:
            cost = placement.rival_costs[placement.rivals.index(azimuth)]
            return {view: (number, replace(placement, azimuth=azimuth, cost=cost))}
    return {}


def _decided(found: GrownRing, view: int, placement: Placement, evidence: RingEvidence) -> float | None:
    """Return which of several azimuths of a view coherence, its matches or the steps leave alone, if the
    outline fits there at all. Rivals on several rings are left open.
    """
    azimuth = None if found.beside else _preferred(found, view, placement, evidence)
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
    outlines = _outlines(found, evidence)
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
    shown = {*map(int, found.ring.views), view}
    with_placed = {pair: v for pair, v in evidence.pairs.items() if view in pair and set(pair) <= shown}
    total = sum(len(pair.indices) for pair in with_placed.values())
    if total < _LEAST_AGREE:
        return np.zeros(len(rivals))
    matches = matches_between([*found.ring.views, view], with_placed, evidence.xy)
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
    """Return the rings without views that the others, in the end, would put elsewhere."""
    while found.placed:
        again = {view: _scanned(_without(found, view), view, evidence) for view in found.placed}
        last = {view: placement for view, (_, placement) in again.items()}
        lost = [view for view in last if not _stands(found, view, *again[view], evidence)]
        if not lost:
            return replace(found, placed=last)
        worst = max(lost, key=lambda view: last[view].ratio)
        rest = replace(_without(found, worst), unclear={**(found.unclear or {}), worst: last[worst]})
        found = _refined(rest, evidence)
    return found


def _stands(found: GrownRing, view: int, number: int, again: Placement, evidence: RingEvidence) -> bool:
    """Tell whether a view stays where it is, by its outline, or by what chooses among its rivals."""
    azimuth = again.azimuth if again.clear else _decided(_without(found, view), view, again, evidence)
    if azimuth is None or view not in found.rings[number].views:
        return False
    return bool(np.abs(wrapped(np.array(azimuth - azimuth_of(found, view)))) < _STEADY_RAD)


def _without(found: GrownRing, view: int) -> GrownRing:
    rings = tuple(without_view(ring, view) for ring in found.rings)
    kept = np.array(found.views) != view
    placed = {v: p for v, p in found.placed.items() if v != view}
    return replace(found, ring=rings[0], beside=rings[1:], K=found.K[kept], placed=placed)
