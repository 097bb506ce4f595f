"""An object's base is where its silhouettes end, not where its points become few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cylinder_on_turntable import TILTED, turntable

from align.objects.base import base_of_silhouettes
from align.objects.frame import object_frame
from align.objects.placed import placed_scene
from align.points import point_cloud
from align.scene import Scene

UP, ORIGIN = np.array([0.0, 0, 1]), np.zeros(3)


def fine(count: int = 12, elevation_deg: float = 20.0, step_deg: float = 30.0) -> Scene:
    return turntable(count, elevation_deg, step_deg=step_deg, finer=6)


def with_masks(scene: Scene, changed: dict[int, np.ndarray]) -> Scene:
    views = [
        replace(view, mask=changed[k], depth=np.where(changed[k], view.depth, 0)) if k in changed else view
        for k, view in enumerate(scene.views)
    ]
    return replace(scene, views=tuple(views))


@pytest.mark.parametrize(("count", "step_deg"), [(12, 30.0), (9, 40.0), (24, 15.0)])
@pytest.mark.parametrize("elevation_deg", [10.0, 35.0])
def test_silhouettes_end_at_the_table(count: int, step_deg: float, elevation_deg: float) -> None:
    found = base_of_silhouettes(fine(count, elevation_deg, step_deg), UP, ORIGIN)
    assert found is not None
    assert abs(found) < 0.017  # a pixel and a half


def test_any_world_and_unit_has_the_same_base() -> None:
    scene = placed_scene(fine(), TILTED, 3.0)
    up, origin = TILTED[:3, :3] @ UP, 3 * TILTED[:3, 3]
    found, before = base_of_silhouettes(scene, up, origin), base_of_silhouettes(fine(), UP, ORIGIN)
    assert found is not None
    assert before is not None
    np.testing.assert_allclose(found / 3, before, atol=1e-6)


def test_a_foot_without_depth_still_stands_on_the_table() -> None:
    scene = fine()
    views = [
        replace(view, conf=np.where(np.arange(len(view.conf))[:, None] < 150, view.conf, 0))
        for view in scene.views
    ]
    bare = replace(scene, views=tuple(views))
    frame = object_frame(bare).object_from_world
    points = point_cloud(placed_scene(bare, frame), 1.5).points
    assert points[:, 2].min() > 0.03
    assert abs(frame[2, 3]) < 0.017


def test_one_mask_with_a_shadow_moves_nothing() -> None:
    scene = fine(24, step_deg=15.0)
    shadow = scene.views[3].mask.copy()
    shadow[150:190, 100:190] = True
    before, after = (
        base_of_silhouettes(scene, UP, ORIGIN),
        base_of_silhouettes(with_masks(scene, {3: shadow}), UP, ORIGIN),
    )
    assert before is not None
    assert after is not None
    assert abs(after - before) < 0.005


def test_a_foot_that_the_frame_cuts_says_nothing() -> None:
    scene = fine()
    cut = {k: np.pad(view.mask[:-60], ((60, 0), (0, 0))) for k, view in enumerate(scene.views)}
    assert all(mask[-1].any() for mask in cut.values())
    assert base_of_silhouettes(with_masks(scene, cut), UP, ORIGIN) is None


def test_without_masks_or_from_one_side_points_tell() -> None:
    scene = fine()
    whole = {k: np.ones_like(view.mask) for k, view in enumerate(scene.views)}
    assert base_of_silhouettes(with_masks(scene, whole), UP, ORIGIN) is None
    assert base_of_silhouettes(turntable(8, step_deg=5.0), UP, ORIGIN) is None
