"""A stand that turns with the object is left out of the masks, and what looks like one is kept and named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from marked_stand import DISC, VIEWS, MarkedStand, marked_stand
from still_backdrops import iou
from table_scene import TABLE_Z

from align.made_masks.placed_pictures import some_placed
from align.made_masks.stand.stand_plane import find_stand
from align.made_masks.stand.without_stand import WithoutStand, without_stand
from pairs.rings.ring import CircularMotion, fit_circular_motion

NAMES = [f"{k}.jpg" for k in range(VIEWS)]


@pytest.fixture(scope="module")
def marked() -> MarkedStand:
    return marked_stand()


def motion(photos: MarkedStand) -> CircularMotion:
    return fit_circular_motion(photos.cameras.cam_from_world)


def cut(photos: MarkedStand, masks: list[np.ndarray], points: np.ndarray | None = None) -> WithoutStand:
    points = photos.points if points is None else points
    return without_stand(photos.evidence, masks, photos.photos, NAMES, photos.placed, points)


def test_the_height_at_which_the_photos_show_one_picture_is_the_stand(marked: MarkedStand) -> None:
    stand = find_stand(marked.points, marked.photos, marked.placed, motion(marked))
    assert stand is not None
    np.testing.assert_allclose(stand.frame[2], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(stand.middle, [0, 0, TABLE_Z], atol=0.004)
    assert DISC < stand.radius < 1.5 * DISC


def test_without_marks_there_is_none(marked: MarkedStand) -> None:
    plain = [
        np.where(thing[..., None], photo, 90).astype(np.uint8)
        for thing, photo in zip(marked.things, marked.photos)
    ]
    assert find_stand(marked.points, plain, marked.placed, motion(marked)) is None


def test_cameras_on_no_circle_tell_no_stand_which_is_said(marked: MarkedStand) -> None:
    poses = marked.cameras.cam_from_world.copy()
    poses[:, :3, 3] += np.random.default_rng(0).normal(0, 0.5, (VIEWS, 3))
    placed = replace(marked.placed, cameras=replace(marked.cameras, cam_from_world=poses))
    found = without_stand(marked.evidence, marked.moving, marked.photos, NAMES, placed, marked.points)
    assert found.evidence is None
    assert "around no axis" in found.notices[0].text


def test_a_disc_with_marks_is_cut_and_said(marked: MarkedStand) -> None:
    found = cut(marked, marked.moving)
    assert found.evidence is not None
    assert "left out" in found.notices[0].text
    for logits, thing, moving in zip(found.evidence.logits, marked.things, marked.moving):
        assert iou(moving, thing) < 0.5
        assert iou(logits > 0, thing) > 0.95
        assert (logits[thing] >= 0).mean() > 0.99


def test_masks_of_the_object_alone_are_left_as_they_are(marked: MarkedStand) -> None:
    assert cut(marked, marked.things) == WithoutStand(None)
    assert cut(marked, marked.moving, marked.points[:5]) == WithoutStand(None)


def test_a_base_with_height_is_kept_and_said() -> None:
    thick = marked_stand(thick=0.03)
    found = cut(thick, thick.moving)
    assert found.evidence is None
    assert "on a base" in found.notices[0].text
    thin = marked_stand(thick=0.006)
    assert cut(thin, thin.moving).evidence is not None


def test_a_flat_object_is_kept_and_said(marked: MarkedStand) -> None:
    """All but the highest tip of the thing is missing: what is left is a coin with a stem."""
    coin = [moving & ~thing for moving, thing in zip(marked.moving, marked.things)]
    found = cut(marked, coin)
    assert found.evidence is None
    assert "flat object" in found.notices[0].text


def test_photos_without_cameras_stay_as_they_are_and_are_named(marked: MarkedStand) -> None:
    few = some_placed(marked.placed, np.arange(VIEWS - 1))
    found = without_stand(marked.evidence, marked.moving, marked.photos, NAMES, few, marked.points)
    assert found.evidence is not None
    np.testing.assert_array_equal(found.evidence.logits[-1], marked.evidence.logits[-1])
    assert "11.jpg: no camera" in found.notices[1].text
