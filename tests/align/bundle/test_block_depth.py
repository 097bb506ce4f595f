"""Depth between the middles of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from small_measurements import small_measurements

from align.bundle.block_depth import block_depth

VIEW = small_measurements(2).views[0]
SHAPE = VIEW.anchor_depth.shape


def test_an_even_slope_of_offsets_has_no_steps() -> None:
    slope = np.tile(0.01 * np.arange(SHAPE[1]), (SHAPE[0], 1))
    offset = np.log(block_depth(VIEW, 0.0, slope).numpy() / VIEW.depth.numpy())
    np.testing.assert_allclose(np.diff(offset[:, 20:-20], axis=1), 0.01 / VIEW.subsample, rtol=1e-3)
    assert np.diff(offset, axis=1).max() < 0.011 / VIEW.subsample


def test_a_block_without_an_offset_takes_that_of_its_neighbour() -> None:
    offset = np.full(SHAPE, np.nan)
    offset[:, 0] = 0.02
    np.testing.assert_allclose(block_depth(VIEW, 0.5, offset).numpy(), VIEW.depth.numpy() * np.exp(0.52))


@pytest.mark.parametrize("log_scale", [0.0, -1.0])
def test_without_any_offset_the_canonical_depth_is_scaled(log_scale: float) -> None:
    np.testing.assert_allclose(
        block_depth(VIEW, log_scale, np.full(SHAPE, np.nan)).numpy(), VIEW.depth.numpy() * np.exp(log_scale)
    )
