"""Photographs of the demo's object, with exact mask and depth.

Light is summed linearly and becomes sRGB at the end. Pixels at outlines are the mean of 2 x 2 rays, or of 4 x
4 where these disagree on whether they hit; inside, one ray finds the surface and 2 x 2 looks at the coat
follow the tangent plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from align.demo.light import LAMP_DIRECTION, diffuse_light, gloss, ground_light
from align.demo.march import first_hits
from align.demo.room import PLATE_Z, Room, colour_at, meet
from align.demo.shape import Shape, normals
from align.demo.texture import Mosaic, albedo

_OUTLINE_STEP = 0.07  # depth steps inside a 3 x 3 window that make a pixel an outline, scene units
_FIRST_EDGE_RAYS = 2
_EDGE_RAYS = 4
_BULGE = 6.0  # pixels
_COAT_RAYS = 2
_ROOM_RAYS = 3
_SHADOW_STRIDE = 4


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole fixed in the room; OpenCV axes, pixel centres at integers."""

    width: int
    height: int
    K: np.ndarray  # (3, 3)
    cam_from_room: np.ndarray  # (4, 4)


@dataclass(frozen=True, slots=True)
class Backdrop:
    """The lit room as the camera sees it without the object."""

    colour: np.ndarray  # (H, W, 3), linear
    ground: np.ndarray  # (G, 3), room frame: what the blocks see that can lie in the object's shadow
    blocks: np.ndarray  # (G,), flat indices of these blocks of pixels in the coarse grid
    grid: tuple[int, int]
    """Rows and columns of the coarse grid."""


@dataclass(frozen=True, slots=True)
class Studio:
    """All that stays the same from one photograph to the next."""

    shape: Shape
    coat: Mosaic
    camera: Camera
    backdrop: Backdrop


@dataclass(frozen=True, slots=True)
class Rendering:
    """One photograph and the truth about it."""

    image: np.ndarray  # (H, W, 3) uint8
    mask: np.ndarray  # (H, W) bool, the object covers at least half of the pixel
    depth: np.ndarray  # (H, W), z in the camera at the pixel's centre, infinite beside the object


def render_backdrop(camera: Camera, room: Room) -> Backdrop:
    """Render what stands still. It is the same in every photograph."""
    R = camera.cam_from_room[:3, :3]
    centre = -R.T @ camera.cam_from_room[:3, 3]
    rows, columns = np.indices((camera.height, camera.width)).reshape(2, -1)
    colour = np.zeros((len(rows), 3))
    for dx, dy in _offsets(_ROOM_RAYS):
        points, what = meet(centre, _rays(camera, columns + dx, rows + dy) @ R)
        # The wall faces the lamp less than the table does, and both grow darker away from it.
        strength = np.where(what == 0, 0.72, 1.1) / (
            1 + 0.03 * ((points - (-0.8, -0.6, 0.0)) ** 2).sum(axis=1)
        )
        colour += colour_at(room, points, what) * strength[:, None] / _ROOM_RAYS**2
    grid = (-(-camera.height // _SHADOW_STRIDE), -(-camera.width // _SHADOW_STRIDE))
    rows, columns = np.indices(grid).reshape(2, -1) * _SHADOW_STRIDE + (_SHADOW_STRIDE - 1) / 2
    ground, what = meet(centre, _rays(camera, columns, rows) @ R)
    blocks = np.flatnonzero((what > 0) & (np.abs(ground[:, :2]).max(axis=1) < 2.8))
    return Backdrop(colour.reshape(camera.height, camera.width, 3), ground[blocks], blocks, grid)


def render_object(studio: Studio, room_from_object: np.ndarray, noise: float, seed: int) -> Rendering:
    """Render one photograph with the object at a pose (4, 4) in the room; `noise` is the sensor's, in grey
    levels.
    """
    camera, size = studio.camera, (studio.camera.height, studio.camera.width)
    cam_from_object = camera.cam_from_room @ room_from_object
    rows, columns = np.indices(size).reshape(2, -1)
    eye, rays = _in_object(camera, cam_from_object, columns, rows)
    depth = first_hits(studio.shape, eye, rays)
    outline = _outlines(depth.reshape(size)).ravel()

    colour = (studio.backdrop.colour * _shadow_on_room(studio, room_from_object)[..., None]).reshape(-1, 3)
    covered = np.isfinite(depth).astype(np.float64)
    inside = np.flatnonzero(np.isfinite(depth) & ~outline)
    colour[inside] = _inside_colour(studio, cam_from_object, inside, depth[inside])
    edge = np.flatnonzero(outline)
    # Nothing lies nearer than the nearest surface in sight next door, but for what a surface can bulge within
    # half a pixel.
    nearest = minimum_filter(depth.reshape(size), 3).ravel()[edge] * (1 - _BULGE / camera.K[0, 0])
    seen, covered[edge] = _edge_colour(studio, cam_from_object, edge, nearest)
    colour[edge] = seen + (1 - covered[edge, None]) * colour[edge]

    levels = 255 * np.clip(colour, 0, 1) ** (1 / 2.2) + noise * np.random.default_rng(seed).standard_normal(
        colour.shape
    )
    image = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return Rendering(image.reshape(*size, 3), (covered >= 0.5).reshape(size), depth.reshape(size))


def _inside_colour(
    studio: Studio, cam_from_object: np.ndarray, pixels: np.ndarray, depth: np.ndarray
) -> np.ndarray:
    """Return the colour (N, 3) of pixels that the surface fills: light at the centre, the coat averaged over
    the pixel.
    """
    rows, columns = np.divmod(pixels, studio.camera.width)
    eye, rays = _in_object(studio.camera, cam_from_object, columns, rows)
    points = eye + depth[:, None] * rays
    outward = normals(studio.shape, points)
    height = ((points - eye) * outward).sum(axis=1)
    coat = np.zeros_like(points)
    for dx, dy in _offsets(_COAT_RAYS):
        rays_beside = _in_object(studio.camera, cam_from_object, columns + dx, rows + dy)[1]
        # At grazing incidence the tangent plane runs away from the surface within a pixel: the step is
        # bounded.
        beside = np.clip(height / (rays_beside * outward).sum(axis=1), depth - 0.02, depth + 0.02)
        coat += albedo(studio.coat, eye + beside[:, None] * rays_beside) / _COAT_RAYS**2
    return _lit(studio, cam_from_object, points, outward, coat)


def _edge_colour(
    studio: Studio, cam_from_object: np.ndarray, pixels: np.ndarray, nearest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for outline pixels the object's part of the colour (N, 3) and the share (N,) that it covers."""
    colour, share = _sampled_colour(studio, cam_from_object, pixels, nearest, _FIRST_EDGE_RAYS)
    mixed = np.flatnonzero((share > 0) & (share < 1))
    colour[mixed], share[mixed] = _sampled_colour(
        studio, cam_from_object, pixels[mixed], nearest[mixed], _EDGE_RAYS
    )
    return colour, share


def _sampled_colour(
    studio: Studio, cam_from_object: np.ndarray, pixels: np.ndarray, nearest: np.ndarray, rays_a_side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what n x n rays a pixel say: the object's part of the colour (N, 3), black where a ray misses,
    and the share (N,) that hits.
    """
    rows, columns = np.divmod(pixels, studio.camera.width)
    dx, dy = np.array(_offsets(rays_a_side)).T
    eye, rays = _in_object(
        studio.camera, cam_from_object, (columns[:, None] + dx).ravel(), (rows[:, None] + dy).ravel()
    )
    depth = first_hits(studio.shape, eye, rays, np.repeat(nearest, len(dx)))
    hit = np.flatnonzero(np.isfinite(depth))
    points = eye + depth[hit, None] * rays[hit]
    colour = np.zeros_like(rays)
    colour[hit] = _lit(
        studio, cam_from_object, points, normals(studio.shape, points), albedo(studio.coat, points)
    )
    return colour.reshape(len(pixels), len(dx), 3).mean(axis=1), np.isfinite(depth).reshape(
        len(pixels), len(dx)
    ).mean(axis=1)


def _lit(
    studio: Studio, cam_from_object: np.ndarray, points: np.ndarray, outward: np.ndarray, coat: np.ndarray
) -> np.ndarray:
    R = cam_from_object[:3, :3]
    lamp = LAMP_DIRECTION @ studio.camera.cam_from_room[:3, :3].T @ R
    towards_eye = -R.T @ cam_from_object[:3, 3] - points
    towards_eye /= np.linalg.norm(towards_eye, axis=1, keepdims=True)
    plate = np.linalg.solve(studio.camera.cam_from_room, cam_from_object)[2] - (0, 0, 0, PLATE_Z)
    return (
        coat * diffuse_light(studio.shape, points, outward, lamp, plate)[:, None]
        + gloss(outward, towards_eye, lamp)[:, None]
    )


def _shadow_on_room(studio: Studio, room_from_object: np.ndarray) -> np.ndarray:
    """Return the share (H, W) of light that the object leaves to each pixel of the backdrop."""
    R = room_from_object[:3, :3]
    share = np.ones(studio.backdrop.grid, np.float32)
    ground = (studio.backdrop.ground - room_from_object[:3, 3]) @ R
    share.ravel()[studio.backdrop.blocks] = ground_light(studio.shape, ground, LAMP_DIRECTION @ R)
    h, w = studio.camera.height, studio.camera.width
    large = (studio.backdrop.grid[1] * _SHADOW_STRIDE, studio.backdrop.grid[0] * _SHADOW_STRIDE)
    return cv2.resize(share, large, interpolation=cv2.INTER_LINEAR)[:h, :w]


def _outlines(depth: np.ndarray) -> np.ndarray:
    """Return where a 3 x 3 window of the depth holds both object and room, or a step: (H, W) bool."""
    far = depth.max(initial=0, where=np.isfinite(depth)) + 1
    filled = np.where(np.isfinite(depth), depth, far)
    return maximum_filter(filled, 3) - minimum_filter(filled, 3) > _OUTLINE_STEP


def _in_object(
    camera: Camera, cam_from_object: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the optical centre (3,) and the rays (N, 3) of pixel positions, object frame; a ray's length
    parameter is its depth.
    """
    R, t = cam_from_object[:3, :3], cam_from_object[:3, 3]
    return -R.T @ t, _rays(camera, x, y) @ R


def _rays(camera: Camera, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack(
        [(x - camera.K[0, 2]) / camera.K[0, 0], (y - camera.K[1, 2]) / camera.K[1, 1], np.ones(np.shape(x))],
        axis=-1,
    )


def _offsets(n: int) -> list[tuple[float, float]]:
    """Return n x n places in a pixel, from its centre.

    Each lies in a row and a column of its own: a plain grid would see an upright edge only at n positions.
    """
    return [
        ((i + (j + 0.5) / n) / n - 0.5, (j + (i + 0.5) / n) / n - 0.5) for j in range(n) for i in range(n)
    ]
