"""The hull takes away what no other view allows, and nothing of the object."""

from __future__ import annotations

import numpy as np
import pytest
from ellipsoid_masks import BODY, masks_of, turntable

from align.objects.hull import Floor, hull_of, shares_cut
from align.objects.volume import Volume, volume_of
from pairs.views.cameras import Cameras

VIEWS = 18
CAMERAS = turntable(VIEWS, 360.0 / VIEWS)
VOLUME = Volume(np.zeros(3), 1.6)


def silhouettes() -> list[np.ndarray]:
    return masks_of(CAMERAS, BODY)


def test_right_silhouettes_and_cameras_lose_nothing() -> None:
    masks = silhouettes()
    hull = hull_of(masks, CAMERAS, VOLUME, nodes=56)
    assert np.nanmax(shares_cut(masks, hull)) == 0


def test_what_one_view_alone_shows_is_taken_away() -> None:
    masks = silhouettes()
    clutter = np.zeros_like(masks[4])
    clutter[130:160, 60:100] = True
    masks[4] = masks[4] | clutter
    hull = hull_of(masks, CAMERAS, VOLUME, nodes=56)
    assert hull.cut[4][clutter].mean() > 0.9
    assert not (hull.cut[4] & silhouettes()[4]).any()
    assert np.delete(shares_cut(masks, hull), 4).max() == 0


def test_what_a_mirror_floor_shows_is_taken_away() -> None:
    body = [((0.0, 0.0, 0.2), (0.2, 0.2, 0.6))]
    object_alone = masks_of(CAMERAS, body)
    mirrored = masks_of(CAMERAS, [*body, ((0.0, 0.0, -1.0), (0.2, 0.2, 0.6))])
    assert shares_cut(mirrored, hull_of(mirrored, CAMERAS, VOLUME, nodes=56)).max() == 0
    floor = Floor(np.array([0.0, 0.0, 1.0]), -0.4)
    hull = hull_of(mirrored, CAMERAS, VOLUME, floor, nodes=56)
    for cut, both, alone in zip(hull.cut, mirrored, object_alone):
        assert cut[both & ~alone].mean() > 0.8
        assert not (cut & alone).any()


def test_what_lies_beyond_the_volume_is_left_alone() -> None:
    masks = silhouettes()
    far = np.zeros_like(masks[4])
    far[5:25, 5:25] = True
    masks[4] = masks[4] | far
    assert not (hull_of(masks, CAMERAS, Volume(np.zeros(3), 0.9), nodes=56).cut[4] & far).any()


def test_turned_cameras_are_betrayed() -> None:
    masks = silhouettes()
    turn = np.diag([-1.0, -1.0, 1.0, 1.0])
    poses = CAMERAS.cam_from_world.copy()
    poses[VIEWS // 2 :] = poses[VIEWS // 2 :] @ turn
    shares = shares_cut(masks, hull_of(masks, Cameras(CAMERAS.K, poses), VOLUME, nodes=56))
    assert np.median(shares) > 0.1


def test_an_empty_mask_says_nothing() -> None:
    masks = silhouettes()
    masks[3] = np.zeros_like(masks[3])
    shares = shares_cut(masks, hull_of(masks, CAMERAS, VOLUME, nodes=56))
    assert np.isnan(shares[3])
    assert np.nanmax(shares) == 0


def test_a_camera_in_the_volume_and_one_that_looks_away_do_no_harm() -> None:
    masks = silhouettes()
    poses = CAMERAS.cam_from_world.copy()
    poses[0, :3, 3] = 0
    poses[1] = np.diag([-1.0, 1.0, -1.0, 1.0]) @ poses[1]
    hull = hull_of(masks, Cameras(CAMERAS.K, poses), VOLUME, nodes=40)
    assert all(cut.shape == masks[0].shape for cut in hull.cut)


def test_the_volume_leaves_outliers_out() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (1000, 3)) * (1, 0.5, 0.2)
    points[:5] = 50
    volume = volume_of(points)
    assert volume.radius == pytest.approx(1.6 * 0.96, rel=0.05)
    assert np.abs(volume.centre).max() < 0.1
    with pytest.raises(ValueError, match="no points"):
        volume_of(np.zeros((0, 3)))


def test_hundreds_of_views_are_counted() -> None:
    times = 15  # 269 others: beyond what a byte holds
    many = Cameras(np.tile(CAMERAS.K, (times, 1, 1)), np.tile(CAMERAS.cam_from_world, (times, 1, 1)))
    masks = silhouettes() * times
    clutter = np.zeros_like(masks[4])
    clutter[130:160, 60:100] = True
    masks[4] = masks[4] | clutter
    assert hull_of(masks, many, VOLUME, nodes=40).cut[4][clutter].mean() > 0.9
