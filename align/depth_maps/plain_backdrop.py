"""Depth of a plain backdrop: where all looks alike nothing can be measured, and what is found there is the
object's rim, carried on.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from align.scene import Report, Scene, SceneView
from masks.making.plain import plain_backdrop
from masks.notice import warning

_PLAIN_VIEWS = 2 / 3
"""Views with a plain border: the object, or what it stands on, may cross the border of some."""
_LEAST, _MOST = 0.2, 0.995
"""Share of a view that its backdrop may have: less is a margin, more leaves no object."""
_SPECK = 0.01
"""Of the largest piece before the backdrop: smaller ones are its noise."""


def without_plain_backdrop(scene: Scene) -> Scene:
    """Return a scene of photos without masks with no confidence in plain backdrops, and a warning that says
    so; the scene itself where its photos show something else.
    """
    found = [_backdrop(view) for view in scene.views]
    plain = [backdrop for backdrop in found if backdrop is not None]
    if len(plain) < max(2, _PLAIN_VIEWS * len(found)):
        return scene
    views = [
        view if backdrop is None else replace(view, conf=np.where(backdrop, np.float32(0), view.conf))
        for view, backdrop in zip(scene.views, found)
    ]
    text = (
        f"the backdrop of {len(plain)} of {len(found)} views is plain, and no depth can be measured there: "
        "what was found in it has no confidence. `masks=make` makes masks of what stands before it."
    )
    report = Report((*scene.report.notices, warning("masks", text)), scene.report.figures)
    return replace(scene, views=tuple(views), report=report)


def _backdrop(view: SceneView) -> np.ndarray | None:
    backdrop = plain_backdrop(view.image)
    if backdrop is None or not _LEAST <= backdrop.mean() <= _MOST:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~backdrop).astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA].astype(float)
    area[0] = 0
    specks = area < _SPECK * area.max() if count > 1 else np.zeros(count, bool)
    specks[0] = False
    # A blurred rim is a mixture of both: of the pixel that it is wider, the backdrop's side.
    return cv2.dilate((backdrop | specks[labels]).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
