"""Views placed on rings at several heights of one axis (docs/turntables.md, "Several heights").

Which height a view was taken from is told by its outline alone: the order of the files, or their folders, may
be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pairs.backends.classical.completion.growing import (
    STEADY_RAD,
    GrownRing,
    RingEvidence,
    azimuth_of,
    intrinsics_of,
    matches_between,
)
from pairs.rings.outline import Outline
from pairs.rings.placing import Placement, place_beside, rivals_among, with_views, without_view
from pairs.rings.refinement import refine_rings
from pairs.rings.ring import Ring, wrapped
from pairs.views.cameras import Cameras

_SHARE_AT_ONCE = 4
"""Of so many placed views one more is placed before the next refinement: two rings hold focal and tilt."""


def grown_on_several(rings: Sequence[Ring], K: np.ndarray, evidence: RingEvidence) -> GrownRing:
    """Return rings of one axis with all views that their outlines place clearly, on one of them alone.

    `K` (n, 3, 3) is in the ascending order of all their views.
    """
    found = _refined(GrownRing(rings[0], K, {}, beside=tuple(rings[1:])), evidence)
    unclear: dict[int, Placement] = {}
    while left := sorted(set(evidence.K) - set(found.views)):
        placements = {view: _scanned(found, view, evidence) for view in left}
        clear = sorted((p.ratio, view) for view, (_, p) in placements.items() if p.clear)
        if not clear:
            unclear = {view: p for view, (_, p) in placements.items()}
            break
        at_once = max(1, len(found.views) // _SHARE_AT_ONCE)
        found = _with_placed(found, {view: placements[view] for _, view in clear[:at_once]}, evidence)
    kept = _steady(found, evidence)
    return replace(kept, unclear={**unclear, **(kept.unclear or {})})


def _rings(found: GrownRing) -> tuple[Ring, ...]:
    return (found.ring, *found.beside)


def _outlines(found: GrownRing, evidence: RingEvidence) -> list[Outline]:
    return [evidence.outlines[view] for view in found.views]


def _refined(found: GrownRing, evidence: RingEvidence) -> GrownRing:
    refined = refine_rings(
        _rings(found),
        found.K,
        _outlines(found, evidence),
        matches_between(found.views, evidence.pairs, evidence.xy),
        free_focal=not evidence.focal_known,
        seed=evidence.seed,
    )
    return replace(
        found,
        ring=refined.rings[0],
        beside=refined.rings[1:],
        K=refined.K,
        tangency=refined.tangency,
    )


def _scanned(found: GrownRing, view: int, evidence: RingEvidence) -> tuple[int, Placement]:
    """Return the ring on which a view's outline costs least, and its place there; what other rings offer are
    rivals like any other azimuth.
    """
    (K,) = intrinsics_of(found, [view], evidence)
    placed = Cameras(found.K, found.cam_from_world())
    drawn = _outlines(found, evidence)
    tried = [place_beside(ring, placed, drawn, K, evidence.outlines[view]) for ring in _rings(found)]
    best = min(range(len(tried)), key=lambda k: tried[k].cost)
    return best, rivals_among(tried[best], [each for k, each in enumerate(tried) if k != best])


def _with_placed(
    found: GrownRing, chosen: Mapping[int, tuple[int, Placement]], evidence: RingEvidence
) -> GrownRing:
    rings = list(_rings(found))
    for view, (k, placement) in chosen.items():
        rings[k] = with_views(rings[k], np.array([view]), np.array([placement.azimuth]))
    order = np.argsort([*found.views, *chosen], kind="stable")
    K = np.concatenate([found.K, intrinsics_of(found, list(chosen), evidence)])[order]
    placed = {**found.placed, **{view: placement for view, (_, placement) in chosen.items()}}
    return _refined(replace(found, ring=rings[0], beside=tuple(rings[1:]), K=K, placed=placed), evidence)


def _steady(found: GrownRing, evidence: RingEvidence) -> GrownRing:
    """Return the rings without views that the others, in the end, would put elsewhere."""
    while found.placed:
        last: dict[int, Placement] = {}
        lost = []
        for view in found.placed:
            k, last[view] = _scanned(_without(found, view), view, evidence)
            moved = abs(float(wrapped(np.array(last[view].azimuth - azimuth_of(found, view)))))
            if view not in _rings(found)[k].views or moved >= STEADY_RAD or not last[view].clear:
                lost.append(view)
        if not lost:
            return replace(found, placed=last)
        worst = max(lost, key=lambda view: last[view].ratio)
        unclear = {**(found.unclear or {}), worst: last[worst]}
        found = _refined(replace(_without(found, worst), unclear=unclear), evidence)
    return found


def _without(found: GrownRing, view: int) -> GrownRing:
    rings = tuple(without_view(ring, view) for ring in _rings(found))
    kept = np.array(found.views) != view
    placed = {v: p for v, p in found.placed.items() if v != view}
    return replace(found, ring=rings[0], beside=rings[1:], K=found.K[kept], placed=placed)
