"""Depth of a plain backdrop has no confidence."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from given_masks import texture
from stored_scene import small_scene

from align.depth_maps.plain_backdrop import without_plain_backdrop
from align.scene import Scene, SceneView
from masks.making.plain import plain_backdrop
from masks.pixelmap import identity

SIZE = (160, 120)
OBJECT = np.zeros((120, 160), bool)
OBJECT[30:90, 50:110] = True


def before(colour: tuple[int, int, int], seed: int, noise: float) -> np.ndarray:
    """Return a textured object before one colour that fades to its lower half."""
    shade = np.linspace(1, 0.5, 120)[:, None, None] * np.array(colour, float)
    image = np.where(OBJECT[..., None], texture(seed, SIZE).astype(float), shade)
    return np.clip(image + np.random.default_rng(seed).normal(0, noise, image.shape), 0, 255).astype(np.uint8)


def scene_of(*pictures: np.ndarray) -> Scene:
    ones = np.ones((120, 160), np.float32)
    views = [
        SceneView(f"{k}.jpg", "one", identity(SIZE), ones, 3 * ones, picture, ones > 0)
        for k, picture in enumerate(pictures)
    ]
    return replace(small_scene(), views=tuple(views))


@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0])
@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (240, 240, 240), (30, 160, 60)])
def test_a_plain_backdrop_has_no_confidence_and_the_object_keeps_its_own(
    colour: tuple[int, int, int], noise: float
) -> None:
    scene = without_plain_backdrop(scene_of(*(before(colour, k, noise) for k in range(3))))
    rim = cv2.dilate(OBJECT.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    for view in scene.views:
        assert (view.conf[~rim] == 0).mean() > 0.98
        assert (view.conf[OBJECT] == 3).mean() > 0.9
        assert view.mask.all()
    (notice,) = [notice for notice in scene.report.notices if "plain" in notice.text]
    assert notice.level == "warning"
    assert "the backdrop of 3 of 3 views" in notice.text


def test_photos_that_are_textured_to_their_border_stay() -> None:
    scene = scene_of(*(texture(k, SIZE) for k in range(3)))
    assert without_plain_backdrop(scene) is scene
    assert plain_backdrop(texture(0, SIZE)) is None


def test_a_few_plain_photos_among_others_stay() -> None:
    scene = scene_of(before((0, 0, 0), 0, 1), texture(1, SIZE), texture(2, SIZE))
    assert without_plain_backdrop(scene) is scene


def test_a_photo_of_one_colour_is_no_backdrop() -> None:
    grey = np.full((120, 160, 3), 90, np.uint8)
    scene = scene_of(grey, grey, grey)
    assert without_plain_backdrop(scene) is scene
