"""The table under the object is found, and where there is none it is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from ellipsoid_masks import Ellipsoid
from table_scene import SECOND, TABLE_Z, THING, table_scene

from align.made_masks.stands_on import object_points, scene_evidence
from align.made_masks.support_plane import LookedAt, SupportPlane, axes_miss, looked_at_points, support_plane
from align.scene import Scene


def test_the_table_is_found_with_the_cameras_above_it() -> None:
    scene = table_scene()
    looked = looked_at_points(scene)
    plane = support_plane(looked, scene.cameras.centres)
    assert plane is not None
    np.testing.assert_allclose(plane.normal, [0, 0, 1], atol=1e-3)
    assert plane.offset == pytest.approx(TABLE_Z, abs=1e-3)
    assert plane.share > 0.5
    assert looked.distance == pytest.approx(4.0)
    np.testing.assert_allclose(looked.middle, 0, atol=1e-9)


def test_without_a_table_there_is_no_plane() -> None:
    scene = table_scene(table=False)
    assert support_plane(looked_at_points(scene), scene.cameras.centres) is None


def test_a_plane_that_cuts_through_things_carries_nothing() -> None:
    below = ((0.6, 0.0, -0.9), (0.5, 0.5, 0.2))
    scene = table_scene((THING, below))
    looked = looked_at_points(scene)
    above = support_plane(looked, scene.cameras.centres)
    assert above is not None
    rng = np.random.default_rng(0)
    under = rng.uniform(-1, 1, (len(looked.points) // 10, 3)) * (1, 1, 0.1) + (0, 0, -0.8)
    crowded = type(looked)(looked.middle, looked.distance, np.concatenate([looked.points, under]))
    assert support_plane(crowded, scene.cameras.centres) is None


def test_too_few_points_carry_nothing() -> None:
    scene = table_scene()
    looked = looked_at_points(scene)
    few = type(looked)(looked.middle, looked.distance, looked.points[:2])
    assert support_plane(few, scene.cameras.centres) is None


def test_cameras_that_look_at_one_thing_and_ones_that_do_not() -> None:
    scene = table_scene()
    assert axes_miss(scene) < 1e-6
    away = scene.cameras.cam_from_world.copy()
    away[::2, :3, 3] += (3.0, 0, 0)
    moved = type(scene)(
        scene.views, type(scene.cameras)(scene.cameras.K, away), scene.inputs, scene.edges, scene.report
    )
    assert axes_miss(moved) > 0.25


def standing(things: Sequence[Ellipsoid]) -> tuple[Scene, LookedAt, SupportPlane]:
    scene = table_scene(things)
    looked = looked_at_points(scene)
    plane = support_plane(looked, scene.cameras.centres)
    assert isinstance(plane, SupportPlane)
    return scene, looked, plane


def test_one_thing_on_the_table_is_the_object() -> None:
    _, looked, plane = standing((THING,))
    found = object_points(looked, plane)
    assert not found.fault
    assert found.points[:, 2].min() > TABLE_Z
    assert np.abs(found.points / THING[1]).max() < 1.05


def test_the_thing_that_is_looked_at_outweighs_a_smaller_one_aside() -> None:
    _, looked, plane = standing((THING, SECOND))
    found = object_points(looked, plane)
    assert not found.fault
    assert np.abs(found.points[:, 0]).max() < 0.4
    assert 0.05 < found.other_share < 1


def test_two_alike_are_refused() -> None:
    left, right = ((-0.5, 0.0, -0.2), (0.3, 0.3, 0.3)), ((0.5, 0.0, -0.2), (0.3, 0.3, 0.3))
    _, looked, plane = standing((left, right))
    assert "five to one" in object_points(looked, plane).fault


def test_an_empty_table_is_refused() -> None:
    _, looked, plane = standing(())
    assert "nothing stands" in object_points(looked, plane).fault


def test_depth_speaks_for_the_object_and_against_the_table() -> None:
    scene, looked, plane = standing((THING, SECOND))
    evidence = scene_evidence(scene, looked, plane, object_points(looked, plane).points)
    for view, logits in zip(scene.views, evidence.logits):
        thing = (view.image[..., 0] == 220) & (logits > 0)
        # The second thing is orange, too, and no object; the windows of splatted points are wider than rims.
        assert thing.sum() > 0.5 * (view.image[..., 0] == 220).sum()
        assert ((logits > 0) & (view.image[..., 0] == 90)).sum() < 0.1 * thing.sum()
        assert np.abs(logits).max() <= 5


def test_the_points_of_all_views_fill_the_gaps_of_one() -> None:
    scene, looked, plane = standing((THING,))
    points = object_points(looked, plane).points
    scene.views[2].conf[40:80, 60:100] = 0
    scene.views[2].depth[40:80, 60:100] = 0
    logits = scene_evidence(scene, looked, plane, points).logits[2]
    assert (logits[50:70, 72:88] > 0).mean() > 0.95
