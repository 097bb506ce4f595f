"""Pair predictions cut from the prediction of a whole group: all pairs in one world and one scale."""

from __future__ import annotations

import numpy as np

from pairs.prediction.predictions import GroupPrediction, Matches, PairEntry, PairPrediction


def pointmap(depth: np.ndarray, K: np.ndarray, frame_from_cam: np.ndarray | None = None) -> np.ndarray:
    """Return the points (H, W, 3) float32 of depth (H, W), in another frame, or in the camera's own when
    `frame_from_cam` is none.

    Every point lies on its pixel's ray: z K^-1 (x, y, 1), with integer pixel centres.
    """
    frame = np.eye(4) if frame_from_cam is None else frame_from_cam
    ray_from_pixel = frame[:3, :3] @ np.linalg.inv(K)
    h, w = depth.shape
    x, y = np.arange(w), np.arange(h)[:, None]
    # Axis by axis: the three products of a row and a column broadcast, so no (H, W, 3) array of rays in
    # float64 is ever made.
    points = np.empty((h, w, 3), np.float32)
    for axis, (along_x, along_y, constant) in enumerate(ray_from_pixel):
        points[..., axis] = depth * (along_x * x + (along_y * y + constant)) + frame[axis, 3]
    return points


def run_from_group(group: GroupPrediction, a: int, b: int) -> PairPrediction:
    """Return what the group says of the pair (a, b) in the frame of a."""
    cameras = group.cameras
    a_from_b = cameras.cam_from_world[a] @ cameras.world_from_cam[b]
    own, seen = pointmap(group.depth[a], cameras.K[a]), pointmap(group.depth[b], cameras.K[b], a_from_b)
    return PairPrediction(own, seen, group.conf[a], group.conf[b])


def pair_from_group(group: GroupPrediction, a: int, b: int, matches: Matches | None = None) -> PairEntry:
    """Return what the group says of the pair (a, b), in both orders, with the matches that are handed in.

    Both runs come from the same depth maps, so they agree to rounding. Nothing is kept: a pair of 512 x 384
    takes 10 MB while it is used.
    """
    return PairEntry(run_from_group(group, a, b), run_from_group(group, b, a), matches)
