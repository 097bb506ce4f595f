"""A ring from masks and a step that the user states, without any feature (docs/turntables.md, "Without
texture").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from masks.notice import Notice, first_few, left_out, warning
from pairs.backends.classical.completion.growing import grown
from pairs.backends.classical.completion.grown_ring import GrownRing, RingEvidence
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.attempts import Evidence
from pairs.backends.classical.sfm.camera_groups import camera_of_view, camera_starts
from pairs.rings.from_outlines import LEAST_VIEWS, OutlineRing, Refusal, Side, best_ring, full_turn_steps
from pairs.rings.outline import Outline
from pairs.rings.placing import scanned_again
from pairs.rings.ring import wrapped

_STRANGE, _STRANGE_PX = 4.0, 2.0
"""A view whose tangents are off by so many times the median, and so many pixels, is not where the order of
the files puts it: of two photos exchanged 6.3 and 6.7 px among 0.6."""
_STRANGE_SHARE = 0.25
_STEADY_RAD, _STEADY_STEPS = np.deg2rad(2.0), 0.2
"""By so much, and so many steps, a view may stand beside where the others would put it."""
_OTHER_STEPS = (0.5, 2.0)
_OFF_RAD = np.deg2rad(1.0)


@dataclass(frozen=True, slots=True)
class StatedRing:
    """The ring, or why there is none."""

    ring: GrownRing | None
    notices: tuple[Notice, ...] = ()
    fault: str = ""
    """Reason and remedy, a sentence or more."""


def ring_of_step(
    evidence: Evidence, outlines: Mapping[int, Outline], step: float | None, options: SolveOptions
) -> StatedRing:
    """Return the ring of photos in file order, `step` radians apart; without it they go round once.

    CPU seconds: 2 for 16 views, 7 for 36; several times as many where it is refused.
    """
    views = sorted(outlines)
    if len(views) < LEAST_VIEWS:
        return StatedRing(
            None, fault=f"{_of_refusal(Refusal.FEW_VIEWS, len(views))} {len(views)} photos have one."
        )
    K = _known_K(evidence, views, options)
    steps = full_turn_steps(len(evidence.views)) if step is None else (abs(step),)
    found = _found(outlines, views, steps, K, options.seed)
    strange = [] if found.refusal is not None else _strange(found, views)
    if strange:
        rest = [view for view in views if view not in strange]
        found = _found(outlines, rest, (abs(found.step),), K, options.seed)
        views = rest
    if found.refusal is not None:
        uneven = None
        if found.refusal in (Refusal.POOR_FIT, Refusal.AMBIGUOUS, Refusal.LOOSE):
            uneven = _of_uneven_files(evidence, outlines, views, step, K, options)
        fault = "" if uneven else _fault(evidence, outlines, views, step, found, K, options)
        return uneven or StatedRing(None, fault=fault)
    notices = [
        left_out(
            evidence.views[view].name,
            (
                "its outline contradicts its place in the order of the files: it may have been exchanged "
                "with another photo, or its mask is wrong."
            ),
        )
        for view in strange
    ]
    ring = replace(found.ring, views=np.array(views))
    start = GrownRing(ring, found.K, {}, tangency=found.tangency)
    if found.side is Side.BOTH:
        start = grown(start, (), _evidence_of(evidence, outlines, views, found, K is not None, options))
        if moved := _moved(start, outlines):
            # A median over tangents hardly sees a photo that is missing: azimuths are measured weakly.
            names = first_few([evidence.views[view].name for view in moved])
            fault = f"{_of_refusal(Refusal.POOR_FIT, len(views))} {names} fit better elsewhere."
            uneven = _of_uneven_files(evidence, outlines, views, step, K, options)
            return uneven or StatedRing(None, fault=fault)
    else:
        text = (
            f"{_of_one_side(found.side)} Is the object cut there, or glued to what it stands on? Look at the "
            "masks."
        )
        notices.append(warning("turntable", text))
    return StatedRing(start, (*notices, *_step_notice(step, found)))


def _of_uneven_files(
    evidence: Evidence,
    outlines: Mapping[int, Outline],
    views: Sequence[int],
    step: float | None,
    K: Mapping[int, np.ndarray] | None,
    options: SolveOptions,
) -> StatedRing | None:
    """Return the ring of files that are missing, repeated or reversed somewhere: that of the even ones at the
    beginning or the end, on which the others are placed wherever they fit.
    """
    half = max(LEAST_VIEWS, len(views) // 2)
    if step is None or len(views) <= half:
        return None
    for part in (views[:half], views[-half:]):
        found = _found(outlines, part, (abs(step),), K, options.seed)
        if found.refusal is not None or found.side is not Side.BOTH or _strange(found, part):
            continue
        ring = replace(found.ring, views=np.array(part))
        intrinsics = {view: found.K[0] if K is None else K[view] for view in views}
        free = RingEvidence(outlines, intrinsics, evidence.pairs, evidence.xy, K is not None, options.seed)
        whole = grown(GrownRing(ring, found.K, {}, tangency=found.tangency), (), free)
        if len(whole.ring.views) < (1 - _STRANGE_SHARE) * len(views):
            continue
        names = [evidence.views[view].name for view in sorted(whole.placed)]
        text = (
            "the files are not one even turn: photos seem to be missing, repeated or out of order. Those "
            f"from {evidence.views[part[0]].name} to {evidence.views[part[-1]].name} are even; the others "
            f"were placed where their outlines fit ({first_few(names)}). Look at the scene before use."
        )
        return StatedRing(whole, (warning("turntable", text),))
    return None


def _evidence_of(
    evidence: Evidence,
    outlines: Mapping[int, Outline],
    views: Sequence[int],
    found: OutlineRing,
    focal_known: bool,
    options: SolveOptions,
) -> RingEvidence:
    return RingEvidence(
        outlines=outlines,
        K=dict(zip(views, found.K)),
        pairs=evidence.pairs,
        xy=evidence.xy,
        focal_known=focal_known,
        seed=options.seed,
        step=found.step,
    )


def _known_K(evidence: Evidence, views: Sequence[int], options: SolveOptions) -> dict[int, np.ndarray] | None:
    """Return stated intrinsics (3, 3) by view, working pixels; none unless all are stated."""
    if any(evidence.views[view].K is None for view in views):
        return None
    cameras = camera_of_view(evidence.views, options.working_longest)
    starts = camera_starts(evidence.views, options.working_longest, None)
    return {view: starts[cameras[view]].K for view in views}


def _found(
    outlines: Mapping[int, Outline],
    views: Sequence[int],
    steps: Sequence[float],
    K: Mapping[int, np.ndarray] | None,
    seed: int,
) -> OutlineRing:
    chosen = [outlines[view] for view in views]
    known = None if K is None else np.stack([K[view] for view in views])
    return best_ring(chosen, steps, np.array(views), known, seed)


def _strange(found: OutlineRing, views: Sequence[int]) -> list[int]:
    """Return the few views that contradict their place in the order."""
    limit = max(_STRANGE * float(np.median(found.view_tangency)), _STRANGE_PX)
    strange = [view for view, off in zip(views, found.view_tangency) if off > limit]
    few = len(strange) <= _STRANGE_SHARE * len(views) and len(views) - len(strange) >= LEAST_VIEWS
    return strange if few else []


def _moved(found: GrownRing, outlines: Mapping[int, Outline]) -> list[int]:
    """Return the views that the others would put elsewhere on the ring."""
    ring = found.ring
    again = scanned_again(ring, found.K, [outlines[int(view)] for view in ring.views])
    step = float(np.median(np.abs(wrapped(np.diff(ring.azimuth)))))
    limit = max(_STEADY_RAD, _STEADY_STEPS * step)
    return [
        int(view)
        for view, azimuth, placement in zip(ring.views, ring.azimuth, again)
        if not placement.flat and (np.abs(wrapped(np.array(placement.rivals) - azimuth)) > limit).all()
    ]


def _step_notice(step: float | None, found: OutlineRing) -> tuple[Notice, ...]:
    if step is None or abs(abs(found.step) - abs(step)) < _OFF_RAD:
        return ()
    text = (
        f"the outlines say {np.rad2deg(abs(found.step)):.2f} degrees a photo, and `turntable` "
        f"{np.rad2deg(abs(step)):.2f}: that of the outlines was taken."
    )
    return (warning("turntable", text),)


def _fault(
    evidence: Evidence,
    outlines: Mapping[int, Outline],
    views: Sequence[int],
    step: float | None,
    found: OutlineRing,
    K: Mapping[int, np.ndarray] | None,
    options: SolveOptions,
) -> str:
    refusal = found.refusal or Refusal.POOR_FIT
    if refusal is Refusal.LOOSE and found.side is not Side.BOTH:
        return (
            f"{_of_one_side(found.side)} These alone do not tell the focal: state intrinsics by "
            "`calibration`, or mend the masks."
        )
    text = _of_refusal(refusal, len(views))
    if refusal is not Refusal.POOR_FIT:
        return text
    limit = max(2 * float(np.median(found.view_tangency)), _STRANGE_PX)
    odd = [evidence.views[v].name for v, off in zip(views, found.view_tangency) if off > limit]
    if odd:
        text += f" {first_few(odd)} fit worst: exchanged photos, or wrong masks?"
    turns: list[float] = []
    if step is not None:
        turns = [*full_turn_steps(len(evidence.views)), *(abs(step) * f for f in _OTHER_STEPS)]
    for other in turns:
        better = _found(outlines, views, (other,), K, options.seed)
        # Another start may end at the step that was refused: no news.
        if better.refusal is None and abs(abs(better.step) - abs(step or 0)) > _OFF_RAD:
            return f"{text} Steps of {np.rad2deg(abs(better.step)):.2f} degrees do fit."
    return text


def _of_one_side(side: Side) -> str:
    other = "lower" if side is Side.UPPER else "upper"
    return f"the {other} ends of the masks contradict the turntable, so only the others were used."


def _of_refusal(refusal: Refusal, num_views: int) -> str:
    match refusal:
        case Refusal.FEW_VIEWS:
            return f"a circle from outlines alone needs {LEAST_VIEWS} photos whose masks show the object."
        case Refusal.FRAME:
            return "the frame cuts the object in most photos. Step back, or zoom out."
        case Refusal.POOR_FIT:
            return (
                f"the outlines of {num_views} photos fit no camera before which the object turns by that "
                "step from file to file."
            )
        case Refusal.BODY_OF_REVOLUTION:
            return (
                "the object looks like a body of revolution: its outline does not tell the sides apart. "
                "Texture or a mark on it is needed."
            )
        case Refusal.LOOSE:
            return (
                "the outlines hardly change as the object turns, or do not change evenly: they do not tell "
                "where the camera stands. Take photos from higher up, or state intrinsics by `calibration`."
            )
        case Refusal.AMBIGUOUS:
            return (
                "several cameras fit the outlines alike, such as the two directions of turning. Take photos "
                "from higher up, or state intrinsics by `calibration`."
            )
