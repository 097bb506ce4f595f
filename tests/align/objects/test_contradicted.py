"""Masks for which the other views leave no room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solid_scene import both, ring, solid_scene, sphere

from align.objects.contradicted import contradicted_masks
from align.scene import Scene

SCENE = solid_scene(both(sphere(0.5), sphere(0.3, (0.6, 0.0, 0.0))), ring(12))


def with_mask(mask: np.ndarray) -> Scene:
    views = list(SCENE.views)
    views[3] = replace(views[3], mask=mask)
    return replace(SCENE, views=tuple(views))


def test_right_masks_need_no_words() -> None:
    assert contradicted_masks(SCENE) == ()


@pytest.mark.parametrize("mask", ["shifted", "inverted", "mirrored"])
def test_a_wrong_mask_is_named(mask: str) -> None:
    own = SCENE.views[3].mask
    wrong = {
        "shifted": np.roll(own, own.shape[1] // 5, 1),
        "inverted": ~own,
        "mirrored": own[:, ::-1],
    }[mask]
    (notice,) = contradicted_masks(with_mask(wrong))
    assert notice.level == "warning"
    assert notice.text.startswith(SCENE.views[3].name)
    assert notice.text.count("%") == 1


def test_a_few_views_leave_room_for_anything() -> None:
    few = replace(
        SCENE,
        views=SCENE.views[:4],
        cameras=type(SCENE.cameras)(SCENE.cameras.K[:4], SCENE.cameras.cam_from_world[:4]),
    )
    assert contradicted_masks(few) == ()
