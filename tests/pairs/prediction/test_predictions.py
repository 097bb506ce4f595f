"""Lists of matches of one pair."""

from __future__ import annotations

import numpy as np

from pairs.prediction.predictions import NO_MATCHES, Matches, join_matches, select_matches, swap_matches

ONE = Matches(np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8]]), np.array([1.0, 2]))


def test_no_lists_join_to_the_empty_list_and_others_in_their_order() -> None:
    assert join_matches([]).xy_a.shape == (0, 2)
    joined = join_matches([ONE, NO_MATCHES, swap_matches(ONE)])
    np.testing.assert_array_equal(joined.xy_a, [*ONE.xy_a, *ONE.xy_b])
    np.testing.assert_array_equal(joined.xy_b, [*ONE.xy_b, *ONE.xy_a])
    np.testing.assert_array_equal(joined.conf, [1, 2, 1, 2])


def test_joining_keeps_single_precision() -> None:
    single = Matches(*(getattr(ONE, name).astype(np.float32) for name in ("xy_a", "xy_b", "conf")))
    assert join_matches([single, single]).xy_a.dtype == np.float32


def test_matches_are_picked_by_number_or_by_flag() -> None:
    for which in (np.array([1]), np.array([False, True])):
        picked = select_matches(ONE, which)
        np.testing.assert_array_equal(np.concatenate([picked.xy_a, picked.xy_b], 1), [[3, 4, 7, 8]])
        np.testing.assert_array_equal(picked.conf, [2])
