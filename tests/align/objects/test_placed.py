"""Scenes moved and scaled as a whole, and back."""

from __future__ import annotations

import numpy as np
from stored_scene import small_scene

from align.objects.placed import placed_scene, scene_from_placed


def test_the_way_back_from_a_placed_scene() -> None:
    scene = small_scene()
    turn = np.eye(4)
    turn[:3, :3] = [[0, -1, 0], [0, 0, 1], [-1, 0, 0]]
    turn[:3, 3] = [1, 2, 3]
    placed = placed_scene(scene, turn, 2.5)
    back = scene_from_placed(scene.cameras, placed.cameras)
    point = np.array([0.3, -0.2, 0.9])
    there = 2.5 * (turn[:3, :3] @ point + turn[:3, 3])
    np.testing.assert_allclose(back[:3, :3] @ there + back[:3, 3], point, atol=1e-9)
