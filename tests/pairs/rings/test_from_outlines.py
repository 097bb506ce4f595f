"""A ring from masks and a step: right, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from ellipsoid_masks import BODY, CROSS, EGG, SIZE, masks_of, outlines_of, turntable

from pairs.rings.from_outlines import (
    OutlineRing,
    Refusal,
    Side,
    best_ring,
    full_turn_steps,
    ring_from_outlines,
)
from pairs.rings.outline import Outline, outline_of
from pairs.views.cameras import Cameras

STEP = np.deg2rad(30)
RING = turntable(12, 30.0)
OUTLINES = outlines_of(RING, BODY)


def error_deg(found: OutlineRing, cameras: Cameras = RING) -> float:
    """Return the largest rotation error between two views, in degrees."""
    R, true = found.ring.cam_from_world()[:, :3, :3], cameras.cam_from_world[:, :3, :3]
    relative = np.einsum("aij,bkj->abik", R, R)
    true_relative = np.einsum("aij,bkj->abik", true, true)
    cosine = (np.einsum("abij,abij->ab", relative, true_relative) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max())


def from_masks(masks: list[np.ndarray]) -> list[Outline]:
    return [outline for mask in masks if (outline := outline_of(mask)) is not None]


def test_masks_and_a_step_are_enough():
    found = ring_from_outlines(OUTLINES, STEP)
    assert found.refusal is None
    assert found.side is Side.BOTH
    assert error_deg(found) < 0.5
    assert abs(found.step) == pytest.approx(STEP, abs=2e-3)
    assert found.K[0, 0, 0] == pytest.approx(560, rel=0.03)
    assert found.view_tangency.max() < 0.5
    assert found.cost < 0.4 * found.rival_cost


@pytest.mark.slow
def test_the_other_direction_a_roll_and_a_step_two_degrees_off():
    cameras = turntable(12, -30.0, -25.0)
    found = ring_from_outlines(outlines_of(cameras, BODY), STEP + np.deg2rad(2))
    assert found.refusal is None
    assert error_deg(found, cameras) < 0.5


def test_a_known_focal_stays_and_missing_photos_are_stepped_over():
    kept = np.array([0, 1, 2, 4, 5, 6, 7, 9, 10, 11])
    found = ring_from_outlines([OUTLINES[k] for k in kept], STEP, kept, RING.K[kept])
    assert found.refusal is None
    np.testing.assert_array_equal(found.K, RING.K[kept])
    assert error_deg(found, Cameras(RING.K[kept], RING.cam_from_world[kept])) < 0.3


@pytest.mark.slow
def test_a_body_of_revolution_is_refused_by_name():
    assert ring_from_outlines(outlines_of(RING, EGG), STEP).refusal is Refusal.BODY_OF_REVOLUTION


@pytest.mark.slow
def test_exchanged_photos_stand_out():
    order = np.arange(12)
    order[[4, 5]] = order[[5, 4]]
    found = ring_from_outlines([OUTLINES[k] for k in order], STEP)
    assert set(np.argsort(found.view_tangency)[-2:]) == {4, 5}
    assert np.sort(found.view_tangency)[-2] > 3 * np.median(found.view_tangency)


@pytest.mark.slow
def test_a_shuffled_order_is_refused():
    order = np.random.default_rng(0).permutation(12)
    assert ring_from_outlines([OUTLINES[k] for k in order], STEP).refusal in (
        Refusal.POOR_FIT,
        Refusal.AMBIGUOUS,
    )


def test_fewer_than_eight_views_are_refused():
    assert ring_from_outlines(OUTLINES[::2], 2 * STEP).refusal is Refusal.FEW_VIEWS


@pytest.mark.slow
def test_a_foot_glued_to_the_table_leaves_the_upper_tangents():
    masks = masks_of(RING, BODY)
    for mask in masks:
        rows = np.flatnonzero(mask.any(1))
        foot = rows[0] + int(0.88 * len(rows))
        mask[foot : rows[-1] + 1, 60:-60] = True
    found = ring_from_outlines(from_masks(masks), STEP)
    assert (found.refusal is None and error_deg(found) < 1) or found.refusal is not None
    assert found.side is not Side.BOTH or found.refusal is not None


@pytest.mark.slow
def test_an_object_cut_above_and_below_is_refused():
    masks = [mask[SIZE[1] // 2 - 50 : SIZE[1] // 2 + 50] for mask in masks_of(RING, BODY)]
    assert ring_from_outlines(from_masks(masks), STEP).refusal is Refusal.FRAME


@pytest.mark.slow
def test_a_full_turn_needs_no_step():
    found = best_ring(OUTLINES, full_turn_steps(12))
    assert found.refusal is None
    assert abs(found.step) == pytest.approx(STEP, abs=2e-3)
    closed = turntable(13, 30.0)
    again = best_ring(outlines_of(closed, BODY), full_turn_steps(13))
    assert again.refusal is None
    assert abs(again.step) == pytest.approx(STEP, abs=2e-3)


@pytest.mark.slow
def test_four_like_sides_give_their_ring_all_the_same():
    found = ring_from_outlines(outlines_of(RING, CROSS), STEP)
    assert found.refusal is not None or error_deg(found) < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tilt", "step", "focal"), [(-40.0, 24.0, 500.0), (2.0, 36.0, 600.0), (45.0, 30.0, 420.0)]
)
def test_other_tilts_steps_and_focals(tilt, step, focal):
    cameras = turntable(10, step, tilt, focal=focal)
    found = ring_from_outlines(outlines_of(cameras, BODY), np.deg2rad(step))
    assert found.refusal is None
    assert error_deg(found, cameras) < 1
