"""Silhouette coherence: how much of every silhouette the others leave standing.

The ray of a point on a silhouette touches the object, so it must meet the cones of all other silhouettes in a
common piece (C. Hernandez, F. Schmitt, R. Cipolla, Silhouette coherence for camera calibration under circular
motion, PAMI 29, 2007). It sees what the two tangents of a pair miss, handles and arms, and costs thirty times
as much: tangency proposes, coherence decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from pairs.rings.outline import Outline, centroids
from pairs.rings.tangency import rays_of
from pairs.views.cameras import Cameras, nearest_to_lines


class Ball(NamedTuple):
    """A ball that holds the object."""

    centre: np.ndarray  # (3,) world
    radius: float


def coherence(cameras: Cameras, outlines: Sequence[Outline], rays: int = 64, depths: int = 64) -> np.ndarray:
    """Return for every view (V, rays) by how many pixels its silhouette's rays miss the cones of the others
    at best; NaN where a view has no silhouette or no other view sees the ray's piece of the object's ball.

    Rays are spread evenly along the silhouette, depths across the ball. 12 views with 64 rays and 64 depths
    take 0.05 s, 36 with 96 and 96 one second; memory is that of one view, V x rays x depths.
    """
    ball = object_ball(cameras, outlines)
    every = [outline.every for outline in outlines]
    maps = [outline.distance.astype(np.float32) for outline in outlines]
    missed = np.full((len(outlines), rays), np.nan)
    for view, outline in enumerate(outlines):
        if len(outline.contour) == 0:
            continue
        chosen = np.linspace(0, len(outline.contour), rays, endpoint=False).astype(int)
        K, pose = cameras.K[view : view + 1], cameras.cam_from_world[view : view + 1]
        direction = rays_of(K, pose[:, :3, :3], outline.contour[None, chosen])[0]
        middle = direction @ (ball.centre - cameras.centres[view])
        along = np.maximum(middle[:, None] + ball.radius * np.linspace(-1, 1, depths), 1e-6 * ball.radius)
        points = cameras.centres[view] + along[..., None] * direction[:, None]
        missed[view] = _farthest_outside(cameras, maps, every, view, points)
    return missed


def coherence_cost(missed: np.ndarray) -> float:
    """Return the mean of ln(1 + r^2) over rays: robust, so that a hole in a mask does not decide; infinite
    where there is none.
    """
    known = missed[~np.isnan(missed)]
    return float(np.log1p(known**2).mean()) if len(known) else np.inf


def object_ball(cameras: Cameras, outlines: Sequence[Outline]) -> Ball:
    """Return the ball about the point nearest to all rays of the silhouettes' centroids that holds every
    hull.
    """
    directions = rays_of(cameras.K, cameras.cam_from_world[:, :3, :3], centroids(outlines)[:, None])[:, 0]
    centre = nearest_to_lines(cameras.centres, directions)
    hulls = np.stack([outline.hull for outline in outlines])
    rays = rays_of(cameras.K, cameras.cam_from_world[:, :3, :3], hulls)
    to_centre = centre - cameras.centres
    along = np.einsum("vmi,vi->vm", rays, to_centre)
    off = np.linalg.norm(to_centre[:, None] - along[..., None] * rays, axis=-1).max(1)
    # The median: one view that stands wrong must not blow up the ball, and with it the step between depths.
    return Ball(centre, 1.1 * float(np.median(off)))


def _farthest_outside(
    cameras: Cameras, maps: Sequence[np.ndarray], every: Sequence[int], view: int, points: np.ndarray
) -> np.ndarray:
    """Return for rays of points (R, D, 3) the least, over depths, of the largest distance from the
    silhouettes of the other views, at least 0.
    """
    worst = np.full(points.shape[:2], -np.inf)
    for other, distance_map in enumerate(maps):
        if other == view:
            continue
        R, t = cameras.cam_from_world[other, :3, :3], cameras.cam_from_world[other, :3, 3]
        in_camera = points @ R.T + t
        pixels = in_camera @ cameras.K[other].T
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = (pixels[..., :2] / pixels[..., 2:] / every[other]).astype(np.float32)
        height, width = distance_map.shape
        inside = (in_camera[..., 2] > 0) & np.isfinite(xy).all(-1)
        inside &= ((xy >= 0) & (xy <= (width - 1, height - 1))).all(-1)
        at = np.where(inside[..., None], xy, 0)
        distance = cv2.remap(distance_map, at, None, cv2.INTER_LINEAR)
        # Beyond the frame nothing is known: no vote.
        worst = np.maximum(worst, np.where(inside, distance, -np.inf))
    least = worst.min(1)
    return np.where(np.isfinite(least), np.maximum(least, 0), np.where((worst > -np.inf).any(1), 0.0, np.nan))
