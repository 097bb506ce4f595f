"""What a set of masks costs in memory: bits, not bytes, and never all files at once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from masks.load import PhotoShape, Polarity, load_masks
from masks.mask import Mask

SIZE = (640, 480)
PIXELS = SIZE[0] * SIZE[1]
OBJECT = np.hypot(*np.mgrid[-240:240, -320:320]) < 150


def growth(work: Callable[[int], object]) -> float:
    """Return the bytes that the peak of `work` grows by per unit of its argument."""
    peaks = []
    for count in (4, 20):
        tracemalloc.start()
        kept = work(count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        del kept
    return (peaks[1] - peaks[0]) / 16


@pytest.fixture
def files(tmp_path: Path) -> Callable[[int, np.dtype], list[Path]]:
    def write(count: int, dtype: np.dtype) -> list[Path]:
        for k in range(count):
            Image.fromarray(OBJECT * dtype.type(np.iinfo(dtype).max)).save(tmp_path / f"{k}.png")
        return [tmp_path / f"{k}.png" for k in range(count)]

    return write


@pytest.mark.parametrize("dtype", [np.dtype(np.uint8), np.dtype(np.uint16)], ids=str)
@pytest.mark.parametrize("polarity", list(Polarity))
def test_a_further_mask_costs_a_bit_a_pixel(files, dtype, polarity):
    paths = files(20, dtype)
    photos = [PhotoShape(path.name, SIZE, 1) for path in paths]
    per_mask = growth(lambda count: load_masks(paths[:count], photos[:count], polarity))
    # An inverted set is made from one whose bits are still there.
    assert per_mask < 2.2 * PIXELS / 8


def test_a_mask_is_held_as_bits():
    mask = Mask(OBJECT, "a.png")
    assert mask.bits.nbytes == PIXELS / 8
    np.testing.assert_array_equal(mask.pixels, OBJECT)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 8), (0, 4)])
def test_bits_give_back_the_pixels_of_any_shape(shape):
    pixels = np.random.default_rng(0).random(shape) < 0.5
    mask = Mask(pixels, "a.png")
    assert mask.pixels.dtype == bool
    np.testing.assert_array_equal(mask.pixels, pixels)
