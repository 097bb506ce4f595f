"""The scene that the embedded backend's features and mapper agree on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from masks.notice import Notice
from pairs.views.cameras import Cameras


@dataclass(frozen=True, slots=True)
class SceneSolve:
    """Placed views, their cameras, and the scene points with every observation of them (the embedded backend's specification, chapter 7.5)."""

    placed: tuple[int, ...]
    """Indices of the placed views in the list that was given, ascending. P of them."""
    cameras: Cameras
    """Of the placed views; K in pixels of the upright photos."""
    points: np.ndarray  # (N, 3), world
    observed_point: np.ndarray  # (M,) int, which point
    observed_by: np.ndarray  # (M,) int, position in `placed`
    observed_xy: np.ndarray  # (M, 2), pixels of the upright photo
    notices: tuple[Notice, ...]
    """What was decided, retried and left out."""
