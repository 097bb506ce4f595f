"""What a scene says of the turntable on which it was taken: words and numbers for its report
(docs/turntables.md, "What is said").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from align.objects.contradicted import contradicted_masks
from align.objects.folds import fold_notices
from align.objects.frame import upper_end
from align.objects.outlined import outlined
from align.objects.sides import Side, side_notices, sides_of
from align.scene import Report, Scene
from masks.notice import Notice, first_few, info, warning
from pairs.rings.ring import CircularMotion, Grade, Ring, fit_circular_motion
from pairs.rings.steps import StepPattern, step_pattern
from pairs.rings.tangency import MOST_TANGENCY_PX, medians_of_views


@dataclass(frozen=True, slots=True)
class Turntable:
    """The circles on which a scene's cameras stand, with names."""

    motion: CircularMotion
    patterns: tuple[StepPattern | None, ...]
    """Of every ring."""
    tangency_px: np.ndarray  # (V,), median of each view over the others; NaN without masks
    sides: tuple[Side, ...]
    """How the object lay on the table, the first ring's way first."""
    names: tuple[str, ...]
    """Of the views."""
    inputs: tuple[str, ...]
    """Of all photos, in their order: what the files of a pattern count."""

    def side_of(self, ring: int) -> Side:
        """Return how the object lay for a ring, by its number."""
        return next(side for side in self.sides if ring in side.rings)


def turntable_of(scene: Scene) -> Turntable:
    """Return what a scene's poses, and masks, say of a turntable."""
    motion = fit_circular_motion(scene.cameras.cam_from_world)
    names = tuple(view.name for view in scene.views)
    place = {name: k for k, name in enumerate(scene.inputs)}
    files = np.array([place.get(name, k) for k, name in enumerate(names)])
    return Turntable(
        motion,
        tuple(step_pattern(ring, files) for ring in motion.rings),
        view_tangency(scene),
        sides_of(motion, lambda axis, views: upper_end(scene, axis, views)),
        names,
        scene.inputs,
    )


def with_turntable(scene: Scene) -> Scene:
    """Return the scene whose report says what turntable it was taken on, and which silhouettes contradict the
    others; the same scene where there is neither.
    """
    table = turntable_of(scene)
    said = (*silhouette_notices(table), *contradicted_masks(scene))
    notices = (*turntable_notices(table), *said, *fold_notices(scene))
    figures = dict(scene.report.figures)
    if table.motion.grade is not Grade.NONE:
        figures["turntable"] = turntable_figures(table)
    return replace(scene, report=Report((*scene.report.notices, *notices), figures))


def silhouette_notices(table: Turntable) -> tuple[Notice, ...]:
    """Return a warning that names the views whose silhouettes contradict those of the others, whatever placed
    them: a folded scene looks so, and a mask of something else.
    """
    wrong = np.flatnonzero(table.tangency_px > MOST_TANGENCY_PX)
    if not len(wrong):
        return ()
    text = (
        f"{first_few([table.names[k] for k in wrong])}: their outlines contradict those of the other views "
        "by "
        f"{np.median(table.tangency_px[wrong]):.1f} px in the median, where right ones stay below 1. Their "
        "cameras "
        "are wrong, or their masks."
    )
    return (warning("silhouettes", text),)


def view_tangency(scene: Scene) -> np.ndarray:
    """Return the median tangency (V,) of each view's silhouette with all others, grid pixels; NaN where a
    view has no mask, or no tangent.
    """
    found = np.full(len(scene.views), np.nan)
    seen = outlined(scene)
    if len(seen.index) >= 2:
        found[seen.index] = medians_of_views(seen.cameras, seen.outlines)
    return found


def turntable_notices(table: Turntable) -> tuple[Notice, ...]:
    """Return the report's words; none where the cameras stand on no circle, as most sets' do."""
    if table.motion.grade is Grade.NONE:
        return ()
    notices = [info("turntable", _in_words(table))]
    notices += side_notices(table.motion, table.sides, table.names, table.inputs)
    for pattern in table.patterns:
        notices += _of_pattern(pattern, table.inputs) if pattern is not None else []
    if len(table.motion.outside):
        outside = first_few([table.names[k] for k in table.motion.outside])
        notices.append(warning("turntable", f"{outside}: stand on none of its circles. Look at them."))
    return tuple(notices)


def turntable_figures(table: Turntable) -> dict[str, Any]:
    """Return the same as numbers, ready for JSON: degrees, radii in the scene's unit, shares of the
    radius.
    """
    rings = []
    for number, (ring, pattern) in enumerate(zip(table.motion.rings, table.patterns)):
        side = table.side_of(number)
        of_views = {
            table.names[view]: {
                "azimuth_deg": _rounded(np.rad2deg(ring.azimuth[k])),
                "rotation_residual_deg": _rounded(np.rad2deg(ring.rotation_residual[k])),
                "place_residual": _rounded(ring.place_residual[k]),
                "tangency_px": None
                if np.isnan(table.tangency_px[view])
                else _rounded(table.tangency_px[view]),
            }
            for k, view in enumerate(ring.views)
        }
        rings.append(
            {
                "radius": float(ring.radius),
                "tilt_deg": _rounded(_tilt_deg(ring, side.up)),
                "turned_over_deg": _rounded(np.rad2deg(side.turned_over)),
                "span_deg": _rounded(np.rad2deg(ring.span)),
                "step_deg": None if pattern is None else _rounded(np.rad2deg(pattern.step)),
                "step_spread_deg": None
                if pattern is None or not np.isfinite(pattern.spread)
                else _rounded(np.rad2deg(pattern.spread)),
                "views": of_views,
            }
        )
    return {"grade": table.motion.grade.value, "rings": rings}


def turntable_table(table: Turntable) -> str:
    """Return a table of all views: ring, azimuth, residuals, tangency."""
    if table.motion.grade is Grade.NONE:
        return "turntable: the cameras do not stand on a circle."
    lines = [
        (f"turntable: {table.motion.grade.value}; view, ring, azimuth, off by, and of the radius, tangency")
    ]
    for number, ring in enumerate(table.motion.rings, 1):
        for k in np.argsort(ring.azimuth):
            view = ring.views[k]
            px = table.tangency_px[view]
            lines.append(
                f"  {table.names[view]:<24}{number:>2} {np.rad2deg(ring.azimuth[k]):8.2f} deg"
                f" {np.rad2deg(ring.rotation_residual[k]):7.3f} deg {100 * ring.place_residual[k]:6.2f} %"
                + ("" if np.isnan(px) else f" {px:6.2f} px")
            )
    for side in table.sides[1:]:
        numbers = " and ".join(str(number + 1) for number in side.rings)
        lines.append(
            f"  ring {numbers}: the object turned over by {np.rad2deg(side.turned_over):.0f} degrees"
        )
    lines += [f"  {table.names[view]:<24} -" for view in table.motion.outside]
    return "\n".join(lines)


def _in_words(table: Turntable) -> str:
    motion, first = table.motion, table.motion.rings[0]
    turn = np.median(np.rad2deg(np.concatenate([ring.rotation_residual for ring in motion.rings])))
    place = np.median(np.concatenate([ring.place_residual for ring in motion.rings]))
    count = sum(len(ring.views) for ring in motion.rings)
    circles = "a circle" if len(motion.rings) == 1 else f"{len(motion.rings)} circles"
    axes = len(set(motion.turntable))
    kind = "exact" if motion.grade is Grade.EXACT else "rough: good for the direction of up alone"
    words = (
        f"{count} of {len(table.names)} views stand on {circles} about "
        f"{'one axis' if axes == 1 else f'{axes} axes'} "
        f"({kind}), {turn:.2f} degrees and {place:.2%} of the radius off in the median; the camera looks "
        "down by "
        f"{_tilt_deg(first, table.sides[0].up):.0f} degrees"
    )
    pattern = table.patterns[0]
    if pattern is None or not np.isfinite(pattern.spread):
        return f"{words}."
    # Cameras that go round one way are an object that turns the other way.
    way = "clockwise" if pattern.step * table.sides[0].up > 0 else "counter-clockwise"
    return (
        f"{words}; steps of {abs(np.rad2deg(pattern.step)):.2f} +- {np.rad2deg(pattern.spread):.2f} "
        "degrees over "
        f"{np.rad2deg(pattern.span):.0f}, the object turning {way} as seen from above."
    )


def _of_pattern(pattern: StepPattern, inputs: Sequence[str]) -> list[Notice]:
    notices = []
    # Without one common step nothing is missing.
    if pattern.gaps and np.isfinite(pattern.spread):
        where = first_few(
            [(f"{count} between {inputs[a]} and {inputs[b]}") for a, b, count in pattern.gaps], "; "
        )
        notices.append(info("turntable", f"photos seem to be missing: {where}."))
    if pattern.repeats:
        twins = first_few([f"{inputs[b]} and {inputs[a]}" for a, b in pattern.repeats], "; ")
        notices.append(info("turntable", f"photos that show the object from one side: {twins}."))
    if pattern.out_of_order:
        names = first_few([inputs[k] for k in pattern.out_of_order])
        notices.append(warning("turntable", f"{names}: are not where the order of the files puts them."))
    return notices


def _tilt_deg(ring: Ring, up: float) -> float:
    """Return by how many degrees the camera looks down."""
    return float(np.rad2deg(np.arcsin(np.clip(-up * ring.axis_in_camera[2], -1, 1))))


def _rounded(value: float | np.ndarray) -> float:
    return float(np.round(value, 6))
