"""Images of the networks: sizes, pixels, and masks and intrinsics that follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from masks.errors import ImageError
from masks.fill import constant, mean
from masks.pixelmap import to_source, to_target
from pairs.backends.dust3r.images import (
    NetworkGrid,
    network_frame,
    network_input,
    network_map,
    normalised,
    on_network_grid,
    photo_on_grid,
)
from pairs.views.grid import GridOptions
from pairs.views.load import LoadOptions, load_views
from pairs.views.view import View, grid_K, grid_mask

sides = st.integers(64, 4000)


@given(sides, sides, st.booleans())
def test_frames_lie_inside_and_are_whole_patches(w, h, square_ok):
    frame = network_frame((w, h), NetworkGrid(512, square_ok))
    left, top, right, bottom = frame.box
    assert 0 <= left <= right <= frame.resized[0]
    assert 0 <= top <= bottom <= frame.resized[1]
    assert frame.size[0] % 16 == frame.size[1] % 16 == 0
    assert max(frame.resized) == 512


@given(st.integers(100, 4000), st.integers(100, 4000))
def test_the_small_network_sees_squares(w, h):
    assume(max(w, h) <= 4 * min(w, h))
    assert network_frame((w, h), NetworkGrid(224)).size == (224, 224)


def test_squares_become_four_to_three_unless_they_may_stay():
    assert network_frame((900, 900), NetworkGrid(512)).size == (512, 384)
    assert network_frame((900, 900), NetworkGrid(512, square_ok=True)).size == (512, 512)


@pytest.mark.parametrize(
    ("size", "grid"), [((2000, 50), NetworkGrid(512)), ((900, 900), NetworkGrid(518, patch=14))]
)
def test_a_photo_that_leaves_no_whole_patches_is_named(size, grid):
    with pytest.raises(ImageError, match=r"a\.jpg.*whole patches"):
        network_map("a.jpg", size, 1, grid)


@given(sides, sides, st.integers(1, 8), st.sampled_from([224, 512]))
def test_positions_go_to_the_resized_and_cut_photo(w, h, orientation, size):
    grid = NetworkGrid(size)
    assume(max(w, h) <= 25 * min(w, h))  # more extreme ones leave no whole patch
    pixel_map = network_map("a", (w, h), orientation, grid)
    upright = (h, w) if orientation >= 5 else (w, h)
    frame = network_frame(upright, grid)
    assert pixel_map.target_size == frame.size
    scale = np.array(frame.resized) / upright
    xy = np.array([[10.0, 20], [0, 0]])
    np.testing.assert_allclose(
        to_target(pixel_map.ideal(), xy), (xy + 0.5) * scale - 0.5 - frame.box[:2], atol=1e-9
    )
    np.testing.assert_allclose(to_source(pixel_map, to_target(pixel_map, xy)), xy, atol=1e-8)


def views_of(folder: Path, orientation: int = 1, masked: bool = True) -> tuple[View, ...]:
    """Write two photos of 300 x 200 as shown, whose object is a bright rectangle, and load them."""
    for k in range(2):
        pixels = np.random.default_rng(k).integers(0, 60, (200, 300, 3), np.uint8)
        pixels[50:120, 100:250] += 150
        mask = np.zeros((200, 300), np.uint8)
        mask[50:120, 100:250] = 255
        stored = Image.fromarray(pixels)
        exif = Image.Exif()
        exif[0x0112] = orientation
        if orientation == 6:
            stored = stored.transpose(Image.Transpose.ROTATE_90)
        stored.save(folder / f"{k}.png", exif=exif)
        if masked:
            Image.fromarray(mask).save(folder / f"{k}_mask.png")
    views, _ = load_views(
        [folder / f"{k}.png" for k in range(2)],
        "auto" if masked else "none",
        LoadOptions(grid=GridOptions(longest=256)),
    )
    return views


@pytest.mark.parametrize("orientation", [1, 6])
def test_masks_and_intrinsics_follow_to_the_networks_grid(tmp_path, orientation):
    view = views_of(tmp_path, orientation)[0]
    on_grid = on_network_grid(view, NetworkGrid(512))
    assert on_grid.image.shape == (336, 512, 3)
    mask = grid_mask(on_grid)
    assert mask.shape == (336, 512)
    bright = on_grid.image.mean(2) > 120
    assert (mask == bright).mean() > 0.99
    K = np.array([[300.0, 0, 149.5], [0, 300, 99.5], [0, 0, 1]])
    moved = grid_K(replace(on_grid, K=K))
    np.testing.assert_allclose(moved[0, 0], 300 * 512 / 300)
    np.testing.assert_allclose(moved[:2, 2], [255.5, 167.5], atol=0.6)
    assert on_grid.grid_key != view.grid_key


def test_the_pixels_are_pillows(tmp_path):
    view = views_of(tmp_path)[0]
    photo = np.asarray(Image.open(view.path))
    for size, resampling in ((128, Image.Resampling.LANCZOS), (512, Image.Resampling.BICUBIC)):
        grid = NetworkGrid(size)
        frame = network_frame((300, 200), grid)
        expected = np.asarray(Image.fromarray(photo).resize(frame.resized, resampling).crop(frame.box))
        np.testing.assert_array_equal(photo_on_grid(photo, network_map("a", (300, 200), 1, grid)), expected)
        np.testing.assert_array_equal(on_network_grid(view, grid).image, expected)


def test_the_input_is_between_minus_one_and_one():
    image = np.zeros((16, 32, 3), np.uint8)
    image[..., 1], image[..., 2] = 255, 51
    tensor = normalised(image)
    assert tensor.shape == (1, 3, 16, 32)
    assert tensor.dtype == torch.float32
    assert torch.allclose(tensor[0, :, 0, 0], torch.tensor([-1.0, 1.0, -0.6]))


def test_no_bit_of_the_input_depends_on_a_filled_background(tmp_path):
    inputs = []
    for k in range(2):
        folder = tmp_path / str(k)
        folder.mkdir()
        view = views_of(folder)[0]
        assert view.path is not None
        pixels = np.array(Image.open(view.path))
        background = np.array(Image.open(folder / "0_mask.png")) == 0
        pixels[background] = 40 * k
        Image.fromarray(pixels).save(view.path)
        view = load_views(
            [folder / "0.png", folder / "1.png"], "auto", LoadOptions(grid=GridOptions(longest=256))
        )[0][0]
        on_grid = on_network_grid(view, NetworkGrid(128))
        inputs.append([network_input(on_grid, fill) for fill in (mean, constant)])
        assert not torch.equal(inputs[-1][0], network_input(on_grid))
    for one, other in zip(*inputs):
        assert torch.equal(one, other)


def test_without_a_mask_there_is_nothing_to_fill(tmp_path):
    on_grid = on_network_grid(views_of(tmp_path, masked=False)[0], NetworkGrid(128))
    assert torch.equal(network_input(on_grid, mean), normalised(on_grid.image))
