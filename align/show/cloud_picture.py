"""Pictures of a point cloud: splats into a z-buffer, darkened beside nearer surface so that shape shows.

Plain numpy, for clouds of up to some million points; no window and no graphics card.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from align.export.gltf.frustum import EDGES, DrawnCameras, frusta
from align.points import PointCloud, finite_part
from pairs.rings.upright import up_of_cameras
from pairs.views.cameras import Cameras

WHITE = (255, 255, 255)

_SIDES = 4
_ELEVATION_RAD = np.deg2rad(20.0)
_DISTANCE = 6.0  # radii of the cloud between eye and centre: a mild tele lens
_MARGIN = 0.05  # of the picture, left free around the cloud
_OVERSAMPLE = 2
_MOST_POINTS = 400_000
_GAP_SAMPLE = 2000
_SURFACE_GAPS = 3.0  # gaps between neighbours: how thick the surface may be that a pixel shows
_LARGEST_SPLAT = 11  # pixels, oversampled
_SHADE_REACH = 0.010  # of the picture's height: how far a pixel looks for nearer surface
_SHADE_STRENGTH = 11.0
_SHADE_DEAF = 0.012  # of the cloud's depth: smaller steps are noise of the points, not shape
_LINE_POINTS = 160  # points along an edge of a drawn camera


def draw_cloud(
    cloud: PointCloud,
    cam_from_world: np.ndarray,
    K: np.ndarray,
    size: tuple[int, int],
    background: tuple[int, int, int] = WHITE,
) -> np.ndarray:
    """Return the picture (H, W, 3) uint8 of a finite cloud from a camera with pose (4, 4) and K (3, 3) in
    pixels of `size` (width, height).

    A point becomes a dot as large as the usual gap between neighbours, so that a dense surface has no holes.
    A pixel shows the mean of the dots of the nearest surface, those in its middle counting most: the noise of
    single points averages out and the texture stays.
    """
    fine_size = (_OVERSAMPLE * size[0], _OVERSAMPLE * size[1])
    K_fine = np.diag([_OVERSAMPLE, _OVERSAMPLE, 1.0]) @ K
    K_fine[:2, 2] += (_OVERSAMPLE - 1) / 2
    in_cam = cloud.points @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    seen = np.flatnonzero(in_cam[:, 2] > 0)
    xy = (in_cam[seen] @ K_fine.T)[:, :2] / in_cam[seen, 2:]
    picture = np.empty((fine_size[1], fine_size[0], 3), np.float32)
    picture[:] = background
    if len(seen):
        depth = in_cam[seen, 2]
        gap = _usual_gap(cloud.points)
        width = int(np.clip(np.ceil(1.6 * gap * K_fine[0, 0] / np.median(depth)), 2, _LARGEST_SPLAT))
        zbuffer = _nearest_surface(xy, depth, width, fine_size)
        colour = _surface_colour(xy, depth, cloud.colours[seen], zbuffer, width, _SURFACE_GAPS * gap)
        zbuffer, colour = _without_pinholes(zbuffer, colour, width)
        hit = np.isfinite(zbuffer)
        light = _shade(zbuffer, max(1, round(_SHADE_REACH * fine_size[1])))
        picture[hit] = colour[hit] * light[hit, None]
    return np.rint(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)).astype(np.uint8)


def four_sides(
    cloud: PointCloud, size: tuple[int, int], cameras: Cameras | None = None
) -> tuple[np.ndarray, ...]:
    """Return four pictures (H, W, 3) uint8 of a cloud, a quarter turn apart around its up axis and slightly
    from above.

    All have one scale. "Up" is that of the cameras, and the first picture shows the side that the first
    camera saw; without cameras z is up.
    """
    cloud = _thinned(finite_part(cloud))
    return _sides(cloud, _without_outliers(cloud.points), size, cameras)


def four_sides_with_cameras(
    cloud: PointCloud, size: tuple[int, int], drawn: DrawnCameras
) -> tuple[np.ndarray, ...]:
    """Return the pictures of `four_sides` with every camera drawn as a small coloured pyramid, all of them in
    sight.
    """
    cloud = _thinned(finite_part(cloud))
    pyramids = frusta(drawn)
    share = np.linspace(0, 1, _LINE_POINTS)[:, None]
    lines = [
        (1 - share) * shape.corners[a] + share * shape.corners[b] for shape in pyramids for a, b in EDGES
    ]
    colours = np.repeat([shape.colour for shape in pyramids], len(EDGES) * _LINE_POINTS, axis=0)
    both = PointCloud(
        np.concatenate([cloud.points, *lines]),
        np.concatenate([cloud.colours, colours.reshape(-1, 3)]).astype(np.uint8),
    )
    shown = np.concatenate([_without_outliers(cloud.points), *(shape.corners for shape in pyramids)])
    return _sides(both, shown, size, drawn.cameras)


def _sides(
    cloud: PointCloud, shown: np.ndarray, size: tuple[int, int], cameras: Cameras | None
) -> tuple[np.ndarray, ...]:
    """Draw four sides; `shown` (N, 3) is what has to be in the picture."""
    if not len(cloud.points):
        return tuple(np.full((size[1], size[0], 3), 255, np.uint8) for _ in range(_SIDES))
    low, high = shown.min(axis=0), shown.max(axis=0)
    centre, radius = (low + high) / 2, max(float(np.linalg.norm(high - low)) / 2, np.finfo(float).tiny)
    up = np.array([0.0, 0.0, 1.0]) if cameras is None else up_of_cameras(cameras)
    start = np.array([0.0, -1.0, 0.0]) if cameras is None else cameras.centres[0] - centre
    poses = [
        _side_pose(centre, _DISTANCE * radius, up, start, side * 2 * np.pi / _SIDES) for side in range(_SIDES)
    ]
    boxes = []
    for pose in poses:
        in_cam = shown @ pose[:3, :3].T + pose[:3, 3]
        at = in_cam[:, :2] / in_cam[:, 2:]
        boxes.append((at.min(axis=0), at.max(axis=0)))
    extent = np.max([high - low for low, high in boxes], axis=0)
    focal = (1 - 2 * _MARGIN) * float(np.min(np.array(size) / np.maximum(extent, 1e-9)))
    pictures = []
    for pose, (low, high) in zip(poses, boxes, strict=True):
        K = np.diag([focal, focal, 1.0])
        K[:2, 2] = (np.array(size) - 1) / 2 - focal * (low + high) / 2
        pictures.append(draw_cloud(cloud, pose, K, size))
    return tuple(pictures)


def _side_pose(
    centre: np.ndarray, distance: float, up: np.ndarray, start: np.ndarray, turn_rad: float
) -> np.ndarray:
    """Return cam_from_world (4, 4) of an eye that looks at the centre from the direction `start`, turned
    about `up` and raised a little.
    """
    level = start - (start @ up) * up
    if np.linalg.norm(level) < 1e-6 * max(np.linalg.norm(start), 1.0):
        level = np.eye(3)[np.abs(up).argmin()]
        level = level - (level @ up) * up
    level = level / np.linalg.norm(level)
    towards_eye = np.cos(turn_rad) * level + np.sin(turn_rad) * np.cross(up, level)
    forward = -(np.cos(_ELEVATION_RAD) * towards_eye + np.sin(_ELEVATION_RAD) * up)
    right = np.cross(forward, up) / np.linalg.norm(np.cross(forward, up))
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = pose[:3, :3] @ (distance * forward - centre)
    return pose


def _dots(
    xy: np.ndarray, width: int, size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield, for each of the places that a pixel can have in a dot, the pixels covered (flat), the points
    that cover them and their offset.
    """
    w, h = size
    corner = np.floor(xy - (width - 1) / 2 + 0.5).astype(np.int64)
    for dy in range(width):
        for dx in range(width):
            x, y = corner[:, 0] + dx, corner[:, 1] + dy
            off = np.hypot(x - xy[:, 0], y - xy[:, 1])
            points = np.flatnonzero((x >= 0) & (x < w) & (y >= 0) & (y < h) & (off <= width / 2))
            yield y[points] * w + x[points], points, off[points]


def _nearest_surface(xy: np.ndarray, depth: np.ndarray, width: int, size: tuple[int, int]) -> np.ndarray:
    """Return the smallest depth of the dots over each pixel (H, W), infinite where there is none."""
    zbuffer = np.full(size[0] * size[1], np.inf)
    for pixels, points, _ in _dots(xy, width, size):
        np.minimum.at(zbuffer, pixels, depth[points])
    return zbuffer.reshape(size[1], size[0])


def _surface_colour(
    xy: np.ndarray, depth: np.ndarray, colours: np.ndarray, zbuffer: np.ndarray, width: int, thickness: float
) -> np.ndarray:
    """Return the mean colour (H, W, 3) of the dots that lie at most `thickness` behind the nearest; 0 where
    there is none.
    """
    h, w = zbuffer.shape
    total, weights = np.zeros((h * w, 3)), np.zeros(h * w)
    for pixels, points, off in _dots(xy, width, (w, h)):
        front = depth[points] <= zbuffer.ravel()[pixels] + thickness
        pixels, points = pixels[front], points[front]
        weight = np.exp(-8.0 * (off[front] / width) ** 2)
        weights += np.bincount(pixels, weight, h * w)
        for channel in range(3):
            total[:, channel] += np.bincount(pixels, weight * colours[points, channel], h * w)
    return (total / np.where(weights > 0, weights, 1)[:, None]).reshape(h, w, 3)


def _without_pinholes(zbuffer: np.ndarray, colour: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Fill gaps narrower than a dot from the nearest filled pixel; larger ones are holes of the cloud and
    stay.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width + 1, width + 1))
    hit = np.isfinite(zbuffer).astype(np.uint8)
    closed = cv2.morphologyEx(hit, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    row, column = np.asarray(distance_transform_edt(hit == 0, return_distances=False, return_indices=True))
    return np.where(closed, zbuffer[row, column], zbuffer), np.where(
        closed[..., None], colour[row, column], colour
    )


def _shade(zbuffer: np.ndarray, reach: int) -> np.ndarray:
    """Return the light (H, W), 0.35 to 1, of each pixel: less where its surroundings are nearer to the eye
    ("eye-dome lighting").
    """
    finite = zbuffer[np.isfinite(zbuffer)]
    low, high = np.quantile(finite, (0.02, 0.98))
    steps = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)])
    padded = np.pad(zbuffer, 2 * reach, constant_values=np.inf)
    h, w = zbuffer.shape
    hidden = np.zeros_like(zbuffer)
    here = np.where(np.isfinite(zbuffer), zbuffer, -np.inf)
    for ring in (reach, 2 * reach):
        for dx, dy in steps * ring:
            nearer = here - padded[2 * reach + dy : 2 * reach + dy + h, 2 * reach + dx : 2 * reach + dx + w]
            hidden += np.clip(nearer / max(high - low, 1e-9) - _SHADE_DEAF, 0, 0.15)
    return np.clip(np.exp(-_SHADE_STRENGTH * hidden / 16), 0.35, 1)


def _usual_gap(points: np.ndarray) -> float:
    """Return the distance of a point to its third neighbour, scene units: that of nine points in ten is
    smaller.
    """
    if len(points) < 8:
        return 0.0
    asked = points[:: max(1, len(points) // _GAP_SAMPLE)]
    return float(np.quantile(KDTree(points).query(asked, k=4)[0][:, 3], 0.9))


def _thinned(cloud: PointCloud) -> PointCloud:
    """Return a random part of a cloud that is larger than a picture can show: every n-th point would show as
    stripes.
    """
    if len(cloud.points) <= _MOST_POINTS:
        return cloud
    kept = np.sort(np.random.default_rng(0).choice(len(cloud.points), _MOST_POINTS, replace=False))
    return PointCloud(cloud.points[kept], cloud.colours[kept])


def _without_outliers(points: np.ndarray) -> np.ndarray:
    """Return the points inside a box that holds the middle 99 % along each axis and a tenth of their span
    more.
    """
    if not len(points):
        return points
    low, high = np.quantile(points, (0.005, 0.995), axis=0)
    reach = 0.1 * (high - low)
    return points[((points >= low - reach) & (points <= high + reach)).all(axis=1)]
