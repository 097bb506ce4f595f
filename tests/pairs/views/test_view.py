"""What a view says of itself on its grid."""

import numpy as np

from masks.mask import Mask
from masks.pixelmap import PixelMap
from pairs.views.view import View, grid_K, grid_mask


def view(
    mask: np.ndarray | None = None, K: np.ndarray | None = None, pad: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> View:
    pixel_map = PixelMap((80, 40), 1, (20, 0, 40, 40), (20, 20), pad)
    w, h = pixel_map.target_size
    return View(
        "a",
        None,
        np.zeros((h, w, 3), np.uint8),
        pixel_map,
        None if mask is None else Mask(mask, "test"),
        "key",
        K=K,
    )


def test_stated_intrinsics_are_carried_to_the_grid() -> None:
    found = grid_K(view(K=np.array([[100.0, 0, 39.5], [0, 100, 19.5], [0, 0, 1]])))
    np.testing.assert_allclose(found, [[50, 0, 9.5], [0, 50, 9.5], [0, 0, 1]])
    assert grid_K(view()) is None


def test_the_mask_follows_the_crop_and_padding_is_background() -> None:
    mask = np.zeros((40, 80), bool)
    mask[:, :40] = True
    np.testing.assert_array_equal(grid_mask(view(mask)).sum(0), [20] * 10 + [0] * 10)
    whole = grid_mask(view(pad=(2, 0, 0, 1)))
    assert whole[:20, 2:].all()
    assert not whole[20:].any()
    assert not whole[:, :2].any()
