"""What the silhouettes of all views together leave of each mask.

A shadow or a lamp that several masks hold for object lies at no place in space on which they agree: other
views' silhouettes exclude all of its ray. Nothing is ever added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from align.objects.volume import Volume
from pairs.views.cameras import Cameras, project, some_cameras

_NODES = 112
"""Nodes along a side of the volume."""
_REACH = 0.87
"""Half the diagonal of a voxel in its sides: by so much masks are widened, or thin parts would fall between
the nodes."""
_MOST_REACH_PX = 40
"""Of a camera in the volume itself, whose mask says little."""
_TOLERATED_SHARE = 0.08
"""Of all views: so many silhouettes may be wrong before a place is excluded."""


@dataclass(frozen=True, slots=True)
class Hull:
    """Where nothing can stand that the other views allow."""

    cut: tuple[np.ndarray, ...]  # V times (H, W) bool
    """True behind which all places are excluded by more than one other view, and more than 8 % of all. False
    where the ray misses the volume, of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Floor:
    """A plane with nothing below it."""

    normal: np.ndarray  # (3,) unit, world, upwards
    offset: float
    """normal @ x = offset on it."""


def hull_of(
    masks: Sequence[np.ndarray],
    cameras: Cameras,
    volume: Volume,
    floor: Floor | None = None,
    nodes: int = _NODES,
) -> Hull:
    """Return what the silhouettes say of each other: masks (H, W) bool on the grids that the K belong to.

    What lies outside a picture, behind its camera, or in the view of an empty mask says nothing. All that is
    below a floor is excluded.
    """
    own = np.zeros((len(masks), nodes**3), bool)
    for k, mask in enumerate(masks):
        if mask.any():
            pixels, seen = _pixels_of_nodes(cameras, k, mask.shape, volume, nodes)
            wide = _grown(mask, _reach_px(cameras, k, volume, nodes))
            own[k, seen] = ~wide.ravel()[pixels]
    count = own.sum(axis=0, dtype=np.uint16)
    if floor is not None:
        # A mirror floor shows the object once more, and all views agree on it.
        (height,) = _homogeneous(np.append(floor.normal, -floor.offset)[None], volume, nodes)
        count[height < 0] = np.iinfo(np.uint16).max
    tolerated = max(1, int(_TOLERATED_SHARE * sum(bool(mask.any()) for mask in masks)))
    cut = []
    for k, mask in enumerate(masks):
        pixels, seen = _pixels_of_nodes(cameras, k, mask.shape, volume, nodes)
        possible = np.zeros(mask.shape, bool)
        possible.ravel()[pixels[(count - own[k])[seen] <= tolerated]] = True
        # Nodes are some pixels apart: each stands for its voxel.
        possible = _grown(possible, _reach_px(cameras, k, volume, nodes))
        cut.append(_covered(cameras, k, mask.shape, volume) & ~possible)
    return Hull(tuple(cut))


def shares_cut(masks: Sequence[np.ndarray], hull: Hull) -> np.ndarray:
    """Return which share (V,) of each mask (H, W) the hull would take away; NaN for empty ones."""
    return np.array([cut[mask].mean() if mask.any() else np.nan for mask, cut in zip(masks, hull.cut)])


def _pixels_of_nodes(
    cameras: Cameras, k: int, shape: tuple[int, int], volume: Volume, nodes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat pixels (m,) that nodes project to in view k, and the flat numbers (m,) of those nodes
    that it shows.
    """
    height, width = shape
    x, y, z = _homogeneous(cameras.K[k] @ cameras.cam_from_world[k, :3], volume, nodes)
    ahead = z > 1e-6 * volume.radius
    z[~ahead] = 1
    x, y = np.rint(x / z), np.rint(y / z)
    seen = np.flatnonzero(ahead & (x >= 0) & (x < width) & (y >= 0) & (y < height))
    return y[seen].astype(np.int32) * width + x[seen].astype(np.int32), seen


def _homogeneous(P: np.ndarray, volume: Volume, nodes: int) -> Iterator[np.ndarray]:
    """Yield the three homogeneous pixel coordinates (nodes³,) float32 of the volume's nodes.

    Nodes lie in rows: a sum along each axis replaces a matrix product a node.
    """
    steps = np.linspace(-volume.radius, volume.radius, nodes)
    for row in P:
        along = row[:3, None] * steps
        start = row[:3] @ volume.centre + row[3]
        sums = (start + along[0])[:, None, None] + along[1][:, None] + along[2]
        yield sums.astype(np.float32).ravel()


def _covered(cameras: Cameras, k: int, shape: tuple[int, int], volume: Volume) -> np.ndarray:
    """Return the pixels (H, W) bool whose rays meet the volume; all where a camera stands in it."""
    signs = np.stack(np.meshgrid(*[(-1.0, 1.0)] * 3), axis=-1).reshape(-1, 3)
    corners = volume.centre + volume.radius * signs
    xy, in_camera = project(some_cameras(cameras, [k]), corners)
    if in_camera[0, :, 2].min() <= 0:
        return np.ones(shape, bool)
    outline = cv2.convexHull(np.clip(xy[0], -1e4, 1e4).astype(np.float32)).round().astype(np.int32)
    return cv2.fillConvexPoly(np.zeros(shape, np.uint8), outline, 1).astype(bool)


def _reach_px(cameras: Cameras, k: int, volume: Volume, nodes: int) -> int:
    """Return the pixels that half a voxel's diagonal measures in view k, in the middle of the volume."""
    spacing = 2 * volume.radius / (nodes - 1)
    pose = cameras.cam_from_world[k]
    depth = float(pose[2, :3] @ volume.centre + pose[2, 3])
    return min(
        _MOST_REACH_PX, int(np.ceil(_REACH * spacing * float(cameras.K[k, 0, 0]) / max(depth, spacing)))
    )


def _grown(mask: np.ndarray, radius_px: int) -> np.ndarray:
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))
    return cv2.dilate(mask.astype(np.uint8), element).astype(bool)
