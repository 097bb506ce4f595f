"""From a scene that lacks views to the ring that has them (docs/turntables.md, "Views that features cannot
place").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pairs.backends.classical.completion.growing import grown
from pairs.backends.classical.completion.grown_ring import GrownRing, RingEvidence
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, Solver, assessed
from pairs.backends.classical.sfm.camera_groups import camera_of_view, starts_from
from pairs.backends.classical.sfm.mapper import MapperJob, MapperModel
from pairs.rings.outline import Outline
from pairs.rings.ring import LEAST_VIEWS, Grade, Ring, fit_circular_motion

_STARTS = (1.0, 1.4, 0.7)
"""Focals that a further piece starts from, of the one found: an arc of four views has it 14 % off."""


def exact_ring(model: MapperModel) -> Ring | None:
    """Return the one ring on which a scene's cameras stand, exactly; none where there is none, or several."""
    rings = exact_rings(model)
    return rings[0] if len(rings) == 1 else None


def exact_rings(model: MapperModel) -> tuple[Ring, ...]:
    """Return the rings of one axis, at whatever heights, on which a scene's cameras stand, exactly; nothing
    where there are none, or several axes.
    """
    motion = fit_circular_motion(model.cameras.cam_from_world)
    if motion.grade is not Grade.EXACT or len(set(motion.turntable)) != 1:
        return ()
    return tuple(replace(ring, views=np.array(model.placed)[ring.views]) for ring in motion.rings)


def grown_from_scene(
    evidence: Evidence,
    outlines: dict[int, Outline],
    best: Attempt,
    step: float | None,
    solve: Solver,
    options: SolveOptions,
) -> GrownRing | None:
    """Return the ring of a partial scene with more of its views, or nothing where its cameras stand on no
    exact ring. The work is a few runs of the mapper, and half a second a view.
    """
    if best.model is None or len(rings := exact_rings(best.model)) == 0:
        return None
    on_rings = sorted(int(view) for ring in rings for view in ring.views)
    if not set(on_rings) <= set(outlines):
        return None
    K = intrinsics_of(evidence, best.model, options)
    ring_evidence = RingEvidence(
        outlines={view: outline for view, outline in outlines.items() if view in K},
        K={view: K[view] for view in outlines if view in K},
        pairs=evidence.pairs,
        xy=evidence.xy,
        focal_known=all(evidence.views[view].K is not None for view in outlines),
        seed=options.seed,
        step=step,
    )
    own_K = np.stack([K[view] for view in on_rings])
    start = GrownRing(rings[0], own_K, {}, beside=rings[1:])
    pieces: list[Ring] = []
    if not start.beside:
        pieces += _further_pieces(evidence, set(ring_evidence.K), rings[0], K, solve, options)
    return grown(start, pieces, ring_evidence)


def intrinsics_of(evidence: Evidence, model: MapperModel, options: SolveOptions) -> dict[int, np.ndarray]:
    """Return the intrinsics (3, 3) of all views that share a camera with a placed one."""
    cameras = camera_of_view(evidence.views, options.working_longest)
    solved = {cameras[view]: K for view, K in zip(model.placed, model.cameras.K)}
    return {view: solved[camera] for view, camera in enumerate(cameras) if camera in solved}


def _further_pieces(
    evidence: Evidence,
    usable: set[int],
    ring: Ring,
    K: dict[int, np.ndarray],
    solve: Solver,
    options: SolveOptions,
) -> Iterator[Ring]:
    """Yield the exact rings of pieces that the views beside the ring make among themselves."""
    left = usable - set(map(int, ring.views))
    while len(left) >= LEAST_VIEWS:
        model = _solved_apart(evidence, left, K, solve, options)
        if model is None:
            return
        piece = exact_ring(model)
        if piece is not None:
            yield piece
        left -= set(model.placed)


def _solved_apart(
    evidence: Evidence, left: set[int], K: dict[int, np.ndarray], solve: Solver, options: SolveOptions
) -> MapperModel | None:
    """Return the largest believable scene of some views alone."""
    pairs = {pair: found for pair, found in evidence.pairs.items() if set(pair) <= left}
    if not pairs:
        return None
    cameras = camera_of_view(evidence.views, options.working_longest)
    best: MapperModel | None = None
    for factor in _STARTS:
        starts = starts_from(evidence.views, options.working_longest, K, fixed=False, factor=factor)
        model = solve(MapperJob(evidence.xy, starts, cameras, pairs, options.seed))
        if model is None or len(model.placed) < LEAST_VIEWS:
            continue
        if assessed(evidence, model, options).verdict is Verdict.REJECTED:
            continue
        if best is None or len(model.placed) > len(best.placed):
            best = model
    return best
