"""Photos are brought to the sizes of the published networks, and positions with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masks.errors import UserError
from pairs.matching.standard_sizes import best_resolution, reduce_to, standard_resize

sides = st.integers(60, 4000)


@given(sides, sides, st.sampled_from([512, 224]))
def test_back_and_forth_is_nothing(height, width, longest):
    resize = standard_resize((height, width), longest)
    np.testing.assert_allclose(
        resize.half_pixel_photo_from_target @ resize.half_pixel_target_from_photo, np.eye(3), atol=1e-9
    )
    x, y, w, h = resize.crop
    assert min(x, y) >= 0
    assert x + w <= width
    assert y + h <= height
    assert max(resize.size) == longest or (height, width) == resize.size


def test_the_long_side_stays_the_long_side():
    assert best_resolution((480, 640), 512) == (384, 512)
    assert best_resolution((640, 480), 512) == (512, 384)
    assert best_resolution((500, 500), 512) == (384, 512)
    assert best_resolution((200, 900), 512) == (160, 512)


def test_a_photo_of_a_standard_size_stays_as_it_is():
    np.testing.assert_array_equal(standard_resize((288, 512), 512).half_pixel_photo_from_target, np.eye(3))


def test_other_sizes_have_no_standard():
    with pytest.raises(UserError, match="512 or 224"):
        best_resolution((480, 640), 640)


def test_a_reduced_camera_sees_the_corners_where_they_are():
    K = np.array([[900.0, 0, 499.5], [0, 900, 749.5], [0, 0, 1]])
    reduced = reduce_to((1500, 1000), 600, K)
    assert reduced.size == (600, 400)
    np.testing.assert_allclose(reduced.K[:2, 2], [199.5, 299.5])
    np.testing.assert_allclose(reduced.photo_from_target @ reduced.target_from_photo, np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(reduce_to((300, 200), 600, K).K, K)
    assert reduce_to((1500, 1000), None, K).size == (1500, 1000)
