"""Tangents of true cameras agree, those of wrong ones do not, and lost ones cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ellipsoid_masks import BODY, SIZE, around_origin, masks_of, outlines_of, pinholes, turntable
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from turning_cameras import moved

from pairs.rings.outline import outline_of
from pairs.rings.tangency import FRAMED_PX, LOST_PX, all_pairs, hulls_of, tangency
from pairs.views.cameras import Cameras

RING = turntable(12, 30.0)
OUTLINES = outlines_of(RING, BODY)
HULLS = hulls_of(OUTLINES)
PAIRS = all_pairs(12)


def test_true_cameras_agree_to_a_fraction_of_a_pixel():
    found = tangency(RING, HULLS, PAIRS)
    assert found.usable.mean() > 0.9
    assert found.median < 0.12
    assert np.abs(found.residual[found.usable]).max() < 1.0


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_the_choice_of_world_and_unit_changes_nothing(seed, scale):
    other = Cameras(RING.K, moved(RING.cam_from_world, seed, scale))
    np.testing.assert_allclose(
        tangency(other, HULLS, PAIRS).residual, tangency(RING, HULLS, PAIRS).residual, atol=1e-6
    )


def test_the_order_of_a_pair_changes_only_signs():
    one, two = tangency(RING, HULLS, PAIRS), tangency(RING, HULLS, PAIRS[:, ::-1])
    np.testing.assert_array_equal(one.usable, two.usable)
    np.testing.assert_allclose(
        np.sort(np.abs(np.where(one.usable, one.residual, 0)), 1),
        np.sort(np.abs(np.where(two.usable, two.residual, 0)), 1),
        atol=1e-9,
    )


def test_a_tilt_of_one_degree_shows_at_once_and_a_step_hardly():
    def median(change: np.ndarray) -> float:
        poses = RING.cam_from_world.copy()
        poses[3] = change
        with_3 = (PAIRS == 3).any(1)
        return tangency(Cameras(RING.K, poses), HULLS, PAIRS[with_3]).median

    tilt = np.eye(4)
    tilt[:3, :3] = Rotation.from_euler("x", 1, degrees=True).as_matrix()
    assert median(RING.cam_from_world[3]) < 0.12
    assert median(tilt @ RING.cam_from_world[3]) > 2
    assert 0.1 < median(around_origin(np.array([91.0]))[0]) < 1


def test_the_residual_is_in_pixels():
    """A camera shifted along y of its picture moves both tangents of a level pair alike."""
    level = turntable(2, 90.0, 0.0)
    hulls = hulls_of(outlines_of(level, BODY))
    moved_by = level.K.copy()
    moved_by[1, 1, 2] += 5.0
    before = tangency(level, hulls, np.array([[0, 1]])).residual
    after = tangency(Cameras(moved_by, level.cam_from_world), hulls, np.array([[0, 1]])).residual
    np.testing.assert_allclose(np.abs(after - before), 5.0, rtol=0.25)


def test_an_epipole_within_the_silhouette_has_no_tangent():
    facing = pinholes(around_origin(np.array([0.0, 180.0, 90.0]), 0.0))
    found = tangency(facing, hulls_of(outlines_of(facing, BODY)), all_pairs(3))
    assert found.usable.tolist() == [[False, False], [True, True], [True, True]]
    np.testing.assert_array_equal(found.residual[0], LOST_PX)
    assert np.isnan(found.larger[0])


def test_two_cameras_in_one_place_have_no_tangent():
    same = Cameras(RING.K[:2], RING.cam_from_world[[0, 0]])
    assert not tangency(same, hulls_of(OUTLINES[:2]), np.array([[0, 1]])).usable.any()


def test_tangents_on_the_frame_are_excused():
    masks = [mask[:, : SIZE[0]] for mask in masks_of(RING, BODY)]
    top = np.flatnonzero(masks[0].any(1))[0]
    cut = [mask[top + 20 :] for mask in masks]
    K = RING.K.copy()
    K[:, 1, 2] -= top + 20
    outlines = [outline for mask in cut if (outline := outline_of(mask)) is not None]
    found = tangency(Cameras(K, RING.cam_from_world), hulls_of(outlines), PAIRS)
    lost = ~found.usable
    assert lost.any()
    assert found.usable.any()
    assert (found.residual[lost] == FRAMED_PX).mean() > 0.8
    assert np.median(np.abs(found.residual[found.usable])) < 0.2


def test_limits_grow_on_long_photos_only():
    assert hulls_of(OUTLINES).scale == 1
    assert hulls_of([replace(OUTLINES[0], size=(800, 640))]).scale == 1
    assert hulls_of([replace(OUTLINES[0], size=(1400, 700))]).scale == pytest.approx(2)
