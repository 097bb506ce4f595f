"""The visual hull: the largest body that all silhouettes allow (A. Laurentini, The visual hull concept for
silhouette-based image understanding, PAMI 16, 1994).

It is held as a field on a lattice of nodes: the distance to the silhouettes' cones, negative inside all of
them. Concavities that no silhouette shows are filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from masks.errors import MaskError
from masks.mask import distance_to_outline
from pairs.views.cameras import Cameras, nearest_to_lines, some_cameras

_FIRST_NODES, _NODES = 48, 160
"""Nodes along the longest side, of the first look and of the hull. 160 are 1 to 2 grid pixels each."""
_FIRST_REACH = 1.6
"""Half a side of the first look, in radii of the widest silhouette: along its rays an object is longer than
wide."""
_SPARE = 2
"""Nodes around what the first look has found."""
_NODES_AT_ONCE, _ROW = 1 << 18, 1 << 12
"""OpenCV's remap takes rows of less than 2^15 positions."""
CONTINUED_PX = 48
"""Pixels by which a mask that the frame cuts goes on beyond it: what lies outside the picture is unknown
there, and
backdrop where the mask ends inside."""
_LARGEST_STEP, _MOST_STEPS = 4.0, 400
"""Of a ray through the lattice: nodes a step."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Nodes in rows along the world's axes."""

    origin: np.ndarray  # (3,), world
    spacing: float
    shape: tuple[int, int, int]

    def positions(self, index: np.ndarray) -> np.ndarray:
        """Return the world positions (n, 3) of nodes by their flat numbers (n,)."""
        return self.origin + self.spacing * np.stack(np.unravel_index(index, self.shape), axis=-1)


@dataclass(frozen=True, slots=True)
class VisualHull:
    """Distance to the cones of all silhouettes."""

    lattice: Lattice
    distance: np.ndarray  # (X, Y, Z) float32, world units, negative inside

    def at(self, points: np.ndarray) -> np.ndarray:
        """Return the distance (n,) at world points (n, 3), trilinear; beyond the lattice that of its rim."""
        places = (points - self.lattice.origin) / self.lattice.spacing
        return map_coordinates(self.distance, places.T, order=1, mode="nearest")


def visual_hull(cameras: Cameras, masks: Sequence[np.ndarray], nodes: int = _NODES) -> VisualHull:
    """Return the hull of masks (H, W) bool on the grids that the K belong to; empty masks say nothing.

    Raises `MaskError` when the cones have nothing in common, as where a mask or a camera is wrong.
    """
    seeing = [k for k, mask in enumerate(masks) if mask.any()]
    if len(seeing) < 2:
        raise MaskError(
            "a visual hull needs the masks of two views that are not empty. Give masks of the object."
        )
    cameras = some_cameras(cameras, seeing)
    outside = [signed_distance(masks[k]) for k in seeing]
    first = _evaluated(cameras, outside, _first_look(cameras, [masks[k] for k in seeing]))
    inside = np.argwhere(first.distance < first.lattice.spacing)
    if len(inside) == 0:
        raise MaskError(
            "the masks' cones have nothing in common: a mask is of another object, or a camera stands "
            "wrong. Look at "
            "the masks."
        )
    low, high = inside.min(0) - _SPARE, inside.max(0) + _SPARE
    spacing = float((high - low).max()) * first.lattice.spacing / (nodes - 1)
    shape = tuple(
        int(side) for side in np.ceil((high - low) * first.lattice.spacing / spacing).astype(int) + 1
    )
    origin = first.lattice.origin + low * first.lattice.spacing
    return _evaluated(cameras, outside, Lattice(origin, spacing, (shape[0], shape[1], shape[2])))


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Return the distance (H + 96, W + 96) float32 in pixels from the outline of a mask (H, W) bool, negative
    inside, continued by 48 pixels beyond the frame.
    """
    return distance_to_outline(np.pad(mask, CONTINUED_PX, mode="edge"))


def hull_depth(hull: VisualHull, K: np.ndarray, cam_from_world: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the depth (H, W) float32 of the hull's front surface at the pixels of a mask (H, W); 0 where the
    ray
    misses it, as rays at a wrong rim do.
    """
    rows, columns = np.nonzero(mask)
    depth = np.zeros(mask.shape, np.float32)
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(K).T @ cam_from_world[:3, :3]
    centre = -cam_from_world[:3, :3].T @ cam_from_world[:3, 3]
    depth[rows, columns] = _first_crossings(hull, centre, rays)
    return depth


def _first_look(cameras: Cameras, masks: Sequence[np.ndarray]) -> Lattice:
    """Return a cube around what the silhouettes look at."""
    centres, rays, spread = cameras.centres, [], []
    for K, pose, mask in zip(cameras.K, cameras.cam_from_world, masks):
        rows, columns = np.nonzero(mask)
        middle = np.linalg.inv(K) @ [columns.mean(), rows.mean(), 1]
        rays.append(pose[:3, :3].T @ middle / np.linalg.norm(middle))
        spread.append(np.hypot(columns - columns.mean(), rows - rows.mean()).max() / K[0, 0])
    middle = nearest_to_lines(centres, np.stack(rays))
    radius = float(np.max(np.array(spread) * np.linalg.norm(centres - middle, axis=1)))
    half = _FIRST_REACH * radius
    spacing = 2 * half / (_FIRST_NODES - 1)
    return Lattice(middle - half, spacing, (_FIRST_NODES, _FIRST_NODES, _FIRST_NODES))


def _evaluated(cameras: Cameras, outside: Sequence[np.ndarray], lattice: Lattice) -> VisualHull:
    """Return the hull's distances at all nodes: the largest distance of all views."""
    num_nodes = int(np.prod(lattice.shape))
    found = np.full(num_nodes, -np.inf, np.float32)
    for start in range(0, num_nodes, _NODES_AT_ONCE):
        index = np.arange(start, min(start + _NODES_AT_ONCE, num_nodes))
        points = lattice.positions(index)
        for K, pose, distance in zip(cameras.K, cameras.cam_from_world, outside):
            in_camera = points @ pose[:3, :3].T + pose[:3, 3]
            z = np.maximum(in_camera[:, 2], 1e-9)
            xy = in_camera[:, :2] / z[:, None] @ K[:2, :2].T + K[:2, 2] + CONTINUED_PX
            x, y = np.clip(xy.T, -1e6, 1e6).astype(np.float32)
            read = sampled(distance, x, y, cv2.BORDER_REPLICATE)
            # Behind a camera nothing of the object can be: it was photographed.
            own = np.where(in_camera[:, 2] > 0, read * z / K[0, 0], np.inf)
            np.maximum(found[index], own, out=own)
            found[index] = own
    return VisualHull(lattice, found.reshape(lattice.shape))


def sampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray, border: int) -> np.ndarray:
    """Return a picture's values (n,) or (n, C) at positions x, y (n,) float32, bilinear; beyond its rim what
    one of OpenCV's borders says.
    """
    if len(x) == 0:  # of which OpenCV makes an error
        return np.zeros((0, *picture.shape[2:]), picture.dtype)
    count, rows = len(x), -(-len(x) // _ROW)
    spare = (0, rows * _ROW - count)
    at = (np.pad(along, spare).reshape(rows, _ROW) for along in (x, y))
    read = cv2.remap(picture, *at, cv2.INTER_LINEAR, borderMode=border)
    return read.reshape(rows * _ROW, *picture.shape[2:])[:count]


def _first_crossings(hull: VisualHull, centre: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Return how far along rays (n, 3) from a point the hull's surface is met first, in lengths of the rays;
    0 for
    never. Steps are as long as the distance says, and at least half a node.
    """
    lattice, length = hull.lattice, np.linalg.norm(rays, axis=1)
    low, high = lattice.origin, lattice.origin + lattice.spacing * (np.array(lattice.shape) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - centre) / rays, (high - centre) / rays
    enter = np.nanmax(np.minimum(a, b), axis=1).clip(1e-9)
    leave = np.nanmin(np.maximum(a, b), axis=1)
    t, found = enter.copy(), np.zeros(len(rays))
    before_t, before = enter.copy(), np.full(len(rays), np.inf)
    going = np.flatnonzero(enter < leave)
    for _ in range(_MOST_STEPS):
        if len(going) == 0:
            break
        value = hull.at(centre + t[going, None] * rays[going])
        met = value <= 0
        hit = going[met]
        # The crossing lies between the last two steps, where the field is nearly straight.
        ahead, here = before[hit], value[met]
        share = np.where(np.isfinite(ahead), ahead / np.maximum(ahead - here, 1e-300), 1.0)
        found[hit] = before_t[hit] + share * (t[hit] - before_t[hit])
        rest, value = going[~met], value[~met]
        before_t[rest], before[rest] = t[rest], value
        step = np.clip(value, 0.5 * lattice.spacing, _LARGEST_STEP * lattice.spacing)
        t[rest] += step / length[rest]
        going = rest[t[rest] < leave[rest]]
    return found
