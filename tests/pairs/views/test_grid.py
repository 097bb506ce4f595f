"""The grid: multiples, square pixels, no enlargement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masks.errors import ImageError
from masks.mask import Mask
from pairs.views.grid import Cropping, GridOptions, grid_map, with_decided_crop


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


def box(size: tuple[int, int], left: int, top: int, right: int, bottom: int) -> Mask:
    pixels = np.zeros(size[::-1], bool)
    pixels[top:bottom, left:right] = True
    return Mask(pixels, "box")


@given(
    st.integers(40, 400),
    st.integers(40, 400),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    st.sampled_from([16, 64, 512]),
)
def test_any_crop_is_a_grid_that_holds_the_object(w: int, h: int, at: tuple, longest: int) -> None:
    x, y = int(at[0] * (w - 1)), int(at[1] * (h - 1))
    right, bottom = x + 1 + int(at[2] * (w - 1 - x)), y + 1 + int(at[3] * (h - 1 - y))
    options = GridOptions(longest, 8, Cropping.ON)
    if min(w, h) * longest < 10 * max(w, h):
        return
    pixel_map = grid_map("a", (w, h), 1, box((w, h), x, y, right, bottom), options)
    assert max(pixel_map.target_size) <= longest
    left, top, wide, high = pixel_map.crop
    # What the multiple cuts off is less than one of it.
    slack = 8 / min(pixel_map.scale)
    assert left - slack <= x
    assert top - slack <= y
    assert left + wide + slack >= right
    assert top + high + slack >= bottom


def test_cropping_is_decided_for_all_photos_by_what_it_buys() -> None:
    size, options = (1200, 900), GridOptions(300)
    small, large = box(size, 400, 300, 800, 600), box(size, 50, 50, 1150, 850)
    for masks, decision in (
        ([small] * 3, Cropping.ON),
        ([small, small, large], Cropping.ON),
        ([small, large, large], Cropping.OFF),
    ):
        decided, notices = with_decided_crop(options, masks)
        assert decided.crop is decision
        assert len(notices) == (decision is Cropping.ON)
    # 482 of 1200 pixels fill the grid.
    assert "2.5 times as large" in with_decided_crop(options, [small])[1][0].text


def test_a_stated_cropping_is_obeyed_and_auto_leaves_photos_without_masks_whole() -> None:
    small = box((1200, 900), 400, 300, 800, 600)
    for crop in (Cropping.ON, Cropping.OFF):
        assert with_decided_crop(GridOptions(crop=crop), [small]) == (GridOptions(crop=crop), ())
    assert with_decided_crop(GridOptions(), []) == (GridOptions(), ())


def test_a_photo_of_fewer_pixels_than_the_grid_is_not_cropped_for_nothing() -> None:
    small = box((400, 300), 100, 100, 200, 200)
    assert with_decided_crop(GridOptions(512), [small])[0].crop is Cropping.OFF
