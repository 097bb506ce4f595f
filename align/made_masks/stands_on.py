"""What stands free on the support plane where the cameras look, and what that says of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from align.made_masks.support_plane import LookedAt, SupportPlane
from align.scene import Scene, points_of_view
from masks.making.evidence import Evidence
from masks.mask import shrunk
from pairs.views.cameras import Cameras, project

ROAD = "what stands free on a plane"

# In units of the cameras' distance from what they look at.
ABOVE, _LINKED = 0.012, 0.03
_CENTRAL = 0.15
_STANDS, _LIES = 0.008, 0.005
_NEAR, _FAR = 0.03, 0.06
_OUTWEIGHS = 5.0
"""The object's size against the second thing's, both weighted by how central they are."""
_OBJECT, _BACKDROP, _SPLATTED, _BEYOND = 2.5, -2.5, 2.0, -4.0
_SPLAT_WINDOW, _SPLAT_POINTS, _SPLAT_LEAST = 7, 4, -1.0
_CIRCLE = 1.15
"""Radii of the object around which its pictures end."""
_UNSURE_CONF, _CONF_RANGE = 2.0, 3.0


@dataclass(frozen=True, slots=True)
class ObjectPoints:
    """Scene points that are the object, or why none are."""

    points: np.ndarray  # (N, 3), world; none where there is a fault
    fault: str = ""
    other_share: float = 0.0
    """Size of the second thing on the plane, in sizes of the object."""


def object_points(looked: LookedAt, plane: SupportPlane) -> ObjectPoints:
    """Return the points of the one thing that stands on the plane where the cameras look."""
    points = looked.points[plane.height(looked.points) > ABOVE * looked.distance]
    nothing = np.zeros((0, 3))
    if len(points) == 0:
        return ObjectPoints(nothing, "nothing stands on the plane that the cameras look at")
    label = linked_parts(points, looked.distance)
    sizes = np.bincount(label).astype(float)
    count = len(sizes)
    off = np.linalg.norm(points - looked.middle, axis=1) / looked.distance
    central = np.array([np.median(off[label == k]) if sizes[k] > 1 else np.inf for k in range(count)])
    weight = sizes / (1 + (central / _CENTRAL) ** 2)
    order = np.argsort(-weight, kind="stable")
    first, others = order[0], order[1:]
    second = float(weight[others[0]]) if len(others) else 0.0
    if weight[first] < _OUTWEIGHS * second:
        fault = "several things stand on the plane, and none outweighs the others five to one"
        return ObjectPoints(nothing, fault, second / max(float(weight[first]), 1e-300))
    share = float(sizes[others].max() / sizes[first]) if len(others) else 0.0
    return ObjectPoints(points[label == first], "", share)


def linked_parts(points: np.ndarray, unit: float) -> np.ndarray:
    """Return the number (N,) of the part that each of points (N, 3) belongs to: those nearer to each other
    than 0.03 units are of one.
    """
    pairs = KDTree(points).query_pairs(_LINKED * unit, output_type="ndarray")
    links = coo_array((np.ones(len(pairs), bool), tuple(pairs.T)), shape=(len(points),) * 2)
    return connected_components(links, directed=False)[1]


def scene_evidence(
    scene: Scene, looked: LookedAt, plane: SupportPlane | None, points: np.ndarray
) -> Evidence:
    """Return what a scene's depth says of every pixel of its views' grids: what lies near to the object's
    points (N, 3) and stands above the plane is the object.

    Views whose own depth has gaps are told by the points of all views.
    """
    tree = KDTree(points)
    middle = np.median(points, axis=0)
    radius = float(np.percentile(np.linalg.norm(points - middle, axis=1), 99))
    logits = []
    for k, view in enumerate(scene.views):
        own = _of_own_depth(points_of_view(scene, k), view.conf, looked, plane, tree)
        camera = Cameras(scene.cameras.K[k : k + 1], scene.cameras.cam_from_world[k : k + 1])
        # Shrunk by the half window: it closes gaps between points, and must not move the rim outwards.
        crowded = shrunk(_splatted(camera, points, view.depth.shape) >= _SPLAT_POINTS, _SPLAT_WINDOW // 2)
        own = np.where(crowded & (own > _SPLAT_LEAST), np.maximum(own, _SPLATTED), own)
        own = np.where(_within(camera, middle, _CIRCLE * radius, view.depth.shape), own, _BEYOND)
        logits.append(own.astype(np.float32))
    return Evidence(tuple(logits), ROAD)


def _of_own_depth(
    points: np.ndarray,
    conf: np.ndarray,
    looked: LookedAt,
    plane: SupportPlane | None,
    tree: KDTree,
) -> np.ndarray:
    """Return the evidence (H, W) of a view's own points (H, W, 3)."""
    unit = looked.distance
    known = conf > 0
    far = np.full(conf.shape, np.inf)
    far[known] = tree.query(points[known].astype(np.float64), distance_upper_bound=_FAR * unit)[0]
    height = np.full(conf.shape, np.inf) if plane is None else plane.height(points.astype(np.float64))
    is_object = known & (height > _STANDS * unit) & (far < _NEAR * unit)
    is_backdrop = known & ((height < _LIES * unit) | (far > _FAR * unit))
    sure = np.clip((conf - _UNSURE_CONF) / _CONF_RANGE, 0, 1)
    return sure * (_OBJECT * is_object + _BACKDROP * is_backdrop)


def _splatted(camera: Cameras, points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return how many of the points (N, 3) show within a window of each pixel (H, W)."""
    height, width = shape
    xy, in_camera = project(camera, points)
    ahead = in_camera[0, :, 2] > 0
    at = np.rint(xy[0][ahead]).astype(np.int64)
    inside = ((at >= 0) & (at < (width, height))).all(axis=1)
    x, y = at[inside].T
    count = np.bincount(y * width + x, minlength=height * width).reshape(shape).astype(np.float32)
    window = (_SPLAT_WINDOW, _SPLAT_WINDOW)
    return cv2.boxFilter(count, -1, window, normalize=False, borderType=cv2.BORDER_CONSTANT)


def _within(camera: Cameras, middle: np.ndarray, radius: float, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels (H, W) bool that a ball covers, as a disc of its size at its distance."""
    xy, in_camera = project(camera, middle[None])
    reach = radius * float(camera.K[0, 0, 0]) / max(float(in_camera[0, 0, 2]), radius)
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(x - xy[0, 0, 0], y - xy[0, 0, 1]) <= reach
