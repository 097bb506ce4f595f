"""Laws of the map between file pixels and grid pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masks.lens import Lens, ideal_frame
from masks.pixelmap import (
    PixelMap,
    fit_longest,
    identity,
    image_to_source,
    image_to_target,
    intrinsics_to_source,
    intrinsics_to_target,
    present,
    to_source,
    to_target,
)


@st.composite
def pixel_maps(draw: st.DrawFn) -> PixelMap:
    """Any chain of turn, crop, scale, trim and pad."""
    w, h = draw(st.integers(4, 60)), draw(st.integers(4, 60))
    orientation = draw(st.integers(1, 8))
    upright_w, upright_h = (h, w) if orientation >= 5 else (w, h)
    x, y = draw(st.integers(0, upright_w - 2)), draw(st.integers(0, upright_h - 2))
    crop = (x, y, draw(st.integers(1, upright_w - x)), draw(st.integers(1, upright_h - y)))
    scaled = (draw(st.integers(1, 50)), draw(st.integers(1, 50)))
    pad = tuple(draw(st.integers(0, 5)) for _ in range(4))
    left, top = (draw(st.integers(0, side - 1)) for side in scaled)
    trim = (left, top, draw(st.integers(0, scaled[0] - left - 1)), draw(st.integers(0, scaled[1] - top - 1)))
    return PixelMap((w, h), orientation, crop, scaled, pad, trim if draw(st.booleans()) else (0, 0, 0, 0))


@given(pixel_maps(), st.integers(0, 2**32 - 1))
def test_points_come_back_exactly(pixel_map: PixelMap, seed: int) -> None:
    xy = np.random.default_rng(seed).uniform(-20, 80, (7, 2))
    np.testing.assert_allclose(to_source(pixel_map, to_target(pixel_map, xy)), xy, atol=1e-9)


@given(pixel_maps(), st.integers(0, 2**32 - 1))
def test_intrinsics_and_points_agree(pixel_map: PixelMap, seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = np.array(
        [
            [rng.uniform(20, 90), 0, rng.uniform(0, 50)],
            [0, rng.uniform(20, 90), rng.uniform(0, 50)],
            [0, 0, 1],
        ]
    )
    point = np.array([*rng.uniform(-1, 1, 2), rng.uniform(1, 3)])
    in_file = K @ point
    in_target = intrinsics_to_target(pixel_map, K) @ (pixel_map.axes_turn @ point)
    np.testing.assert_allclose(
        in_target[:2] / in_target[2], to_target(pixel_map, in_file[:2] / in_file[2]), atol=1e-8
    )
    np.testing.assert_allclose(
        intrinsics_to_source(pixel_map, intrinsics_to_target(pixel_map, K)), K, atol=1e-9
    )


def with_lens(orientation: int) -> PixelMap:
    source = (320, 240)
    upright = identity(source, orientation).upright_size
    K = np.array([[300.0, 0, upright[0] / 2 - 5], [0, 300.0, upright[1] / 2 + 3], [0, 0, 1]])
    frame = ideal_frame(Lens("OPENCV", (-0.15, 0.05, 0.002, -0.003)), K, upright)
    w, h = frame.ideal_size
    return PixelMap(
        source, orientation, (2, 1, w - 4, h - 3), (w // 2, h // 2), (1, 2, 3, 4), (2, 2, 2, 2), frame
    )


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_points_come_back_through_a_lens(orientation: int, seed: int) -> None:
    xy = np.random.default_rng(seed).uniform(0, (319, 239), (20, 2))
    pixel_map = with_lens(orientation)
    np.testing.assert_allclose(to_source(pixel_map, to_target(pixel_map, xy)), xy, atol=1e-6)


def test_a_picture_lands_where_its_points_land_through_a_lens() -> None:
    x, y = np.meshgrid(np.arange(320), np.arange(240))
    pixel_map = with_lens(6)
    target = image_to_target(pixel_map, np.stack([x, y], -1).astype(np.float32))
    seen = np.array([[20.0, 30], [60, 80], [90, 120]])
    shown = to_source(pixel_map, seen)
    found = np.array([target[int(v), int(u)] for u, v in seen])
    # Half the size averages 2 x 2 pixels, over which the lens is straight.
    np.testing.assert_allclose(found, shown, atol=0.05)


def test_what_a_lens_does_not_show_is_absent() -> None:
    pixel_map = with_lens(1)
    inside = present(pixel_map)
    w, h = pixel_map.target_size
    assert inside.shape == (h, w)
    assert inside[h // 2, w // 2]
    assert not inside[:2].any()  # padding
    everything = image_to_target(pixel_map, np.ones((240, 320), bool))
    np.testing.assert_array_equal(everything, inside)


@given(st.integers(1, 8), st.integers(3, 9), st.integers(3, 9))
def test_a_turned_picture_lands_where_its_points_land(orientation: int, w: int, h: int) -> None:
    image = np.arange(w * h, dtype=np.uint8).reshape(h, w)
    pixel_map = identity((w, h), orientation)
    turned = image_to_target(pixel_map, image)
    for x, y in ((0, 0), (w - 1, 0), (0, h - 1), (w // 2, h // 2)):
        tx, ty = np.rint(to_target(pixel_map, np.array([x, y]))).astype(int)
        assert turned[ty, tx] == image[y, x]
    np.testing.assert_array_equal(image_to_source(pixel_map, turned), image)


def test_resize_keeps_pixel_centres_at_integers() -> None:
    pixel_map = fit_longest((640, 480), 320)
    np.testing.assert_allclose(
        to_target(pixel_map, np.array([[-0.5, -0.5], [639.5, 479.5], [0, 0]])),
        [[-0.5, -0.5], [319.5, 239.5], [-0.25, -0.25]],
    )


def test_pictures_are_never_enlarged_by_fit_longest() -> None:
    assert fit_longest((300, 200), 512).target_size == (300, 200)


@st.composite
def moderate_maps(draw: st.DrawFn) -> PixelMap:
    """A chain that leaves pixels away from every border, with scales between 0.4 and 3."""
    crop = (
        draw(st.integers(0, 5)),
        draw(st.integers(0, 5)),
        draw(st.integers(20, 40)),
        draw(st.integers(20, 40)),
    )
    upright = tuple(crop[side] + crop[2 + side] + draw(st.integers(0, 5)) for side in (0, 1))
    orientation = draw(st.integers(1, 8))
    scaled = tuple(draw(st.integers(2 * side // 5 + 1, 3 * side)) for side in crop[2:])
    pad, trim = (tuple(draw(st.integers(0, most)) for _ in range(4)) for most in (4, 1))
    return PixelMap(upright[::-1] if orientation >= 5 else upright, orientation, crop, scaled, pad, trim)


def positions(size: tuple[int, int]) -> np.ndarray:
    """The (x, y) of every pixel, as a picture (H, W, 2): a ramp whose value says where it was sampled."""
    return np.stack(np.meshgrid(*(np.arange(side, dtype=np.float32) for side in size)), -1)


# In pixels of the picture that is sampled. OpenCV's area average takes a pixel as constant: off by up to 1/12
# on a ramp; its cubic kernel (a = -0.75) by up to 0.05. Centres half a pixel off move a ramp by
# (1 - 1 / scale) / 2: 0.75 at a scale of 0.4.
SAMPLING_ERROR = 0.09


@given(moderate_maps())
def test_a_picture_is_sampled_where_the_map_says(pixel_map: PixelMap) -> None:
    target = image_to_target(pixel_map, positions(pixel_map.source_size))
    source_xy = to_source(pixel_map, positions(pixel_map.target_size))
    inner = away_from_borders(pixel_map, source_xy)
    assert inner.any()
    np.testing.assert_allclose(target[inner], source_xy[inner], atol=SAMPLING_ERROR)


@given(moderate_maps())
def test_a_picture_comes_back_to_where_the_map_says(pixel_map: PixelMap) -> None:
    source = image_to_source(pixel_map, positions(pixel_map.target_size))
    source_xy = positions(pixel_map.source_size)
    inner = away_from_borders(pixel_map, source_xy)
    assert inner.any()
    np.testing.assert_allclose(source[inner], to_target(pixel_map, source_xy)[inner], atol=SAMPLING_ERROR)


def away_from_borders(pixel_map: PixelMap, source_xy: np.ndarray) -> np.ndarray:
    """Tell which positions (..., 2) of the file no kernel of three pixels, of either picture, joins with what
    crop and trim cut off.
    """
    upright_xy = to_target(identity(pixel_map.source_size, pixel_map.orientation), source_xy)
    crop, scale = np.array(pixel_map.crop), np.array(pixel_map.scale)
    low = crop[:2] - 0.5 + pixel_map.trim[:2] / scale
    high = crop[:2] + crop[2:] - 0.5 - pixel_map.trim[2:] / scale
    margin = 2.5 * np.maximum(1, 1 / scale)
    return ((upright_xy >= low + margin) & (upright_xy <= high - margin)).all(-1)


def test_a_boolean_picture_stays_boolean_by_majority() -> None:
    mask = np.zeros((4, 4), bool)
    mask[:, :3] = True
    small = image_to_target(PixelMap((4, 4), 1, (0, 0, 4, 4), (2, 2)), mask)
    assert small.dtype == bool
    np.testing.assert_array_equal(
        small, [[True, True], [True, True]]
    )  # half of the right column's area is object


def test_padding_takes_the_fill_value() -> None:
    padded = image_to_target(
        PixelMap((2, 2), 1, (0, 0, 2, 2), (2, 2), (1, 0, 0, 2)), np.full((2, 2), 9, np.uint8), fill=4
    )
    np.testing.assert_array_equal(padded, [[4, 9, 9], [4, 9, 9], [4, 4, 4], [4, 4, 4]])


def test_a_trimmed_picture_is_a_part_of_the_untrimmed_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    whole = PixelMap((40, 30), 1, (0, 0, 40, 30), (32, 24))
    trimmed = PixelMap((40, 30), 1, (0, 0, 40, 30), (32, 24), (1, 0, 0, 0), (3, 2, 5, 4))
    assert trimmed.target_size == (25, 18)
    np.testing.assert_array_equal(
        image_to_target(trimmed, image)[:, 1:], image_to_target(whole, image)[2:20, 3:27]
    )


def test_what_was_trimmed_comes_back_as_the_fill_and_does_not_bleed() -> None:
    pixel_map = PixelMap((40, 30), 1, (0, 0, 40, 30), (20, 15), trim=(2, 3, 4, 5))
    back = image_to_source(pixel_map, np.full((7, 14), 9.0, np.float32), fill=-1)
    assert set(np.unique(back)) == {-1.0, 9.0}
    np.testing.assert_array_equal(np.argwhere(back == 9)[[0, -1]], [[6, 4], [19, 31]])
    everything = image_to_source(pixel_map, np.ones((7, 14), bool))
    np.testing.assert_array_equal(everything, back == 9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"orientation": 9, "crop": (0, 0, 4, 4), "scaled_size": (4, 4)},
        {"orientation": 1, "crop": (1, 0, 4, 4), "scaled_size": (4, 4)},
        {"orientation": 1, "crop": (0, 0, 4, 4), "scaled_size": (0, 4)},
        {"orientation": 1, "crop": (0, 0, 4, 4), "scaled_size": (4, 4), "trim": (2, 0, 2, 0)},
        {"orientation": 1, "crop": (0, 0, 4, 4), "scaled_size": (4, 4), "trim": (-1, 0, 0, 0)},
    ],
)
def test_impossible_maps_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"EXIF|crop"):
        PixelMap(source_size=(4, 4), **wrong)
