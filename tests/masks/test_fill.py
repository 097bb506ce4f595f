"""What stands in the background of a photo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masks.errors import UserError
from masks.fill import FILLS, GREY, constant, extend_nearest, fill_named, mean, nearest

seeds = st.integers(0, 2**32 - 1)


def random_photo(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A noisy photo and a mask of random blobs, which may be empty, full or a single pixel."""
    h, w = rng.integers(8, 40, 2)
    coarse = rng.random((h // 4 + 1, w // 4 + 1)) < rng.choice([0.0, 0.1, 0.5, 1.0])
    mask = np.kron(coarse, np.ones((4, 4), bool))[:h, :w]
    return rng.integers(0, 256, (h, w, 3), dtype=np.uint8), mask


@pytest.mark.parametrize("name", [name for name in FILLS if name != "keep"])
@settings(max_examples=40)
@given(seed=seeds)
def test_changing_the_background_changes_no_bit_of_a_filled_photo(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    photo, mask = random_photo(rng)
    other = np.where(mask[..., None], photo, rng.integers(0, 256, photo.shape, dtype=np.uint8))
    assert np.array_equal(FILLS[name](photo, mask), FILLS[name](other, mask))


@pytest.mark.parametrize("name", list(FILLS))
@settings(max_examples=20)
@given(seed=seeds)
def test_the_object_keeps_its_pixels(name: str, seed: int) -> None:
    photo, mask = random_photo(np.random.default_rng(seed))
    before = photo.copy()
    filled = FILLS[name](photo, mask)
    assert filled.dtype == np.uint8
    assert np.array_equal(filled[mask], photo[mask])
    assert np.array_equal(photo, before)


def test_the_nearest_fill_extends_each_side_of_the_object() -> None:
    photo = np.full((60, 60, 3), 200, np.uint8)
    photo[:, :30], photo[:, 30:] = (250, 0, 0), (0, 0, 250)
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    filled = nearest(photo, mask)
    assert np.array_equal(filled[30, 2], (250, 0, 0))
    assert np.array_equal(filled[30, 57], (0, 0, 250))


def test_the_nearest_fill_makes_no_edge_along_the_silhouette() -> None:
    ramp = np.repeat(np.arange(80, dtype=np.uint8)[None] * 3, 50, axis=0)
    photo = np.repeat(ramp[..., None], 3, axis=2)
    mask = np.zeros((50, 80), bool)
    mask[10:40, 20:60] = True
    step_at_rim = np.abs(np.diff(nearest(photo, mask).astype(int)[25, :, 0]))
    assert step_at_rim.max() <= 6
    assert np.abs(np.diff(constant(photo, mask).astype(int)[25, :, 0])).max() > 30


def test_the_nearest_value_is_taken_in_every_channel() -> None:
    values = np.zeros((1, 9), np.float32)
    values[0, [1, 7]] = 3, 5
    extended = extend_nearest(values, values > 0)
    np.testing.assert_array_equal(extended[0, [0, 1, 2, 3, 5, 6, 7, 8]], [3, 3, 3, 3, 5, 5, 5, 5])
    stacked = extend_nearest(np.stack([values, 2 * values], -1), values > 0)
    np.testing.assert_array_equal(stacked, np.stack([extended, 2 * extended], -1))


def test_an_empty_mask_fills_everything_with_grey() -> None:
    photo, nothing = np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), bool)
    for name in ("constant", "mean", "blur", "nearest"):
        assert (FILLS[name](photo, nothing) == GREY).all()


def test_the_mean_fill_is_the_objects_mean() -> None:
    photo = np.zeros((4, 4, 3), np.uint8)
    photo[0], photo[1] = 100, 200
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    assert (mean(photo, mask)[2:] == 150).all()


def test_an_unknown_fill_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="nearest"):
        fill_named("white")
