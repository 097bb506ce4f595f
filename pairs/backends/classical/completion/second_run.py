"""A second run about the table, for which the object was turned over (docs/turntables.md, "Both sides")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from masks.notice import Notice, first_few, info, warning
from pairs.backends.classical.completion.partial_scene import exact_ring, intrinsics_of
from pairs.backends.classical.completion.ring_scene import PosedViews, ring_scene
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, Solver, assessed
from pairs.backends.classical.sfm.camera_groups import camera_of_view, starts_from
from pairs.backends.classical.sfm.mapper import MapperJob, MapperModel
from pairs.engines.engines import Workers
from pairs.rings.outline import Outline
from pairs.rings.ring import Ring
from pairs.rings.two_sides import TwoSides, join_sides, without_foot

_LEAST_SPAN = np.deg2rad(200.0)
"""Two arcs that are longer than this overlap: were they one turn, photos from one side would have matched."""
_LEAST_VIEWS = 6


@dataclass(frozen=True, slots=True)
class SecondRun:
    """Views of a run of their own, and whether they were joined to the others."""

    views: tuple[int, ...]
    notice: Notice
    attempt: Attempt | None = None
    """The scene of both runs, where they could be joined."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why the views stay out otherwise, by name."""


def second_run(
    evidence: Evidence,
    outlines: Mapping[int, Outline],
    best: Attempt,
    solve: Solver,
    workers: Workers,
    options: SolveOptions,
) -> SecondRun | None:
    """Return the run that the views beside a scene are, joined to it by the outlines; none where they are no
    second turn.

    The cameras of both must go round an exact circle each. Views keep the places that features gave them
    within their run. The work is one run of the mapper, and three seconds.
    """
    if best.model is None or not (ring := _full_ring(best.model)):
        return None
    piece = _solved_beside(evidence, outlines, best.model, solve, options)
    if piece is None or not (other := _full_ring(piece)):
        return None
    joined, footless = _joined(best.model, ring, piece, other, outlines)
    names = [evidence.views[view].name for view in piece.placed]
    if not joined.accepted:
        return SecondRun(piece.placed, _refused(names, joined), reasons=dict.fromkeys(names, _APART))
    views = np.array([*best.model.placed, *piece.placed])
    order = np.argsort(views)
    K = np.concatenate([best.model.cameras.K, piece.cameras.K])[order]
    poses = np.concatenate([best.model.cameras.cam_from_world, joined.cam_from_world])[order]
    strategy = f"two runs of {best.num_placed} and {len(piece.placed)} by features, joined by their outlines"
    start = f"outlines agree within {joined.tangency:.2f} px in the median"
    posed = PosedViews(tuple(map(int, views[order])), K, poses, joined.tangency)
    attempt = ring_scene(evidence, posed, strategy, start, workers, options)
    return SecondRun(piece.placed, _told(names, joined, footless), attempt)


_APART = "It belongs to a second run, which neither matches nor outlines join to the larger scene."


def _full_ring(model: MapperModel) -> Ring | None:
    ring = exact_ring(model)
    return ring if ring is not None and ring.span > _LEAST_SPAN and len(ring.views) >= _LEAST_VIEWS else None


def _solved_beside(
    evidence: Evidence,
    outlines: Mapping[int, Outline],
    model: MapperModel,
    solve: Solver,
    options: SolveOptions,
) -> MapperModel | None:
    """Return the believable scene of the views beside one, with the focals that it found."""
    K = intrinsics_of(evidence, model, options)
    left = (set(outlines) & set(K)) - set(model.placed)
    pairs = {pair: found for pair, found in evidence.pairs.items() if set(pair) <= left}
    if len(left) < _LEAST_VIEWS or not pairs or not set(model.placed) <= set(outlines):
        return None
    cameras = camera_of_view(evidence.views, options.working_longest)
    starts = starts_from(evidence.views, options.working_longest, K, fixed=True)
    piece = solve(MapperJob(evidence.xy, starts, cameras, pairs, options.seed))
    if piece is None or assessed(evidence, piece, options).verdict is Verdict.REJECTED:
        return None
    return piece


def _joined(
    model: MapperModel, ring: Ring, piece: MapperModel, other: Ring, outlines: Mapping[int, Outline]
) -> tuple[TwoSides, bool]:
    """Return how the runs join, and whether it was without the tangents at the object's foot."""
    first = [outlines[view] for view in model.placed]
    second = [outlines[view] for view in piece.placed]
    joined = join_sides(model.cameras, first, piece.cameras, second)
    if joined.accepted:
        return joined, False
    first = [without_foot(outline, _down(ring)) for outline in first]
    second = [without_foot(outline, _down(other)) for outline in second]
    again = join_sides(model.cameras, first, piece.cameras, second)
    return (again, True) if again.accepted else (joined, False)


def _down(ring: Ring) -> np.ndarray:
    """Return the way down (2,) in the pictures of a ring, for cameras that look down on a table."""
    x, y, z = ring.axis_in_camera
    return np.array([x, y]) * (1 if z > 0 else -1) / max(np.hypot(x, y), 1e-12)


def _told(names: list[str], joined: TwoSides, footless: bool) -> Notice:
    foot = ", without those at the foot, where masks of both runs differ" if footless else ""
    text = (
        f"{first_few(names)}: a second run, solved apart from the others and joined to them by their "
        f"outlines: tangents agree within {joined.tangency:.2f} px{foot}, in the next place that fits within "
        f"{joined.next_tangency:.2f}."
    )
    return info("turntable", text)


def _refused(names: list[str], joined: TwoSides) -> Notice:
    text = (
        f"{first_few(names)}: {len(names)} photos are a second run about the table, and nothing tells how "
        f"the object lay in it: no matches join it to the larger scene, and outlines fit within "
        f"{joined.tangency:.1f} px in one place, {joined.next_tangency:.1f} in another. The larger scene was "
        "kept. Reconstruct the other photos by themselves, or take some of the object between both."
    )
    return warning("turntable", text)
