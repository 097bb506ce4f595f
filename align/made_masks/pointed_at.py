"""The object as a user shows it in one photo: by a box around it, or by points on it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from align.made_masks.shown import Box, Click
from align.made_masks.stands_on import ABOVE, ObjectPoints, linked_parts
from align.made_masks.support_plane import LookedAt, SupportPlane
from align.scene import Scene, points_of_view
from masks.errors import MaskError
from masks.mask import holds
from masks.pixelmap import to_target
from pairs.views.cameras import Cameras, project

_CLICK_PX = 6
"""Pixels of the grid around a click in which its depth is looked for."""
_ROUNDS = 5


def pointed_at(
    scene: Scene, looked: LookedAt, plane: SupportPlane | None, shown: Sequence[Box | Click]
) -> ObjectPoints:
    """Return the points of what a user has shown: of the connected thing above the plane, if there is one,
    that the clicks hit, or that fills the boxes.

    Raises `MaskError` for a photo that has no camera in the scene, or a place outside of it.
    """
    points = looked.points
    if plane is not None:
        points = points[plane.height(points) > ABOVE * looked.distance]
    nothing = np.zeros((0, 3))
    inside = np.ones(len(points), bool)
    for box in shown:
        if isinstance(box, Box):
            inside &= _in_box(scene, box, points)
    points = points[inside]
    if len(points) == 0:
        return ObjectPoints(nothing, "nothing stands out of the plane where it was pointed at")
    label = linked_parts(points, looked.distance)
    clicks = [click for click in shown if isinstance(click, Click)]
    if not clicks:
        return ObjectPoints(points[label == np.bincount(label).argmax()])
    hit = {int(label[_nearest(scene, click, points)]) for click in clicks}
    return ObjectPoints(points[np.isin(label, list(hit))])


def _position(scene: Scene, photo: str) -> int:
    for k, view in enumerate(scene.views):
        if view.name == photo:
            return k
    known = "its camera was not placed" if photo in scene.inputs else "no photo has this name"
    raise MaskError(f"{photo}: {known}, so nothing can be shown in it. Choose another photo.")


def _on_grid(scene: Scene, k: int, photo: str, xy: np.ndarray) -> np.ndarray:
    """Return positions (N, 2) of an upright photo on its view's grid."""
    pixel_map = scene.views[k].pixel_map.upright()
    w, h = pixel_map.source_size
    if not ((xy >= -0.5) & (xy <= (w - 0.5, h - 0.5))).all():
        raise MaskError(f"{photo}: is {w}x{h} pixels, and what was shown lies outside. Give its pixels.")
    return to_target(pixel_map, xy)


def _in_box(scene: Scene, box: Box, points: np.ndarray) -> np.ndarray:
    """Return which points (N, 3) lie behind the object that fills a box, by the photo's colours."""
    k = _position(scene, box.photo)
    corners = np.array([[box.x, box.y], [box.x + box.w - 1, box.y + box.h - 1]], float)
    (x0, y0), (x1, y1) = np.rint(_on_grid(scene, k, box.photo, corners)).astype(int)
    image = np.ascontiguousarray(scene.views[k].image)
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(x0, 1), max(y0, 1), min(x1, width - 2), min(y1, height - 2)
    if x1 - x0 < 2 or y1 - y0 < 2:
        raise MaskError(f"{box.photo}: the box holds nothing of the photo. Give X Y W H in its pixels.")
    labels = np.zeros(image.shape[:2], np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # Its first colours are drawn: from the same numbers whatever was drawn before.
    cv2.setRNGSeed(0)
    rectangle = (x0, y0, x1 - x0 + 1, y1 - y0 + 1)
    labels, _, _ = cv2.grabCut(image, labels, rectangle, *models, _ROUNDS, cv2.GC_INIT_WITH_RECT)
    filled = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    camera = Cameras(scene.cameras.K[k : k + 1], scene.cameras.cam_from_world[k : k + 1])
    xy, in_camera = project(camera, points)
    return (in_camera[0, :, 2] > 0) & holds(filled, xy[0])


def _nearest(scene: Scene, click: Click, points: np.ndarray) -> int:
    """Return the number of the point (N, 3) nearest to what a photo shows at a click."""
    k = _position(scene, click.photo)
    x, y = _on_grid(scene, k, click.photo, np.array([[click.x, click.y]]))[0]
    conf = scene.views[k].conf
    rows, columns = np.nonzero(conf > 0)
    far = np.hypot(columns - x, rows - y)
    if len(far) == 0 or far.min() > _CLICK_PX:
        raise MaskError(f"{click.photo}: nothing is known of the depth at that point. Choose another one.")
    best = int(far.argmin())
    place = points_of_view(scene, k)[rows[best], columns[best]]
    return int(np.linalg.norm(points - place, axis=1).argmin())
