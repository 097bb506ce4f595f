"""Cameras drawn as pyramids: what a viewer shows where a photo was taken
(docs/sparse_alignment.md, "Cameras and meshes for viewers").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairs.views.cameras import Cameras

CAMERA_COLOURS = np.array(
    [
        (255, 0, 0),
        (0, 0, 255),
        (0, 255, 0),
        (255, 0, 255),
        (255, 204, 0),
        (0, 204, 204),
        (128, 255, 255),
        (255, 128, 255),
        (255, 255, 128),
        (0, 0, 0),
        (128, 128, 128),
    ],
    np.uint8,
)
"""Cyclic list of colours, by number of the camera."""

IMAGE_FACES = np.array([(0, 1, 2), (0, 2, 3), (2, 1, 0), (3, 2, 0)])
"""Two triangles of the base, each seen from both sides."""
IMAGE_UV = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
"""Texture coordinates of the base's corners, origin bottom left."""

EDGES = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1))
"""The eight edges, as pairs of corners of a `Frustum`."""
_EDGE_WIDTH = 0.015  # of the base's height


@dataclass(frozen=True, slots=True)
class DrawnCameras:
    """The cameras of a scene and how large to draw them."""

    cameras: Cameras
    sizes: tuple[tuple[int, int], ...]
    """(width, height) of the pixel grid that each K belongs to."""
    camera_size: float | None = None
    """Height of a pyramid's base in scene units; none: half the median distance to the nearest other
    camera."""

    def __post_init__(self) -> None:
        if len(self.sizes) != len(self.cameras.K):
            raise ValueError(f"{len(self.cameras.K)} cameras need as many sizes, not {len(self.sizes)}")


@dataclass(frozen=True, slots=True)
class Frustum:
    """A pyramid with its apex at the optical centre."""

    corners: (
        np.ndarray
    )  # (5, 3), world: apex, then the base's (-x, +y), (+x, +y), (+x, -y), (-x, -y) in camera axes
    edge_vertices: np.ndarray  # (N, 3), world
    edge_faces: np.ndarray  # (F, 3)
    colour: np.ndarray  # (3,) uint8


def frustum(
    number: int, world_from_cam: np.ndarray, size: tuple[int, int], focal: float, camera_size: float
) -> Frustum:
    """Return the drawing of camera `number` with pose (4, 4), image size (width, height), focal in pixels,
    and height of the base in scene units.
    """
    w, h = size
    depth = max(camera_size / 10, focal * camera_size / h)
    x, y = camera_size * w / (2 * h), camera_size / 2
    corners = np.array([(0, 0, 0), (-x, y, depth), (x, y, depth), (x, -y, depth), (-x, -y, depth)])
    vertices, faces = _edge_strips(corners, _EDGE_WIDTH * camera_size)
    R, t = world_from_cam[:3, :3], world_from_cam[:3, 3]
    return Frustum(corners @ R.T + t, vertices @ R.T + t, faces, CAMERA_COLOURS[number % len(CAMERA_COLOURS)])


def frusta(drawn: DrawnCameras) -> tuple[Frustum, ...]:
    """Return the drawing of every camera."""
    size = drawn.camera_size or 0.5 * automatic_camera_size(drawn.cameras.centres)
    poses, focals = drawn.cameras.world_from_cam, drawn.cameras.K[:, 0, 0]
    return tuple(frustum(k, poses[k], grid, float(focals[k]), size) for k, grid in enumerate(drawn.sizes))


def automatic_camera_size(centres: np.ndarray) -> float:
    """Return the size for cameras at (V, 3): the median distance to the nearest other camera; 1 where there
    is none at a distance.
    """
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps.min(axis=1, initial=np.inf)
    positive = nearest[np.isfinite(nearest) & (nearest > 0)]
    return float(np.median(positive)) if len(positive) else 1.0


def scene_transform(world_from_cam_0: np.ndarray) -> np.ndarray:
    """Return the transform (4, 4) that puts camera 0 at the origin, +y up, looking along +z: OpenGL axes
    after half a turn.
    """
    flip_yz, half_turn = np.diag([1.0, -1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, -1.0, 1.0])
    return np.linalg.inv(world_from_cam_0 @ flip_yz @ half_turn)


def _edge_strips(corners: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return thin triangles along the edges, two crossed ones an edge and each from both sides; they stay
    inside the pyramid's box.
    """
    middle = corners.mean(axis=0)
    vertices, faces = [], []
    for start, end in EDGES:
        a, b = corners[start], corners[end]
        inward = middle - (a + b) / 2
        along = (b - a) / np.linalg.norm(b - a)
        inward -= (inward @ along) * along
        inward *= width / np.linalg.norm(inward)
        # A strip that leans towards the middle of the pyramid, narrowed at its ends so that it does not leave
        # the box.
        share = 0.05
        k = len(vertices)
        vertices += [a, b, b + share * (a - b) + inward, a + share * (b - a) + inward]
        faces += [(k, k + 1, k + 2), (k, k + 2, k + 3), (k + 2, k + 1, k), (k + 3, k + 2, k)]
    return np.array(vertices), np.array(faces)
