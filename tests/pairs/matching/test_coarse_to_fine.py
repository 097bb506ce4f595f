"""Matches at full resolution, from coarse ones and something that matches two crops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from masks.errors import ImageError
from masks.pixelmap import fit_longest
from pairs.matching.coarse_to_fine import CropPair, FineOptions, coarse_to_fine, in_photos
from pairs.matching.crops import Crop, FullPhoto, facing_crop
from pairs.matching.from_pointmaps import mutual_nearest
from pairs.prediction.predictions import Matches, join_matches

SHIFT = np.array([57, -31])
SIZE = (900, 1200)


def photos(K: np.ndarray | None = None) -> tuple[FullPhoto, FullPhoto]:
    """Return two photos of one plane, shifted; every pixel's colour says where on the plane it is."""
    row, column = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = np.zeros(SIZE, bool)
    inside[150:700, 200:1000] = True
    return tuple(
        FullPhoto(name, np.stack([x % 256, y % 256, x // 256 * 16 + y // 256], 2).astype(np.uint8), inside, K)
        for name, x, y in (("a", column, row + 100), ("b", column - SHIFT[0] + 0, row - SHIFT[1] + 100))
    )


def place(crop: Crop) -> np.ndarray:
    """Return where on the plane the pixels (N,) of a crop are, as one number each."""
    low_x, low_y, high = crop.image.reshape(-1, 3).astype(int).T
    return (low_x + high // 16 * 256) * 10_000 + low_y + high % 16 * 256


def by_colour(pairs: Sequence[CropPair]) -> list[Matches]:
    """Match two crops by their colours, some pixels of each."""
    found = []
    for a, b in pairs:
        _, at_a, at_b = np.intersect1d(place(a), place(b), return_indices=True)
        xy = [
            np.stack([at % crop.image.shape[1], at // crop.image.shape[1]], 1)[::97].astype(float)
            for at, crop in ((at_a, a), (at_b, b))
        ]
        found.append(Matches(xy[0], xy[1], np.ones(len(xy[0]))))
    return found


def coarse(count: int = 300) -> Matches:
    """Return coarse matches of the shift, up to four pixels off."""
    rng = np.random.default_rng(0)
    xy = rng.uniform([200, 150], [1000, 700], (count, 2))
    return Matches(xy, xy + SHIFT + rng.uniform(-4, 4, (count, 2)), np.ones(count))


def test_fine_matches_are_exact_where_coarse_ones_are_not():
    a, b = photos()
    found = coarse_to_fine(a, b, coarse(), by_colour)
    assert len(found.conf) > 5_000
    np.testing.assert_array_equal(found.xy_b - found.xy_a, np.tile(SHIFT, (len(found.conf), 1)))


def test_fine_matches_stay_inside_both_masks():
    a, b = photos()
    found = coarse_to_fine(a, b, coarse(), by_colour)
    for photo, xy in ((a, found.xy_a), (b, found.xy_b)):
        column, row = xy.astype(int).T
        assert photo.inside[row, column].all()


def test_batches_bound_what_is_matched_at_once_and_change_nothing():
    seen = []

    def watching(pairs: Sequence[CropPair]) -> list[Matches]:
        seen.append(len(pairs))
        assert all(crop.image.shape == (384, 512, 3) for pair in pairs for crop in pair)
        return by_colour(pairs)

    a, b = photos()
    whole, parts = (
        coarse_to_fine(a, b, coarse(), watching),
        coarse_to_fine(a, b, coarse(), watching, FineOptions(batch=2)),
    )
    np.testing.assert_array_equal(whole.xy_b, parts.xy_b)
    assert seen[0] == sum(seen[1:]) > 2
    assert max(seen[1:]) == 2


def test_few_coarse_matches_give_none():
    a, b = photos()
    assert len(coarse_to_fine(a, b, coarse(8), by_colour).conf) == 0
    assert len(coarse_to_fine(a, b, join_matches([]), by_colour).conf) == 0


def test_matches_in_turned_crops_go_to_the_photos_by_the_crops_own_homography():
    K = np.array([[1000.0, 0, 600], [0, 1000, 450], [0, 0, 1]])
    a, b = photos(K)
    truth = coarse()

    def known(pairs: Sequence[CropPair]) -> list[Matches]:
        return [Matches(seen(a, truth.xy_a), seen(b, truth.xy_b), truth.conf) for a, b in pairs]

    def seen(crop: Crop, xy: np.ndarray) -> np.ndarray:
        ahead = np.concatenate([xy, np.ones((len(xy), 1))], 1) @ np.linalg.inv(crop.photo_from_crop).T
        return ahead[:, :2] / ahead[:, 2:]

    found = coarse_to_fine(a, b, truth, known, FineOptions(cut=facing_crop))
    nearest, _ = mutual_nearest(found.xy_a, truth.xy_a)
    np.testing.assert_allclose(found.xy_a, truth.xy_a[nearest], atol=1e-8)
    np.testing.assert_allclose(found.xy_b, truth.xy_b[nearest], atol=1e-8)
    assert len(set(nearest.tolist())) > 0.7 * len(truth.conf)


def test_a_photo_smaller_than_a_crop_is_named():
    a, b = photos()
    small = FullPhoto("small.jpg", b.image[:300, :400], b.inside[:300, :400])
    with pytest.raises(ImageError, match=r"small\.jpg"):
        coarse_to_fine(a, small, coarse(), by_colour)


def test_matches_on_grids_go_to_the_photos_by_their_maps():
    grid = fit_longest((1200, 900), 400)
    found = in_photos(Matches(np.array([[0.0, 0]]), np.array([[399.0, 299]]), np.ones(1)), grid, grid)
    np.testing.assert_allclose(found.xy_a, [[1, 1]])
    np.testing.assert_allclose(found.xy_b, [[1198, 898]])
