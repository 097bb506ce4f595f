from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairs.graph.farthest_points import farthest_points


def on_a_line(*position: float) -> np.ndarray:
    return np.abs(np.subtract.outer(position, position))


def test_key_views_are_far_from_each_other():
    chosen = farthest_points(on_a_line(0.0, 0.1, 5.0, 5.1, 9.0), 3, 0)
    assert chosen.views == [0, 4, 2]
    np.testing.assert_allclose(chosen.distances, [0, 9, 4])


def test_sampling_ends_where_the_next_is_too_near():
    assert farthest_points(on_a_line(0.0, 0.1, 5.0, 5.1, 9.0), 5, 0, least_distance=1.0).views == [0, 4, 2]


# Few different positions, so that most views have copies; a similarity above 1 makes a distance negative.
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=9),
    st.integers(1, 12),
    st.integers(0, 8),
    st.sampled_from([0.0, -1e-7, -3.0]),
)
def test_no_view_comes_twice_even_where_all_are_equal(positions, count, first, shift):
    distance = on_a_line(*map(float, positions)) + shift
    chosen = farthest_points(distance, count, first % len(positions))
    assert len(chosen.views) == min(count, len(positions)) == len(set(chosen.views))


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_each_is_the_farthest_from_all_before_it(seed, num_views):
    points = np.random.default_rng(seed).integers(0, 4, (num_views, 2))
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    chosen = farthest_points(distance, num_views, 0)
    for k in range(1, num_views):
        before, left = chosen.views[:k], sorted(set(range(num_views)) - set(chosen.views[:k]))
        far = {view: min(distance[view, other] for other in before) for view in left}
        assert chosen.views[k] == max(left, key=lambda view: far[view])  # the first of equals
        assert chosen.distances[k] == far[chosen.views[k]]
