"""When agreement with a camera may be chance."""

from __future__ import annotations

import numpy as np
import pytest

from align.localise.by_features.chance import log10_false_alarms

NUM, WIDTH, LARGEST = 300, 800, 4.0


def places(seed: int, num: int = NUM, width: float = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, width, (num, 2))


@pytest.mark.parametrize("seed", range(10))
def test_random_matches_say_nothing_for_a_camera(seed: int) -> None:
    assert log10_false_alarms(places(seed), places(seed + 100), LARGEST, 3) == 0


def agreeing(share: float, num: int, sigma: float = 1.0) -> float:
    """Return the logarithm for so many matches of which a share agree."""
    rng = np.random.default_rng(5)
    pixels, projected = places(1, num), places(2, num)
    right = int(share * num)
    projected[:right] = pixels[:right] + rng.normal(0, sigma, (right, 2))
    return log10_false_alarms(projected, pixels, LARGEST, 3)


def test_a_tenth_of_many_matches_says_more_than_of_few() -> None:
    many, few = agreeing(0.1, 300), agreeing(0.1, 60)
    assert many < -40
    assert few > -5


def test_small_errors_say_more() -> None:
    assert agreeing(0.1, 300, 0.2) < 1.2 * agreeing(0.1, 300, 1.0)


def test_matches_that_crowd_agree_by_chance() -> None:
    # All points and all pixels within the largest error: every camera that looks there explains all of them.
    assert log10_false_alarms(places(1, 100, 3.0), places(2, 100, 3.0), LARGEST, 3) > -12


def test_a_focal_that_is_sought_needs_one_match_more() -> None:
    pixels = places(1, 100)
    assert log10_false_alarms(pixels, pixels, LARGEST, 4) > log10_false_alarms(pixels, pixels, LARGEST, 3)


def test_too_few_matches_and_points_behind_the_camera_say_nothing() -> None:
    pixels = places(1, 3)
    assert log10_false_alarms(pixels, pixels, LARGEST, 3) == 0
    assert log10_false_alarms(np.full((50, 2), np.nan), places(1, 50), LARGEST, 3) == 0
    half = places(1, 60)
    half[30:] = np.nan
    assert log10_false_alarms(half, places(1, 60), LARGEST, 3) < -40
