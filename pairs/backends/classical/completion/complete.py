"""What outlines add to the scene that features gave (docs/turntables.md, "What is found")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from masks.errors import ReconstructionError, UserError
from masks.notice import Level, Notice, first_few, info, left_out, warning
from pairs.backends.classical.completion.grown_ring import GrownRing, azimuth_of
from pairs.backends.classical.completion.partial_scene import exact_rings, grown_from_scene
from pairs.backends.classical.completion.ring_scene import ring_scene
from pairs.backends.classical.completion.second_run import second_run
from pairs.backends.classical.completion.stated_step import ring_of_step
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, Solver
from pairs.engines.engines import Workers
from pairs.rings.outline import outline_of
from pairs.rings.placing import Placement
from pairs.rings.steps import step_pattern

_RANKS = {Verdict.SURE: 0, Verdict.UNCHECKED: 1, Verdict.DOUBTFUL: 1, Verdict.REJECTED: 2}
_CONTRADICTS = 0.1
"""By this share a stated step may be off from that of views that features placed."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What became of the views that features did not place."""

    attempt: Attempt | None = None
    """The scene to hand on instead of the best one before, if there is a better one."""
    by_outline: tuple[int, ...] = ()
    """Views of it that outlines placed."""
    notices: tuple[Notice, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why outlines do not place a view, by its name."""
    fault: str = ""
    """Why a stated step gave nothing."""


def require_masks(masks: Sequence[np.ndarray | None], options: SolveOptions) -> None:
    """Raise `UserError` where a turntable is stated and nothing shows an outline."""
    if options.turntable_stated and all(mask is None for mask in masks):
        raise UserError(
            f"`turntable={options.turntable}`: outlines are the evidence, and no photo has a mask. Give "
            "`masks` of the object."
        )


def completed(
    evidence: Evidence, best: Attempt | None, solve: Solver, workers: Workers, options: SolveOptions
) -> Completion:
    """Place the views that the best scene lacks by their outlines, where its cameras stand on an exact
    circle or the user states how the turntable went.

    Nothing runs where nothing is missing, nothing stands on a circle, or masks lack.
    """
    num_shown = sum(mask is not None and bool(mask.any()) for mask in evidence.masks)
    if options.turntable == "off" or num_shown <= (best.num_placed if best is not None else 0):
        return Completion()
    if best is not None and not options.turntable_stated and _without_ring(best):
        return Completion()
    if best is None and not options.turntable_stated:
        return Completion()
    outlines = {
        view: outline
        for view, mask in enumerate(evidence.masks)
        if mask is not None and (outline := outline_of(mask)) is not None
    }
    if best is not None:
        run = second_run(evidence, outlines, best, solve, workers, options)
        if run is not None and run.attempt is None:
            return Completion(notices=(run.notice,), reasons=run.reasons)
        if run is not None and _better(run.attempt, best):
            return Completion(run.attempt, run.views, (run.notice,))
    step, doubts = _stated_step(best, options)
    grown_ring = None
    if best is not None:
        grown_ring = grown_from_scene(evidence, outlines, best, step, solve, options)
    from_scene = _judged(evidence, best, grown_ring, workers, options)
    complete = from_scene.attempt is not None and from_scene.attempt.num_placed == num_shown
    if doubts or complete or not options.turntable_stated:
        return _with_notices(from_scene, doubts)
    stated = ring_of_step(evidence, outlines, step, options)
    if stated.ring is None:
        return (
            from_scene if from_scene.attempt else Completion(reasons=from_scene.reasons, fault=stated.fault)
        )
    attempt = ring_scene(
        evidence,
        stated.ring,
        "a circle from outlines and a stated turntable",
        _focal(stated.ring),
        workers,
        options,
    )
    before = from_scene.attempt or best
    if not _better(attempt, before):
        return from_scene
    views = tuple(int(view) for view in stated.ring.ring.views)
    placed = stated.ring.placed
    # Where single views were placed, the files are no even turn, and a step between them means nothing.
    said = _placed_notices(evidence, stated.ring) if placed else (_stated_notice(stated.ring),)
    return Completion(attempt, views, (*stated.notices, *said))


def require_completion(completion: Completion, best: Attempt | None) -> None:
    """Raise `ReconstructionError` where neither features nor a stated turntable gave a scene."""
    if completion.fault and completion.attempt is None and best is None:
        raise ReconstructionError(
            f"features give no scene, and the stated turntable none either: {completion.fault}"
        )


def completion_notices(
    completion: Completion, notices: Sequence[Notice], best: Attempt | None
) -> tuple[Notice, ...]:
    """Return the notices of a scene with what outlines say of the views that it lacks."""
    said = [
        left_out(notice.subject, f"{notice.text} {completion.reasons[notice.subject]}")
        if notice.level is Level.LEFT_OUT and notice.subject in completion.reasons
        else notice
        for notice in notices
    ]
    if completion.fault and completion.attempt is None and best is not None:
        said.append(warning("turntable", f"not used: {completion.fault}"))
    return (*said, *completion.notices)


def _without_ring(best: Attempt) -> bool:
    return best.model is None or not exact_rings(best.model)


def _stated_step(best: Attempt | None, options: SolveOptions) -> tuple[float | None, tuple[Notice, ...]]:
    """Return the stated step in radians, unless views that features placed contradict it, or stand on several
    circles, for which one step of all files means nothing.
    """
    if not isinstance(options.turntable, float):
        return None, ()
    step = float(np.deg2rad(abs(options.turntable)))
    rings = () if best is None or best.model is None else exact_rings(best.model)
    if len(rings) > 1:
        text = (
            f"`turntable={options.turntable:g}`: features place photos on {len(rings)} circles of one axis, "
            "and the step is that of one. It was not used."
        )
        return None, (warning("turntable", text),)
    pattern = step_pattern(rings[0], np.arange(int(rings[0].views.max()) + 1)) if rings else None
    if pattern is None or not np.isfinite(pattern.spread):
        return step, ()
    if abs(abs(pattern.step) - step) <= _CONTRADICTS * step:
        return step, ()
    text = (
        f"`turntable={options.turntable:g}` contradicts the photos that features place: these are "
        f"{np.rad2deg(abs(pattern.step)):.2f} degrees apart. It was not used."
    )
    return None, (warning("turntable", text),)


def _judged(
    evidence: Evidence,
    best: Attempt | None,
    ring: GrownRing | None,
    workers: Workers,
    options: SolveOptions,
) -> Completion:
    if best is None or best.model is None or ring is None:
        return Completion()
    reasons = {
        evidence.views[view].name: _why_unclear(placement) for view, placement in (ring.unclear or {}).items()
    }
    if len(ring.views) <= best.num_placed:
        return Completion(reasons=reasons)
    pieces = "".join(f" and {len(views)}" for views in ring.joined)
    circles = f"{1 + len(ring.beside)} circles of one axis" if ring.beside else "one circle"
    strategy = (
        f"on {circles}, {best.num_placed}{pieces} by features, {len(ring.placed)} by their outlines alone"
    )
    attempt = ring_scene(evidence, ring, strategy, _focal(ring), workers, options)
    if not _better(attempt, best):
        verdict = attempt.assessment.reason if attempt.assessment is not None else "no scene"
        text = f"outlines would place {attempt.num_placed} views, but the scene is doubtful ({verdict})."
        return Completion(notices=(info("turntable", text),), reasons=reasons)
    joined = {view for views in ring.joined for view in views}
    by_outline = tuple(sorted({*ring.placed, *joined}))
    return Completion(attempt, by_outline, _placed_notices(evidence, ring), reasons)


def _better(attempt: Attempt | None, before: Attempt | None) -> bool:
    """Tell whether a scene places more views and is not less believable."""
    if attempt is None or not attempt.accepted or attempt.assessment is None:
        return False
    if before is None or before.assessment is None:
        return True
    more = attempt.num_placed > before.num_placed
    return more and _RANKS[attempt.assessment.verdict] <= _RANKS[before.assessment.verdict]


def _with_notices(completion: Completion, notices: tuple[Notice, ...]) -> Completion:
    return Completion(
        completion.attempt,
        completion.by_outline,
        (*notices, *completion.notices),
        completion.reasons,
        completion.fault,
    )


def _focal(ring: GrownRing) -> str:
    return f"outlines agree within {ring.tangency:.2f} px in the median"


def _placed_notices(evidence: Evidence, ring: GrownRing) -> tuple[Notice, ...]:
    names = [view.name for view in evidence.views]
    joined = [
        info(
            "turntable",
            (
                f"{first_few([names[view] for view in views])}: were solved apart from the others, and "
                "joined to them by their outlines."
            ),
        )
        for views in ring.joined
    ]
    placed = [
        info(
            names[view],
            (
                f"placed by its outline, not by features: {np.rad2deg(azimuth_of(ring, view)):.1f} degrees "
                f"on the turntable's circle, where it costs {placement.ratio:.2f} of the next azimuth "
                "that fits."
            ),
        )
        for view, placement in sorted(ring.placed.items())
    ]
    return (*joined, *placed)


def _stated_notice(ring: GrownRing) -> Notice:
    views = ring.ring.views
    turn = np.unwrap(ring.ring.azimuth)
    step = abs(float(np.rad2deg(np.polyfit(views, turn, 1)[0])))
    text = (
        f"all {len(views)} views were placed by their outlines, the stated turntable and the order of the "
        f"files, none by features: {step:.2f} degrees a photo, tangents agree within {ring.tangency:.2f} px."
    )
    return info("turntable", text)


def _why_unclear(placement: Placement) -> str:
    if placement.flat:
        return "Its outline does not tell the sides apart: texture or a mark on the object is needed."
    if placement.fits and len(placement.rivals) > 1:
        azimuths = first_few([f"{np.rad2deg(azimuth) % 360:.0f}" for azimuth in sorted(placement.rivals)])
        return f"Its outline fits the turntable's circle at {azimuths} degrees alike."
    return "Its outline fits the turntable's circle nowhere clearly: look at its mask."
