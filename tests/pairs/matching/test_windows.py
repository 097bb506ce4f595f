"""Windows cover the picture, have the size asked for, and are chosen where the matches are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pairs.matching.windows import (
    WindowOptions,
    choose_windows,
    fit_windows,
    greedy_choice,
    overlapping_grid,
    score_windows,
    start_positions,
)

sides = st.integers(520, 2600)


@given(st.integers(16, 3000), st.integers(16, 600), st.floats(0, 0.9))
def test_windows_along_a_side_reach_from_end_to_end_and_overlap(total, window, overlap):
    assume(window <= total)
    starts = start_positions(total, window, overlap)
    assert starts[0] == 0
    assert starts[-1] == total - window
    # Half a pixel of rounding at either end.
    assert (np.diff(starts) <= window * (1 - overlap) + 1).all()


@given(sides, sides)
def test_a_grid_covers_every_pixel(height, width):
    windows = overlapping_grid((height, width), 512, 0.5)
    extent = windows[:, 2:] - windows[:, :2]
    assert (extent % 16 == 0).all()
    assert extent.max() <= 512
    columns, rows = np.unique(windows[:, 0]), np.unique(windows[:, 1])
    assert len(windows) == len(columns) * len(rows)  # every row of windows with every column
    for starts, step, side in ((columns, extent[0, 0], width), (rows, extent[0, 1], height)):
        assert starts[0] == 0
        assert starts[-1] + step == side
        assert (np.diff(starts) <= step).all()


@given(sides, sides, st.integers(0, 2**31), st.booleans())
def test_fitted_windows_lie_inside_and_have_their_resolution(height, width, seed, forced):
    corners = np.random.default_rng(seed).uniform(-300, 2800, (20, 2, 2))
    windows = np.concatenate([corners.min(1), corners.max(1) + 1], 1)
    resolution = (336, 512) if forced else None
    fitted = fit_windows(windows, (height, width), resolution)
    assert (fitted[:, :2] >= 0).all()
    assert (fitted[:, 2:] <= [width, height]).all()
    size = fitted[:, 2:] - fitted[:, :2]
    if forced:
        assert (size == [512, 336]).all()
    else:
        assert (size >= 1).all()


def test_windows_that_fit_already_stay():
    window = np.array([[10, 20, 10 + 512, 20 + 384]])
    np.testing.assert_array_equal(fit_windows(window, (600, 800), (384, 512)), window)


def test_a_resolution_larger_than_the_picture_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        fit_windows(np.array([[0, 0, 10, 10]]), (300, 800), (384, 512))


def shifted_matches(
    count: int = 400, size: tuple[int, int] = (768, 1024), shift: tuple[int, int] = (40, -25)
) -> tuple[np.ndarray, np.ndarray]:
    xy = np.random.default_rng(0).uniform(0, 1, (count, 2)) * [size[1], size[0]]
    return xy, xy + shift


@pytest.mark.parametrize("shift", [(0, 0), (40, -25), (-7, 13), (40, 0), (20, -25)])
def test_the_counterpart_of_a_window_is_where_its_matches_lead(shift):
    # One match every 8 pixels, whose mean is the middle of the window: the counterpart is exact.
    xy_a = np.stack(np.meshgrid(np.arange(4, 1024, 8), np.arange(4, 768, 8)), -1).reshape(-1, 2).astype(float)
    xy_b = xy_a + shift
    scored = score_windows(np.array([[304, 248, 816, 632]]), xy_a, xy_b, (768, 1024), (384, 512))
    np.testing.assert_array_equal(scored.b - scored.a, [[*shift, *shift]])
    own = (xy_a >= [304, 248]).all(1) & (xy_a < [816, 632]).all(1)
    assert own.sum() == 64 * 48
    assert ((scored.weight[0] > 0) == own).all()


def test_windows_with_few_matches_are_left_out():
    xy_a, xy_b = shifted_matches(9)
    assert len(score_windows(np.array([[0, 0, 1024, 768]]), xy_a, xy_b, (768, 1024), None)) == 0
    chosen = choose_windows(
        (xy_a, xy_b), ((768, 1024), (768, 1024)), ((384, 512), (384, 512)), WindowOptions()
    )
    assert chosen.a.shape == chosen.b.shape == (0, 4)
    assert (
        len(
            choose_windows(
                (np.zeros((0, 2)), np.zeros((0, 2))),
                ((768, 1024), (768, 1024)),
                (None, None),
                WindowOptions(),
            )
        )
        == 0
    )


def test_windows_are_chosen_where_the_matches_are():
    xy_a, xy_b = shifted_matches()
    corner = (xy_a < [400, 300]).all(1)
    chosen = choose_windows(
        (xy_a[corner], xy_b[corner]), ((768, 1024), (768, 1024)), ((384, 512), (384, 512)), WindowOptions()
    )
    assert 1 <= len(chosen) <= 4
    covered = np.zeros(corner.sum(), bool)
    for window in chosen.a:
        covered |= (xy_a[corner] >= window[:2]).all(1) & (xy_a[corner] < window[2:]).all(1)
    assert covered.mean() > 0.9


@given(st.integers(0, 2**31), st.floats(0.1, 1))
def test_the_chosen_rows_reach_the_target(seed, target):
    weight = np.random.default_rng(seed).uniform(0, 1, (8, 30)) ** 4
    chosen = greedy_choice(weight, target)
    assert len(set(chosen)) == len(chosen)
    assert weight[chosen].max(0).sum() >= target * weight.max(0).sum() - 1e-9


def test_without_weight_nothing_is_chosen():
    assert greedy_choice(np.zeros((0, 5)), 0.9) == []
    assert greedy_choice(np.zeros((3, 0)), 0.9) == []
    assert greedy_choice(np.zeros((3, 5)), 0.9) == []
