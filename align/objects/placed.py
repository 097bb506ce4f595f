"""A scene moved and scaled as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from align.scene import Scene
from pairs.views.cameras import Cameras


def placed_scene(scene: Scene, frame_from_world: np.ndarray, scale: float = 1.0) -> Scene:
    """Return the scene in another frame (4, 4) rigid of its world, all lengths multiplied by `scale` after
    that. Photos show the same.
    """
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"a scene cannot be scaled by {scale}")
    cam_from_frame = scene.cameras.cam_from_world @ np.linalg.inv(frame_from_world)
    cam_from_frame[:, :3, 3] *= scale
    views = tuple(replace(view, depth=(view.depth * scale).astype(np.float32)) for view in scene.views)
    tracks = scene.tracks
    if tracks is not None:
        moved = tracks.points @ frame_from_world[:3, :3].T + frame_from_world[:3, 3]
        tracks = replace(tracks, points=scale * moved)
    return replace(scene, views=views, cameras=Cameras(scene.cameras.K, cam_from_frame), tracks=tracks)


def scene_from_placed(scene: Cameras, placed: Cameras) -> np.ndarray:
    """Return the similarity (4, 4) that undoes what took a scene's cameras to their place: two tell it."""
    spread = [float(np.linalg.norm(each.centres - each.centres[0], axis=1).max()) for each in (scene, placed)]
    scale = spread[0] / spread[1]
    back = np.eye(4)
    back[:3, :3] = scene.cam_from_world[0, :3, :3].T @ placed.cam_from_world[0, :3, :3]
    back[:3, 3] = scene.centres[0] / scale - back[:3, :3] @ placed.centres[0]
    back[:3] *= scale
    return back
