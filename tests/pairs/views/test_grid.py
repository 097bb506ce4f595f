"""The grid: multiples, square pixels, no enlargement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masks.errors import ImageError
from pairs.views.grid import GridOptions, grid_map


@given(st.integers(300, 5000), st.integers(300, 5000), st.sampled_from([1, 6]), st.sampled_from([8, 14, 16]))
def test_any_photo_gets_a_grid_of_square_pixels(w: int, h: int, orientation: int, multiple: int) -> None:
    pixel_map = grid_map("a", (w, h), orientation, None, GridOptions(512, multiple))
    grid_w, grid_h = pixel_map.target_size
    assert grid_w % multiple == grid_h % multiple == 0
    assert max(grid_w, grid_h) <= 512
    sx, sy = pixel_map.scale
    assert abs(sx / sy - 1) < 0.004
    assert min(sx, sy) <= 1
    lost_w, lost_h = (a - b for a, b in zip(pixel_map.upright_size, pixel_map.crop[2:]))
    assert lost_w * sx < 2 * multiple + 0.02 * grid_w
    assert lost_h * sy < 2 * multiple + 0.02 * grid_h


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((768, 576), (512, 384)),
        ((1152, 768), (512, 336)),
        ((540, 960), (288, 512)),
        ((4032, 3024), (512, 384)),
        ((200, 100), (200, 96)),
    ],
)
def test_common_sizes(size: tuple[int, int], grid: tuple[int, int]) -> None:
    pixel_map = grid_map("a", size, 1, None, GridOptions())
    assert pixel_map.target_size == grid
    assert pixel_map.scale[0] == pytest.approx(pixel_map.scale[1], abs=1e-12)


def test_too_small_a_photo_is_named() -> None:
    with pytest.raises(ImageError, match="tiny"):
        grid_map("tiny", (7, 90), 1, None, GridOptions())
