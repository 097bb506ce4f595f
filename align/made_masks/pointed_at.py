"""The object as a user shows it in photos: by a box around it, by points on it, and by points beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from align.made_masks.shown import Box, Click
from align.made_masks.stands_on import ABOVE, ObjectPoints, linked_parts, object_points
from align.made_masks.support_plane import LookedAt, SupportPlane
from align.scene import Scene, points_of_view
from masks.errors import MaskError
from masks.mask import holds
from masks.pixelmap import to_target
from pairs.views.cameras import Cameras, project

_CLICK_PX = 6
"""Pixels of the grid around a click in which its depth is looked for."""
_HIT = 0.03
"""Farther from all points, in the cameras' distance, a click beside the object shows none of the things."""
_CLICK_RADIUS, _CLICKED = 0.01, 4.0
"""Of the longer side: so much around a click is as it says; and how surely."""
_HELD = 0.8
"""Share of a thing's points above which a box holds it, be it drawn a little too small."""
_ROUNDS = 5


def pointed_at(
    scene: Scene, looked: LookedAt, plane: SupportPlane | None, shown: Sequence[Box | Click]
) -> ObjectPoints:
    """Return the points of what a user has shown: of the connected thing above the plane, if there is one,
    that the clicks hit, or that fills the boxes; without what the clicks beside the object hit. A thing that
    is hit by both kinds is divided half-way between them.

    Raises `MaskError` for a photo that has no camera in the scene, or a place outside of it.
    """
    points = looked.points
    if plane is not None:
        points = points[plane.height(points) > ABOVE * looked.distance]
    inside = np.ones(len(points), bool)
    parts = None if plane is None else linked_parts(points, looked.distance)
    for box in shown:
        if isinstance(box, Box):
            inside &= _in_box(scene, box, points, parts)
    points = points[inside]
    clicks = [each for each in shown if isinstance(each, Click)]
    on = [_surely(scene, click) for click in clicks if click.on_object]
    off = [_place(scene, click) for click in clicks if not click.on_object]
    nothing = ObjectPoints(np.zeros((0, 3)), "nothing stands out of the plane where it was pointed at")
    if len(points) == 0:
        return nothing
    label = linked_parts(points, looked.distance)
    # A click on the table, or on a wall without depth, hits no thing.
    off = [at for at in off if at is not None and _far(points, at).min() < _HIT * looked.distance]
    hit, not_hit = (
        np.isin(label, [label[_far(points, at).argmin()] for at in places]) for places in (on, off)
    )
    if on:
        nearer = _nearest_of(points, on) < _nearest_of(points, off)
        return ObjectPoints(points[hit & (nearer | ~not_hit)])
    left = ~not_hit
    if not left.any():
        return nothing
    if len(clicks) < len(shown):
        return ObjectPoints(points[label == np.bincount(label[left]).argmax()])
    return nothing if plane is None else object_points(replace(looked, points=points[left]), plane)


def _far(points: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points - place, axis=1)


def _nearest_of(points: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
    """Return how far (N,) the nearest of some places is from each point; infinite without any."""
    return np.min([_far(points, place) for place in places] or [np.full(len(points), np.inf)], axis=0)


def as_clicked(
    scene: Scene, logits: Sequence[np.ndarray], shown: Sequence[Box | Click]
) -> tuple[np.ndarray, ...]:
    """Return the evidence (H, W) of a scene's views with what the clicks say of the pixels around them."""
    found = list(logits)
    for click in shown:
        if isinstance(click, Click):
            k = _position(scene, click.photo)
            x, y = _on_grid(scene, k, click.photo, np.array([[click.x, click.y]]))[0]
            rows, columns = np.indices(found[k].shape)
            near = np.hypot(columns - x, rows - y) <= _CLICK_RADIUS * max(found[k].shape)
            found[k] = np.where(near, np.float32(_CLICKED if click.on_object else -_CLICKED), found[k])
    return tuple(found)


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


def _in_box(scene: Scene, box: Box, points: np.ndarray, parts: np.ndarray | None) -> np.ndarray:
    """Return which points (N, 3) lie behind the object that fills a box: those of the `parts` (N,) of what
    stands on a plane that the box holds; without such, by the photo's colours.
    """
    k = _position(scene, box.photo)
    corners = np.array([[box.x, box.y], [box.x + box.w - 1, box.y + box.h - 1]], float)
    (x0, y0), (x1, y1) = np.rint(_on_grid(scene, k, box.photo, corners)).astype(int)
    image = np.ascontiguousarray(scene.views[k].image)
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(x0, 1), max(y0, 1), min(x1, width - 2), min(y1, height - 2)
    if x1 - x0 < 2 or y1 - y0 < 2:
        raise MaskError(f"{box.photo}: the box holds nothing of the photo. Give X Y W H in its pixels.")
    camera = Cameras(scene.cameras.K[k : k + 1], scene.cameras.cam_from_world[k : k + 1])
    xy, in_camera = project(camera, points)
    if parts is not None and len(parts):
        framed = (in_camera[0, :, 2] > 0) & ((xy[0] >= (x0, y0)) & (xy[0] <= (x1, y1))).all(axis=1)
        # Before a loud table colours took the object for the box's surroundings, all of it in some photos.
        held = np.bincount(parts, framed) > _HELD * np.bincount(parts)
        if held.any():
            return held[parts]
    labels = np.zeros(image.shape[:2], np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # Its first colours are drawn: from the same numbers whatever was drawn before.
    cv2.setRNGSeed(0)
    rectangle = (x0, y0, x1 - x0 + 1, y1 - y0 + 1)
    labels, _, _ = cv2.grabCut(image, labels, rectangle, *models, _ROUNDS, cv2.GC_INIT_WITH_RECT)
    filled = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return (in_camera[0, :, 2] > 0) & holds(filled, xy[0])


def _surely(scene: Scene, click: Click) -> np.ndarray:
    place = _place(scene, click)
    if place is None:
        raise MaskError(f"{click.photo}: nothing is known of the depth at that point. Choose another one.")
    return place


def _place(scene: Scene, click: Click) -> np.ndarray | None:
    """Return the place (3,) that a photo shows at a click; none where its depth is unknown."""
    k = _position(scene, click.photo)
    x, y = _on_grid(scene, k, click.photo, np.array([[click.x, click.y]]))[0]
    rows, columns = np.nonzero(scene.views[k].conf > 0)
    far = np.hypot(columns - x, rows - y)
    if len(far) == 0 or far.min() > _CLICK_PX:
        return None
    best = int(far.argmin())
    return points_of_view(scene, k)[rows[best], columns[best]].astype(np.float64)
