"""Reading masks: size, polarity, thresholds, alpha."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from masks.errors import MaskError
from masks.given.look import PhotoShape
from masks.load import Polarity, load_masks, mask_from_alpha
from masks.notice import Level

DISC = np.hypot(*np.mgrid[-20:20, -30:30]) < 12  # (40, 60)


def write(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def shape(size: tuple[int, int] = (60, 40), orientation: int = 1) -> PhotoShape:
    return PhotoShape("a.jpg", size, orientation)


@pytest.mark.parametrize(
    "levels",
    [
        DISC * np.uint8(255),
        DISC * np.uint8(1),
        DISC * np.uint16(65535),
        np.stack([DISC * np.uint8(200)] * 3, -1),
    ],
    ids=["0/255", "0/1", "16 bit", "RGB"],
)
def test_masks_of_every_depth_are_the_same_mask(tmp_path: Path, levels: np.ndarray) -> None:
    (mask,), _ = load_masks([write(tmp_path / "a.png", levels)], [shape()], Polarity.AUTO)
    np.testing.assert_array_equal(mask.pixels, DISC)


def test_a_cut_out_counts_by_its_alpha(tmp_path: Path) -> None:
    rgba = np.full((40, 60, 4), 90, np.uint8)
    rgba[..., 3] = DISC * np.uint8(255)
    (mask,), _ = load_masks([write(tmp_path / "a.png", rgba)], [shape()], Polarity.AUTO)
    np.testing.assert_array_equal(mask.pixels, DISC)


def test_inverted_masks_are_recognised_by_the_border_and_said(tmp_path: Path) -> None:
    (mask,), notices = load_masks(
        [write(tmp_path / "a.png", ~DISC * np.uint8(255))], [shape()], Polarity.AUTO
    )
    np.testing.assert_array_equal(mask.pixels, DISC)
    assert [n.level for n in notices] == [Level.WARNING]


@pytest.mark.parametrize(("polarity", "expected"), [(Polarity.WHITE, DISC), (Polarity.BLACK, ~DISC)])
def test_a_stated_polarity_is_obeyed(tmp_path: Path, polarity: Polarity, expected: np.ndarray) -> None:
    (mask,), notices = load_masks([write(tmp_path / "a.png", DISC * np.uint8(255))], [shape()], polarity)
    np.testing.assert_array_equal(mask.pixels, expected)
    assert notices == ()


def test_an_object_cut_by_the_frame_in_one_view_does_not_turn_the_polarity(tmp_path: Path) -> None:
    full = np.ones((40, 60), bool)
    paths = [write(tmp_path / f"{k}.png", m * np.uint8(255)) for k, m in enumerate([DISC, full, DISC])]
    masks, _ = load_masks(paths, [shape()] * 3, Polarity.AUTO)
    assert masks[1].pixels.all()
    np.testing.assert_array_equal(masks[0].pixels, DISC)


def test_a_mask_of_another_size_is_resampled_and_reported(tmp_path: Path) -> None:
    (mask,), notices = load_masks(
        [write(tmp_path / "a.png", DISC * np.uint8(255))], [shape((120, 80))], Polarity.WHITE
    )
    assert mask.pixels.shape == (80, 120)
    assert abs(mask.coverage - DISC.mean()) < 0.02
    assert "60x40" in notices[0].text


def test_a_mask_of_another_aspect_ratio_is_an_error_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"60x40.*64x64"):
        load_masks([write(tmp_path / "a.png", DISC * np.uint8(255))], [shape((64, 64))], Polarity.WHITE)


def test_a_mask_stored_as_the_turned_file_is_turned(tmp_path: Path) -> None:
    (mask,), _ = load_masks(
        [write(tmp_path / "a.png", DISC * np.uint8(255))], [shape((40, 60), orientation=6)], Polarity.WHITE
    )
    np.testing.assert_array_equal(mask.pixels, np.rot90(DISC, -1))


def test_an_empty_mask_file_is_an_empty_mask(tmp_path: Path) -> None:
    (mask,), _ = load_masks(
        [write(tmp_path / "a.png", np.zeros((40, 60), np.uint8))], [shape()], Polarity.WHITE
    )
    assert not mask.pixels.any()


def test_alpha_is_turned_upright() -> None:
    assert mask_from_alpha(DISC * np.uint8(255), 6).pixels.shape == (60, 40)


def test_noise_in_an_empty_mask_is_no_object(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 4, DISC.shape, np.uint8)
    paths = [write(tmp_path / "a.png", noise), write(tmp_path / "b.png", DISC * np.uint8(255))]
    for order in (paths, paths[::-1]):
        masks = {mask.source: mask for mask in load_masks(order, [shape()] * 2, Polarity.WHITE)[0]}
        assert not masks["a.png"].pixels.any()
        np.testing.assert_array_equal(masks["b.png"].pixels, DISC)


def test_the_threshold_is_half_of_the_white_of_the_set(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(60, dtype=np.uint8), (40, 1))
    paths = [write(tmp_path / "a.png", ramp), write(tmp_path / "b.png", np.full((40, 60), 80, np.uint8))]
    masks, _ = load_masks(paths, [shape()] * 2, Polarity.WHITE)
    np.testing.assert_array_equal(masks[0].pixels, ramp > 40)
    assert masks[1].pixels.all()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_one_odd_value_of_a_float_mask_empties_no_mask(tmp_path: Path, odd: float) -> None:
    levels = DISC.astype(np.float32)
    spoilt = levels.copy()
    spoilt[0, 0] = odd
    paths = [write(tmp_path / "a.tif", spoilt), write(tmp_path / "b.tif", levels)]
    for order in (paths, paths[::-1]):
        for mask in load_masks(order, [shape()] * 2, Polarity.AUTO)[0]:
            assert mask.pixels[DISC].all()
            assert (mask.pixels & ~DISC).sum() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_file_is_turned_as_its_own_exif_asks(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = write(tmp_path / "a.png", (DISC & (np.arange(60) < 30)) * np.uint8(255), exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path))) > 127
    (mask,), _ = load_masks([path], [shape(upright.shape[::-1])], Polarity.WHITE)
    np.testing.assert_array_equal(mask.pixels, upright)
