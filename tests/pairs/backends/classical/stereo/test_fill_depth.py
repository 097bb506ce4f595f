"""Depth for the pixels that have none."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairs.backends.classical.stereo.fusion import extrapolate


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
