"""Agreement, fusion and smoothing of depth maps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from textured_disc import DiscScene, disc_scene

from pairs.backends.classical.stereo.depth_map import PhotometricDepth
from pairs.backends.classical.stereo.fusion import GeometricDepth, confidence, extrapolate, fuse, smooth
from pairs.backends.classical.stereo.warp import warp_between, warp_image_to


def true_raw(scene: DiscScene, v: int, factor: float = 1.0) -> PhotometricDepth:
    """Return a view's true depth, scaled, on its object."""
    return PhotometricDepth(
        np.where(scene.mask[v], 1 / (factor * scene.depth[v]), 0).astype(np.float32), scene.mask[v]
    )


def fused_first(scene: DiscScene, neighbours: list[PhotometricDepth]) -> GeometricDepth:
    """Fuse the first view with the others."""
    others = range(1, len(scene.depth))
    there, back = (
        [warp_between(scene.cameras, n, 0) for n in others],
        [warp_between(scene.cameras, 0, n) for n in others],
    )
    return fuse(true_raw(scene, 0), neighbours, there, back)


def plane_with_agreement(q: np.ndarray) -> GeometricDepth:
    """Return a map that two neighbours confirm everywhere."""
    return GeometricDepth(q.astype(np.float32), np.full(q.shape, 2, np.uint8), np.full(q.shape, 2, np.uint8))


def test_true_depths_agree_and_stay_true() -> None:
    scene = disc_scene((0, 10, -10))
    fused = fused_first(scene, [true_raw(scene, 1), true_raw(scene, 2)])
    inner = scene.mask[0] & (fused.agree == 2)
    assert inner.sum() > 0.9 * scene.mask[0].sum()
    np.testing.assert_allclose(1 / fused.inverse[inner], scene.depth[0][inner], rtol=1e-5)
    assert (fused.agree <= fused.seen).all()
    assert not fused.seen[~scene.mask[0]].any()


def test_a_depth_that_differs_by_two_percent_is_seen_and_does_not_agree() -> None:
    scene = disc_scene((0, 10, -10))
    fused = fused_first(scene, [true_raw(scene, 1), true_raw(scene, 2, factor=1.02)])
    assert fused.agree.max() == 1
    assert fused.seen.max() == 2


def test_all_pixels_at_once_equal_one_by_one() -> None:
    scene = disc_scene((0, 10))
    fused = fused_first(scene, [true_raw(scene, 1, factor=1.004)])
    there, back = warp_between(scene.cameras, 1, 0), warp_between(scene.cameras, 0, 1)
    q, q_there, valid = true_raw(scene, 0).inverse, true_raw(scene, 1, factor=1.004).inverse, scene.mask[1]
    rows, columns = np.nonzero(scene.mask[0])
    for r, c in list(zip(rows, columns))[::97]:
        x, y, _ = warp_image_to(there, np.array(float(c)), np.array(float(r)), np.array(float(q[r, c])))
        r0, c0 = int(y), int(x)
        if not valid[r0 : r0 + 2, c0 : c0 + 2].all():
            assert fused.seen[r, c] == 0
            continue
        dy, dx = y - r0, x - c0
        sample = (
            np.array([1 - dy, dy]) @ q_there[r0 : r0 + 2, c0 : c0 + 2].astype(float) @ np.array([1 - dx, dx])
        )
        x_back, y_back, q_back = warp_image_to(back, x, y, sample)
        agrees = abs(q_back / q[r, c] - 1) < 0.01 and np.hypot(x_back - c, y_back - r) < 1.5
        assert fused.agree[r, c] == agrees
        np.testing.assert_allclose(fused.inverse[r, c], (q[r, c] + agrees * q_back) / (1 + agrees), rtol=1e-6)


def test_smoothing_leaves_a_slanted_plane_alone() -> None:
    x, y = np.meshgrid(np.arange(30), np.arange(20))
    q = 0.25 + 3e-4 * x - 2e-4 * y
    np.testing.assert_allclose(smooth(plane_with_agreement(q)).inverse, q, rtol=2e-7)


def test_smoothing_does_not_cross_steps_nor_unconfirmed_pixels() -> None:
    q = np.where(np.arange(30) < 15, 0.25, 0.26)[None].repeat(20, 0)
    np.testing.assert_allclose(smooth(plane_with_agreement(q)).inverse, q, rtol=2e-7)
    spoiled = plane_with_agreement(np.full((20, 30), 0.25))
    spoiled.inverse[:, ::4] *= 1.005
    spoiled.agree[:, ::4] = 0
    smoothed = smooth(spoiled)
    np.testing.assert_allclose(smoothed.inverse[spoiled.agree > 0], 0.25, rtol=2e-7)
    np.testing.assert_array_equal(smoothed.inverse[:, ::4], spoiled.inverse[:, ::4])


def test_smoothing_lowers_noise() -> None:
    q = 0.25 * (1 + 0.001 * np.random.default_rng(0).standard_normal((40, 40)))
    assert smooth(plane_with_agreement(q)).inverse[5:-5, 5:-5].std() < 0.3 * q.std()


def test_a_map_that_nobody_confirms_passes_through() -> None:
    lonely = GeometricDepth(
        np.full((4, 4), 0.2, np.float32), np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)
    )
    assert smooth(lonely) is lonely


@given(st.integers(0, 2**32 - 1))
def test_filling_is_positive_bounded_and_keeps_what_was_measured(seed: int) -> None:
    rng = np.random.default_rng(seed)
    valid = rng.random((12, 15)) < 0.3
    valid[rng.integers(12), rng.integers(15)] = True
    q = np.where(valid, rng.uniform(0.1, 2, valid.shape), 0).astype(np.float32)
    filled = extrapolate(q, valid)
    np.testing.assert_array_equal(filled[valid], q[valid])
    assert filled.min() >= q[valid].min() * (1 - 1e-5)
    assert filled.max() <= q[valid].max() * (1 + 1e-5)


def test_confidence_follows_the_table() -> None:
    agree = np.array([4, 3, 3, 2, 2, 2, 1, 1, 1, 1], np.uint8)
    seen = np.array([4, 3, 4, 2, 3, 4, 1, 2, 3, 4], np.uint8)
    np.testing.assert_allclose(
        confidence(agree, seen), [12.9, 12.0, 7.7, 10.6, 5.9, 4.0, 7.7, 3.4, 2.2, 1.7], atol=0.06
    )


def test_nobody_agreeing_is_exactly_one() -> None:
    assert (confidence(np.zeros(5, np.uint8), np.arange(5).astype(np.uint8)) == 1).all()
