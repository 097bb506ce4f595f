"""Photos as VGGT sees them: sizes, and pixels that can be found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from masks.errors import ImageError
from masks.fill import mean
from masks.pixelmap import to_source, to_target
from pairs.backends.vggt.images import (
    VggtGrid,
    common_size,
    on_vggt_grid,
    opaque,
    photo_on_grid,
    square_image,
    stacked,
    vggt_input,
    vggt_map,
)
from pairs.views.load import load_views
from pairs.views.view import View, grid_mask

CROP, PAD = VggtGrid("crop"), VggtGrid("pad")
sides = st.integers(100, 4000)


@given(sides, sides, st.sampled_from([CROP, PAD]), st.integers(1, 8))
def test_images_are_whole_patches_as_wide_as_the_network_wants(w, h, grid, orientation):
    assume(max(w, h) <= 30 * min(w, h))  # more extreme ones leave no patch
    pixel_map = vggt_map("a", (w, h), orientation, grid)
    width, height = pixel_map.target_size
    assert width == 518
    assert height % 14 == 0
    assert height <= 518
    assert grid.mode == "crop" or height == 518
    assert max(pixel_map.scaled_size) == 518 or grid.mode == "crop"


@given(sides, sides, st.sampled_from([CROP, PAD]), st.integers(1, 8))
def test_pixels_are_found_again(w, h, grid, orientation):
    assume(max(w, h) <= 30 * min(w, h))
    pixel_map = vggt_map("a", (w, h), orientation, grid)
    xy = np.array([[10.0, 20], [0, 0]])
    np.testing.assert_allclose(to_source(pixel_map, to_target(pixel_map, xy)), xy, atol=1e-8)


@pytest.mark.parametrize("size", [(4000, 40), (40, 4000)])
def test_a_photo_that_leaves_no_patch_is_named(size):
    with pytest.raises(ImageError, match=r"a\.jpg: 4.* less than one patch"):
        vggt_map("a.jpg", size, 1, PAD)


def test_a_tall_photo_loses_top_and_bottom_and_a_low_one_keeps_all():
    tall, low = vggt_map("a", (300, 500), 1, CROP), vggt_map("a", (500, 300), 1, CROP)
    assert tall.target_size == (518, 518)
    assert tall.trim == (0, 175, 0, 175)
    assert low.target_size == (518, 308)
    assert not any(low.trim)


def test_a_scene_of_several_sizes_gets_bars():
    maps = common_size([vggt_map("a", size, 1, CROP) for size in ((500, 300), (300, 500), (500, 200))])
    assert {pixel_map.target_size for pixel_map in maps} == {(518, 518)}
    assert maps[0].pad == (0, 105, 0, 105)
    assert not any(maps[1].pad)


def photos(folder: Path, sizes: list[tuple[int, int]], background: int = 20) -> tuple[View, ...]:
    """Write photos whose object is a bright rectangle in the middle, and load them with their masks."""
    for k, (w, h) in enumerate(sizes):
        pixels, mask = np.full((h, w, 3), background, np.uint8), np.zeros((h, w), np.uint8)
        inside = np.s_[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4]
        pixels[inside], mask[inside] = 200 + k, 255
        Image.fromarray(pixels).save(folder / f"{k}.png")
        Image.fromarray(mask).save(folder / f"{k}_mask.png")
    views, _ = load_views([folder / f"{k}.png" for k in range(len(sizes))])
    return views


@pytest.mark.parametrize("grid", [VggtGrid("crop", 140), VggtGrid("pad", 140)])
def test_masks_follow_and_bars_are_white_background(tmp_path, grid):
    views = photos(tmp_path, [(300, 200), (200, 300)])
    placed = on_vggt_grid(views, grid)
    assert {view.image.shape for view in placed} == {(140, 140, 3)}
    for view, original in zip(placed, views):
        mask = grid_mask(view)
        bright = (view.image.mean(2) > 120) & (view.image.mean(2) < 230)
        assert (mask == bright).mean() > 0.97
        left, top, _, _ = view.pixel_map.pad
        assert (view.image[:top] == 255).all()
        assert (view.image[:, :left] == 255).all()
        assert view.grid_key != original.grid_key
    images = vggt_input(placed)
    assert images.shape == (2, 3, 140, 140)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1


def test_no_bit_of_the_input_depends_on_a_filled_background(tmp_path):
    inputs = []
    for background in (0, 90):
        folder = tmp_path / str(background)
        folder.mkdir()
        inputs.append(
            vggt_input(
                on_vggt_grid(photos(folder, [(300, 200)] * 2, background), VggtGrid("crop", 140)), mean
            )
        )
    assert torch.equal(*inputs)


def test_transparent_parts_are_white_and_grey_has_three_channels():
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0, :, 3] = 255
    assert opaque(picture)[0].tolist() == [[0] * 3] * 2
    assert opaque(picture)[1].tolist() == [[255] * 3] * 2
    assert opaque(np.array([[7]], np.uint8)).tolist() == [[[7, 7, 7]]]


def test_a_square_image_has_black_bars_that_need_not_be_whole_pixels():
    photo = np.full((60, 81, 3), 255, np.uint8)
    image, frame = square_image(photo, 64)
    assert image.shape == (64, 64, 3)
    assert (frame.left, frame.right) == (0, 64)
    assert frame.top == pytest.approx(10 * 64 / 81)
    assert frame.bottom == pytest.approx(70 * 64 / 81)
    assert (image[:7] == 0).all()
    assert (image[20:40] == 255).all()


def test_resampling_is_pillows_on_bytes():
    photo = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    pixel_map = vggt_map("a", (70, 50), 1, VggtGrid("crop", 140))
    expected = np.asarray(Image.fromarray(photo).resize(pixel_map.scaled_size, Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(photo_on_grid(photo, pixel_map), expected)
    assert torch.equal(stacked([expected])[0, 0], torch.from_numpy(expected[..., 0].astype(np.float32)) / 255)
