"""Parts that a few masks cut off, and what is no such part."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from solid_scene import both, everywhere, solid_scene, sphere

from align.meshes.field.box import first_look
from align.meshes.field.votes import footprint, votes_of
from align.meshes.field.witnesses import CutOff, cut_off_parts
from align.meshes.options import MeshOptions
from align.scene import Scene

OPTIONS = MeshOptions()


def judged(scene: Scene) -> tuple[CutOff, ...]:
    unit = footprint(scene, OPTIONS.min_conf)
    votes = tuple(votes_of(scene, [view.mask for view in scene.views], OPTIONS, unit))
    return cut_off_parts(votes, first_look(votes), unit)


def masked(scene: Scene, masks: dict[int, np.ndarray]) -> Scene:
    """Return a scene with other masks, and no depth beside them."""
    views = [
        replace(view, mask=masks[k], conf=view.conf * masks[k]) if k in masks else view
        for k, view in enumerate(scene.views)
    ]
    return replace(scene, views=tuple(views))


@pytest.fixture(scope="module")
def knobbed() -> Scene:
    """Return a ball with a knob."""
    return solid_scene(both(sphere(0.6), sphere(0.2, (0.7, 0, 0))), everywhere(24))


@pytest.fixture(scope="module")
def without_knob() -> Scene:
    return solid_scene(sphere(0.6), everywhere(24))


def most_of_the_knob(knobbed: Scene, without_knob: Scene) -> np.ndarray:
    """Return the views (V,) in order of how much of the knob sticks out."""
    sizes = [int((a.mask & ~b.mask).sum()) for a, b in zip(knobbed.views, without_knob.views)]
    return np.argsort(sizes)[::-1]


@pytest.mark.parametrize("count", [1, 3, 5])
def test_masks_that_cut_a_part_off_are_found(count: int, knobbed: Scene, without_knob: Scene) -> None:
    wrong = sorted(int(k) for k in most_of_the_knob(knobbed, without_knob)[:count])
    cut = {k: knobbed.views[k].mask & without_knob.views[k].mask for k in wrong}
    found = judged(masked(knobbed, cut))
    assert sorted(each.view for each in found) == wrong


def test_a_rim_that_all_masks_lack_is_none(knobbed: Scene) -> None:
    square = np.ones((3, 3), np.uint8)
    worn = {k: cv2.erode(v.mask.astype(np.uint8), square) > 0 for k, v in enumerate(knobbed.views)}
    assert not judged(masked(knobbed, worn))


def test_right_masks_cut_nothing_off(knobbed: Scene) -> None:
    assert not judged(knobbed)


def test_what_several_masks_add_is_no_part(knobbed: Scene) -> None:
    """Loose masks of a third of the views, with depths of something behind: two thirds exclude it."""
    square = np.ones((9, 9), np.uint8)
    loose = {}
    for k in range(0, 24, 3):
        view = knobbed.views[k]
        mask = cv2.dilate(view.mask.astype(np.uint8), square) > 0
        depth = np.where(view.mask, view.depth, 5).astype(np.float32)
        loose[k] = replace(view, mask=mask, depth=depth, conf=np.where(mask, 6, 0).astype(np.float32))
    views = [loose.get(k, view) for k, view in enumerate(knobbed.views)]
    assert not judged(replace(knobbed, views=tuple(views)))
