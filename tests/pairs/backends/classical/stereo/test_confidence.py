"""Confidence by agreement."""

from __future__ import annotations

import numpy as np

from pairs.backends.classical.stereo.fusion import confidence


def test_confidence_follows_the_table() -> None:
    agree = np.array([4, 3, 3, 2, 2, 2, 1, 1, 1, 1], np.uint8)
    seen = np.array([4, 3, 4, 2, 3, 4, 1, 2, 3, 4], np.uint8)
    np.testing.assert_allclose(
        confidence(agree, seen), [12.9, 12.0, 7.7, 10.6, 5.9, 4.0, 7.7, 3.4, 2.2, 1.7], atol=0.06
    )


def test_nobody_agreeing_is_exactly_one() -> None:
    assert (confidence(np.zeros(5, np.uint8), np.arange(5).astype(np.uint8)) == 1).all()
