"""Views placed in a scene that stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_predictions import DEPTHS, ENTRIES, TRUTH, predictions, small_view, true_cameras

from align.evaluation.camera_errors import pair_errors
from align.global_alignment import align_predictions, register_views
from align.presets import POINTLOOM, PRESETS
from align.scene import Scene, SceneView
from masks.errors import UserError
from masks.notice import Level
from masks.pixelmap import PixelMap
from pairs.prediction.predictions import Predictions
from pairs.views.cameras import Cameras


def first_four() -> Scene:
    """Return a scene of the first four views, in a world and a unit of its own."""
    return align_predictions(some({edge for edge in ENTRIES if 4 not in edge}, range(4)), POINTLOOM)


def some(edges: set[tuple[int, int]], views: range) -> Predictions:
    entries = {edge: ENTRIES[edge] for edge in ENTRIES if edge in edges}
    known = tuple(entries)
    return Predictions(tuple(small_view(k) for k in views), known, lambda k: entries[known[k]], None, ())


def test_the_scene_stays_to_the_bit_and_the_new_view_finds_its_place() -> None:
    scene = first_four()
    grown = register_views(scene, predictions(), POINTLOOM)
    assert [view.name for view in grown.views] == [f"{k}.jpg" for k in range(5)]
    np.testing.assert_array_equal(grown.cameras.cam_from_world[:4], scene.cameras.cam_from_world)
    np.testing.assert_array_equal(grown.cameras.K[:4], scene.cameras.K)
    for before, after in zip(scene.views, grown.views):
        np.testing.assert_array_equal(after.depth, before.depth)
    assert pair_errors(grown.cameras.cam_from_world, TRUTH)[0].max() < 0.3
    span = [
        np.linalg.norm(cameras.centres[0] - cameras.centres[3]) for cameras in (grown.cameras, true_cameras())
    ]
    assert np.median(grown.views[4].depth / DEPTHS[4].numpy()) == pytest.approx(span[0] / span[1], rel=0.01)
    assert set(grown.edges) == set(ENTRIES)


def test_pairs_of_the_new_view_alone_are_enough() -> None:
    grown = register_views(first_four(), some({(1, 4), (2, 4), (3, 4)}, range(5)), POINTLOOM)
    assert pair_errors(grown.cameras.cam_from_world, TRUTH)[0].max() < 0.3


def grown_by(scale: float, scene: Scene) -> Scene:
    poses = scene.cameras.cam_from_world.copy()
    poses[:, :3, 3] *= scale
    views = tuple(replace(view, depth=view.depth * np.float32(scale)) for view in scene.views)
    return replace(scene, cameras=Cameras(scene.cameras.K, poses), views=views)


@pytest.mark.parametrize("scale", [0.2, 5.0])
@pytest.mark.parametrize("edges", [{(1, 4)}, {(1, 4), (2, 4)}])
def test_the_scenes_depths_set_the_scale_however_few_of_its_views_are_seen(
    edges: set[tuple[int, int]], scale: float
) -> None:
    scene = grown_by(scale, first_four())
    grown = register_views(scene, some(edges, range(5)), POINTLOOM)
    assert pair_errors(grown.cameras.cam_from_world, TRUTH)[0].max() < 0.3
    span = [
        np.linalg.norm(cameras.centres[0] - cameras.centres[4]) for cameras in (grown.cameras, true_cameras())
    ]
    expected = np.median(scene.views[0].depth / DEPTHS[0].numpy())
    assert span[0] / span[1] == pytest.approx(expected, rel=0.01)


def test_new_views_that_only_the_scene_ties_together_are_all_placed() -> None:
    three = align_predictions(some({edge for edge in ENTRIES if max(edge) < 3}, range(3)), POINTLOOM)
    grown = register_views(three, some({(0, 3), (2, 4)}, range(5)), POINTLOOM)
    assert [view.name for view in grown.views] == [f"{k}.jpg" for k in range(5)]
    assert pair_errors(grown.cameras.cam_from_world, TRUTH)[0].max() < 0.3
    assert grown.report.notices == ()
    assert [placement["views"] for placement in grown.report.figures["placements"]] == [
        ["0.jpg", "3.jpg"],
        ["2.jpg", "4.jpg"],
    ]
    assert grown.report.figures["steps"] == three.report.figures["steps"]


def test_a_scene_of_photos_is_met_on_the_grid() -> None:
    def four_times_as_large(view: SceneView) -> SceneView:
        w, h = view.pixel_map.target_size
        return replace(
            view,
            pixel_map=PixelMap((4 * w, 4 * h), 1, (0, 0, 4 * w, 4 * h), (w, h), (0, 0, 0, 0), (0, 0, 0, 0)),
        )

    scene = first_four()
    photos = replace(scene, views=tuple(four_times_as_large(view) for view in scene.views))
    grown = register_views(photos, predictions(), POINTLOOM)
    assert pair_errors(grown.cameras.cam_from_world, TRUTH)[0].max() < 0.3


def test_a_new_view_of_a_camera_of_the_scene_has_its_intrinsics_and_no_other_view_has_its_id() -> None:
    scene, given = first_four(), predictions()
    grown = register_views(scene, given, POINTLOOM)
    assert grown.views[4].camera == "one"
    np.testing.assert_allclose(grown.cameras.K[4], scene.cameras.K[0], rtol=1e-12)
    # In the predictions' own folder all views have ids of their own, and the new one has that which the scene
    # has for another camera.
    ids = ("first", "second", "third", "fourth", "one")
    renamed = replace(given, views=tuple(replace(view, camera=name) for view, name in zip(given.views, ids)))
    assert [view.camera for view in register_views(scene, renamed, POINTLOOM).views] == [*4 * ["one"], "one+"]


def test_pairs_in_the_other_order_are_known() -> None:
    scene = first_four()
    turned = tuple((b, a) for a, b in scene.edges)
    assert len(register_views(replace(scene, edges=turned), predictions(), POINTLOOM).edges) == len(ENTRIES)


def test_what_is_not_used_is_said() -> None:
    three = align_predictions(some({edge for edge in ENTRIES if max(edge) < 3}, range(5)), POINTLOOM)
    assert [n.subject for n in three.report.notices] == ["3.jpg", "4.jpg"]
    given = some({(0, 3), (1, 2)}, range(5))
    views = (*given.views[:3], replace(given.views[3], cam_from_world=TRUTH[3]), given.views[4])
    grown = register_views(three, replace(given, views=views), POINTLOOM)
    assert [n.subject for n in grown.report.notices] == ["4.jpg", "poses"]
    assert "3.jpg" in grown.report.notices[1].text
    # Two new views that are tied to one another alone.
    pair = align_predictions(some({(0, 1)}, range(2)), POINTLOOM)
    loose = register_views(pair, some({(0, 2), (3, 4)}, range(5)), POINTLOOM)
    assert [(n.level, n.subject) for n in loose.report.notices if "scene" in n.text] == [
        (Level.LEFT_OUT, "3.jpg"),
        (Level.LEFT_OUT, "4.jpg"),
    ]


def test_what_cannot_be_placed_is_refused_with_the_remedy() -> None:
    scene, given = first_four(), predictions()
    strangers = replace(given, views=tuple(replace(view, name=f"other {view.name}") for view in given.views))
    with pytest.raises(UserError, match="known by their names"):
        register_views(scene, strangers, POINTLOOM)
    with pytest.raises(UserError, match="Add pairs"):
        register_views(scene, some({edge for edge in ENTRIES if 4 not in edge}, range(5)), POINTLOOM)
    with pytest.raises(UserError, match="`preset=pointloom`"):
        register_views(scene, given, PRESETS["mast3r"])
