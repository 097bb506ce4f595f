"""Features of one picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.features import detect
from pairs.backends.classical.sfm.working_image import WorkingImage


def noise(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Smooth noise (h, w) uint8 with many features."""
    smooth = gaussian_filter(rng.normal(size=(h, w)), 2)
    return np.clip(127 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [3.0, 6.0])
def test_positions_are_not_biased(sigma: float) -> None:
    y, x = np.mgrid[:160, :160]
    blob = 40 + 180 * np.exp(-((x - 80.3) ** 2 + (y - 77.6) ** 2) / (2 * sigma**2))
    found = detect(WorkingImage(blob.astype(np.uint8), None), SolveOptions())
    np.testing.assert_allclose(np.median(found.xy, axis=0), (80.3, 77.6), atol=0.05)


def test_features_keep_away_from_the_masks_edge_and_positions_are_those_of_the_whole_picture() -> None:
    grey = noise(np.random.default_rng(0), 300, 400)
    mask = np.zeros(grey.shape, bool)
    mask[120:260, 150:330] = True
    found = detect(WorkingImage(grey, mask), SolveOptions())
    assert len(found) > 50
    assert (found.xy >= (152, 122)).all()
    assert (found.xy <= (327, 257)).all()
    everywhere = detect(WorkingImage(grey, None), SolveOptions())
    nearest = np.linalg.norm(found.xy[:, None] - everywhere.xy[None], axis=2).min(1)
    assert np.median(nearest) < 0.1


def test_the_strongest_features_are_kept() -> None:
    picture = WorkingImage(noise(np.random.default_rng(0), 200, 200), None)
    everything = detect(picture, SolveOptions())
    few = detect(picture, SolveOptions(features_unmasked=20))
    assert len(few) == 20 < len(everything)
    assert np.array_equal(few.xy, everything.xy[:20])
    assert np.array_equal(few.descriptors, everything.descriptors[:20])


def test_an_empty_mask_and_a_blank_picture_have_no_features() -> None:
    blank = np.full((60, 60), 80, np.uint8)
    for mask in (None, np.zeros((60, 60), bool), np.ones((60, 60), bool)):
        assert detect(WorkingImage(blank, mask), SolveOptions()).descriptors.shape == (0, 128)
