"""The road of a camera that moves around an object that stands: by the depth of a scene without masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from align.made_masks.placed_pictures import carried
from align.made_masks.pointed_at import as_clicked, pointed_at
from align.made_masks.shown import Box, Click
from align.made_masks.stands_on import ROAD, object_points, scene_evidence
from align.made_masks.support_plane import axes_miss, looked_at_points, support_plane
from align.scene import Scene
from masks.image_file import ImageFacts
from masks.making.evidence import Evidence
from masks.making.pictures import working_map
from masks.notice import Level, Notice, warning

_LEAST_PLACED = 0.8
_MOST_MISSED = 0.25
"""Measured 0.011 where a gantry looks at a temple, 0.14 where a hand goes round a fox."""
_SECOND_NAMED = 0.05


@dataclass(frozen=True, slots=True)
class SceneRoad:
    """What a scene says of the object, or why it says nothing."""

    evidence: Evidence | None
    points: np.ndarray  # (N, 3) of the object, world of the scene
    reason: str
    """Why the road was taken, or not."""
    notices: tuple[Notice, ...] = ()


def scene_road(scene: Scene, facts: Sequence[ImageFacts], shown: Sequence[Box | Click] = ()) -> SceneRoad:
    """Return the evidence on the working pictures of all photos; 0 on those that are not in the scene.

    `shown` is where a user points at the object: then it need not stand on a plane, nor alone.
    """
    nothing = np.zeros((0, 3))
    fault = _unfit(scene)
    if fault:
        return SceneRoad(None, nothing, fault)
    looked = looked_at_points(scene)
    plane = support_plane(looked, scene.cameras.centres)
    if plane is None and not shown:
        return SceneRoad(None, nothing, "no plane carries what the cameras look at")
    if shown:
        found = pointed_at(scene, looked, plane, shown)
    elif plane is not None:
        found = object_points(looked, plane)
    if found.fault:
        return SceneRoad(None, nothing, found.fault)
    on_grids = scene_evidence(scene, looked, plane, found.points).logits
    logits = _on_working_pictures(scene, as_clicked(scene, on_grids, shown), facts)
    where = "what was pointed at" if shown else "one thing stands"
    carried_by = "" if plane is None else f" on a plane that {100 * plane.share:.0f} % of the points lie on"
    return SceneRoad(Evidence(logits, ROAD), found.points, f"{where}{carried_by}", _others(found.other_share))


def stood_still(notices: Sequence[Notice]) -> bool:
    """Tell whether a solve without masks was disturbed by key points that stood still with the camera."""
    return any(n.subject == "stationary background" and n.level is Level.WARNING for n in notices)


def _unfit(scene: Scene) -> str:
    """Return why a scene says nothing of an object, or nothing."""
    if stood_still(scene.report.notices):
        return "the object turned before a backdrop that stood still, which leaves no depth around it"
    if len(scene.views) < _LEAST_PLACED * len(scene.inputs):
        return f"only {len(scene.views)} of {len(scene.inputs)} photos have cameras"
    missed = axes_miss(scene)
    if missed >= _MOST_MISSED:
        return f"the cameras look at no one thing (their axes miss it by {missed:.2f} of its distance)"
    return ""


def _on_working_pictures(
    scene: Scene, on_grids: Sequence[np.ndarray], facts: Sequence[ImageFacts]
) -> tuple[np.ndarray, ...]:
    by_name = {view.name: (view, logits) for view, logits in zip(scene.views, on_grids)}
    found = []
    for fact in facts:
        onto = working_map(fact).upright()
        if fact.path.name in by_name:
            view, logits = by_name[fact.path.name]
            found.append(carried(logits, view.pixel_map.upright(), onto))
        else:
            w, h = onto.target_size
            found.append(np.zeros((h, w), np.float32))
    return tuple(found)


def _others(share: float) -> tuple[Notice, ...]:
    if share < _SECOND_NAMED:
        return ()
    text = (
        f"another thing stands on the plane, {100 * share:.0f} % as large as the one that the cameras look "
        "at: left out. Point at the object (`box`) if it is the other one."
    )
    return (warning("masks", text),)
