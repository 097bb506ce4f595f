"""Outlines judged by cameras, and cameras by outlines: which of both is believed, and what is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align.made_masks.contradiction import MOST_CUT, Comparison, compared
from align.made_masks.mask_work import MaskWork
from align.made_masks.placed_pictures import placed_by_scene, placed_by_solve, points_on_masks
from align.made_masks.solving import Solved, solved_with_masks
from align.objects.hull import Floor
from align.scene import Scene
from masks.errors import MaskError, ReconstructionError, SolverError
from masks.making.finish import finished_masks
from masks.making.refine import Refined
from masks.notice import Notice, info, warning

_BELOW_TOLD = 0.01


@dataclass(frozen=True, slots=True)
class Judged:
    """What cameras say of outlines."""

    comparison: Comparison | None
    """None where nothing could be compared, or what was compared contradicts itself."""
    notice: Notice


def judged_by_solve(
    work: MaskWork, outlines: Refined, without_masks: Solved, floor: Floor | None = None
) -> Judged:
    """Compare outlines with cameras that were solved without masks, above the floor if one is known; where
    these contradict them, solve with the outlines as masks and compare once more.
    """
    first = _compared(work, outlines, without_masks, floor)
    if first is None:
        return not_judged("too few photos or points with known cameras lie on the masks")
    if not first.contradicts:
        return Judged(first, _agreeing(first))
    try:
        with_masks = solved_with_masks(work, without_masks, finished_masks(outlines, work.facts))
    except (ReconstructionError, MaskError, SolverError) as error:
        return Judged(None, _contradicting(first, f"With the masks no scene came out: {error}"))
    second = _compared(work, outlines, with_masks)
    if second is None or second.contradicts:
        share = "few photos were placed" if second is None else f"{100 * second.share:.0f} % then"
        return Judged(None, _contradicting(first, f"Cameras solved with them do not agree: {share}."))
    text = (
        f"cameras solved without masks had folded (the silhouettes contradict {100 * first.share:.0f} % of "
        f"the median mask): solved again with the made masks, which then agree "
        f"({100 * second.share:.1f} %)."
    )
    return Judged(second, warning("masks", text))


def judged_by_scene(work: MaskWork, outlines: Refined, scene: Scene, points: np.ndarray) -> Judged:
    """Compare outlines with the cameras of the scene that they were made by, around the object's points
    (N, 3).
    """
    work.progress("comparing silhouettes", 0, 1)
    comparison = compared(outlines.masks, placed_by_scene(scene, work.facts), points)
    if comparison is None:
        return not_judged("too few points are the object")
    if comparison.contradicts:
        return Judged(None, _contradicting(comparison, "They were made by the same cameras."))
    return Judged(comparison, _agreeing(comparison))


def not_judged(why: str) -> Judged:
    """Return what holds where there are no cameras."""
    return Judged(None, warning("masks", f"the made masks were not compared with cameras: {why}"))


def _compared(
    work: MaskWork, outlines: Refined, solved: Solved, floor: Floor | None = None
) -> Comparison | None:
    work.progress("comparing silhouettes", 0, 1)
    points = points_on_masks(solved.views, solved.solve, outlines.masks, work.facts)
    return compared(outlines.masks, placed_by_solve(solved.views, solved.solve, work.facts), points, floor)


def _agreeing(comparison: Comparison) -> Notice:
    worst = max(comparison.shares.values())
    text = (
        f"the made masks and the cameras agree: other views contradict {100 * comparison.share:.1f} % of the "
        f"median mask and {100 * worst:.1f} % of the worst, which was taken away."
    )
    if comparison.below > _BELOW_TOLD:
        text += f" So was {100 * comparison.below:.0f} % that reached below the stand, as a mirror shows it."
    return info("masks", text)


def _contradicting(comparison: Comparison, then: str) -> Notice:
    text = (
        f"the made masks and the cameras contradict each other ({100 * comparison.share:.0f} % of the median "
        f"mask, {100 * MOST_CUT:.0f} % are usual at most). {then} Nothing was taken away. Look at both."
    )
    return warning("masks", text)
