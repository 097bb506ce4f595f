"""What a scene without masks says of the object, and when it says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ellipsoid_masks import masks_of
from table_scene import SECOND, SIZE, THING, table_scene

from align.made_masks.scene_road import SceneRoad, scene_road
from align.made_masks.shown import Box, Click
from align.scene import Scene
from masks.errors import MaskError
from masks.image_file import ImageFacts
from masks.notice import warning
from pairs.views.cameras import Cameras, project


def facts_of(scene: Scene, orientation: int = 1) -> list[ImageFacts]:
    return [ImageFacts(Path(name), SIZE, orientation, False, {}) for name in scene.inputs]


def shown_at(scene: Scene, k: int, point: tuple[float, float, float]) -> tuple[float, float]:
    camera = Cameras(scene.cameras.K[k : k + 1], scene.cameras.cam_from_world[k : k + 1])
    return tuple(project(camera, np.array([point]))[0][0, 0])


def masks(road: SceneRoad) -> list[np.ndarray]:
    assert road.evidence is not None
    return [logits > 0 for logits in road.evidence.logits]


def test_the_thing_in_the_middle_is_the_object_and_the_other_is_named() -> None:
    scene = table_scene((THING, SECOND))
    road = scene_road(scene, facts_of(scene))
    assert "another thing" in road.notices[0].text
    x, y = shown_at(scene, 0, THING[0])
    assert masks(road)[0][round(y), round(x)]
    x, y = shown_at(scene, 0, SECOND[0])
    assert not masks(road)[0][round(y), round(x)]


def test_a_view_without_depth_has_the_outline_that_the_others_points_draw() -> None:
    scene = table_scene()
    blind = replace(scene.views[3], conf=np.zeros_like(scene.views[3].conf))
    scene = replace(scene, views=(*scene.views[:3], blind, *scene.views[4:]))
    found = masks(scene_road(scene, facts_of(scene)))[3]
    true = masks_of(Cameras(scene.cameras.K[3:4], scene.cameras.cam_from_world[3:4]), (THING,), SIZE)[0]
    assert (found & true).sum() / (found | true).sum() > 0.9
    assert (found & ~true).sum() < 0.02 * true.sum()


def test_a_click_chooses_the_other_thing() -> None:
    scene = table_scene((THING, SECOND))
    x, y = shown_at(scene, 0, SECOND[0])
    road = scene_road(scene, facts_of(scene), [Click("00.jpg", x, y)])
    np.testing.assert_allclose(np.median(road.points, axis=0), SECOND[0], atol=0.15)
    assert masks(road)[0][round(y), round(x)]


def test_a_box_chooses_the_other_thing() -> None:
    scene = table_scene((THING, SECOND))
    x, y = shown_at(scene, 0, SECOND[0])
    road = scene_road(scene, facts_of(scene), [Box("00.jpg", x - 14, y - 14, 28, 28)])
    np.testing.assert_allclose(np.median(road.points, axis=0), SECOND[0], atol=0.15)


def test_a_box_holds_a_whole_thing_whatever_its_colours() -> None:
    """It looks as the table does."""
    scene = table_scene((THING, SECOND))
    grey = tuple(replace(view, image=np.full_like(view.image, 90)) for view in scene.views)
    scene = replace(scene, views=grey)
    x, y = shown_at(scene, 0, SECOND[0])
    road = scene_road(scene, facts_of(scene), [Box("00.jpg", x - 14, y - 14, 28, 28)])
    np.testing.assert_allclose(np.median(road.points, axis=0), SECOND[0], atol=0.15)


def test_a_click_beside_leaves_out_the_thing_that_it_hits() -> None:
    scene = table_scene((THING, SECOND))
    x, y = shown_at(scene, 0, THING[0])
    beside = Click("00.jpg", x, y, on_object=False)
    road = scene_road(scene, facts_of(scene), [beside])
    np.testing.assert_allclose(np.median(road.points, axis=0), SECOND[0], atol=0.15)
    assert not masks(road)[0][round(y), round(x)]
    both = scene_road(scene, facts_of(scene), [beside, Click("00.jpg", *shown_at(scene, 0, SECOND[0]))])
    np.testing.assert_array_equal(both.points, road.points)
    nothing = scene_road(
        scene, facts_of(scene), [beside, Click("00.jpg", *shown_at(scene, 0, SECOND[0]), on_object=False)]
    )
    assert nothing.evidence is None
    assert "nothing stands out" in nothing.reason


def test_a_click_on_the_table_leaves_out_no_thing_but_its_pixels() -> None:
    scene = table_scene((THING, SECOND))
    without = scene_road(scene, facts_of(scene), [Click("00.jpg", *shown_at(scene, 0, THING[0]))])
    x, y = shown_at(scene, 0, (0.0, -1.5, -0.5))
    clicks = [Click("00.jpg", *shown_at(scene, 0, THING[0])), Click("00.jpg", x, y, on_object=False)]
    road = scene_road(scene, facts_of(scene), clicks)
    np.testing.assert_array_equal(road.points, without.points)
    assert road.evidence is not None
    assert road.evidence.logits[0][round(y), round(x)] == -4


def test_a_click_beside_what_a_box_shows_leaves_it_or_nothing() -> None:
    scene = table_scene((THING, SECOND))
    x, y = shown_at(scene, 0, SECOND[0])
    box = Box("00.jpg", x - 14, y - 14, 28, 28)
    elsewhere = Click("00.jpg", *shown_at(scene, 0, THING[0]), on_object=False)
    road = scene_road(scene, facts_of(scene), [box, elsewhere])
    np.testing.assert_array_equal(road.points, scene_road(scene, facts_of(scene), [box]).points)
    nothing = scene_road(scene, facts_of(scene), [box, Click("00.jpg", x, y, on_object=False)])
    assert "nothing stands out" in nothing.reason


def test_clicks_divide_two_things_that_touch() -> None:
    left, right = ((-0.3, 0.0, -0.2), (0.3, 0.3, 0.3)), ((0.3, 0.0, -0.2), (0.3, 0.3, 0.3))
    scene = table_scene((left, right))
    click = Click("03.jpg", *shown_at(scene, 3, (0.3, 0.0, 0.0)))
    whole = scene_road(scene, facts_of(scene), [click])
    assert whole.points[:, 0].min() < -0.5
    beside = Click("03.jpg", *shown_at(scene, 3, (-0.3, 0.0, 0.0)), on_object=False)
    half = scene_road(scene, facts_of(scene), [click, beside])
    assert half.points[:, 0].min() > -0.1
    assert len(half.points) > 0.4 * len(whole.points)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (Click("other.jpg", 5, 5), "no photo has this name"),
        (Click("00.jpg", 500, 5), "lies outside"),
        (Box("00.jpg", 5, 5, 500, 20), "lies outside"),
        (Box("00.jpg", 5, 5, 1, 1), "holds nothing"),
        (Click("lost.jpg", 5, 5), "was not placed"),
        (Click("lost.jpg", 5, 5, on_object=False), "was not placed"),
    ],
)
def test_what_cannot_be_shown_is_refused(shown: Box | Click, said: str) -> None:
    scene = table_scene()
    scene = replace(scene, inputs=(*scene.inputs, "lost.jpg"))
    with pytest.raises(MaskError, match=said):
        scene_road(scene, facts_of(scene), [shown])


def test_without_a_table_the_road_is_refused() -> None:
    scene = table_scene(table=False)
    road = scene_road(scene, facts_of(scene))
    assert road.evidence is None
    assert "no plane" in road.reason


def test_an_object_that_turned_is_left_to_other_roads() -> None:
    scene = table_scene(notices=(warning("stationary background", "40 % stand still"),))
    assert "stood still" in scene_road(scene, facts_of(scene)).reason


def test_a_scene_of_few_of_the_photos_says_nothing() -> None:
    scene = table_scene()
    scene = replace(scene, inputs=(*scene.inputs, *(f"lost{k}.jpg" for k in range(8))))
    assert "12 of 20" in scene_road(scene, facts_of(scene)).reason


def test_photos_that_are_not_in_the_scene_have_no_evidence() -> None:
    scene = table_scene()
    scene = replace(scene, inputs=(*scene.inputs, "lost.jpg"))
    road = scene_road(scene, facts_of(scene))
    assert [mask.any() for mask in masks(road)] == [True] * 12 + [False]
