"""The backdrop that stands still, and what differs from it."""

from __future__ import annotations

import numpy as np
import pytest
from still_backdrops import SIZE, StillSet, disc_before, plain_backdrop, textured_backdrop

from masks.errors import ImageError
from masks.making.plate import EMPTY, STILL, plate_evidence, plate_from_empty, plate_of


def disagreement(still: StillSet, logits: tuple[np.ndarray, ...]) -> float:
    """Return the share of pixels, a rim of two apart, whose evidence has the wrong sign."""
    wrong = [np.abs(e) > 0.3 for e in logits]
    wrong = [w & ((e > 0) != mask) for w, e, mask in zip(wrong, logits, still.masks)]
    return float(np.mean(wrong))


def test_the_plate_is_the_backdrop_although_the_disc_hides_it_in_turn() -> None:
    backdrop = textured_backdrop()
    plate = plate_of(disc_before(backdrop).photos)
    always = np.abs(plate.colour - backdrop).max(axis=2)[plate.support > 0.6]
    # Smoothing moves it at the edges of blocks.
    assert np.median(always) < 5
    assert (plate.support > 0.6).mean() > 0.7
    np.testing.assert_array_equal(plate.gains, 1)


@pytest.mark.parametrize("num_views", [12, 60])
def test_evidence_has_the_sign_of_the_object(num_views: int) -> None:
    still = disc_before(textured_backdrop(), num_views)
    evidence = plate_evidence(still.photos, plate_of(still.photos), STILL)
    assert disagreement(still, evidence.logits) < 0.02
    assert evidence.road == STILL
    assert all(e.dtype == np.float32 and np.abs(e).max() <= 5 for e in evidence.logits)


def test_a_pixel_that_the_object_always_hides_speaks_for_the_object() -> None:
    still = disc_before(textured_backdrop())
    evidence = plate_evidence(still.photos, plate_of(still.photos), STILL)
    assert np.logical_and.reduce(still.masks)[60, 80]
    assert np.median([e[57:63, 77:83] for e in evidence.logits]) > 0


def test_exposures_that_flicker_are_found() -> None:
    gains = np.exp(np.random.default_rng(3).uniform(-0.25, 0.25, 12))
    still = disc_before(textured_backdrop(), gains=gains)
    plate = plate_of(still.photos)
    relative = plate.gains / gains[:, None]
    assert np.ptp(relative) / relative.mean() < 0.02
    assert disagreement(still, plate_evidence(still.photos, plate, STILL).logits) < 0.03


@pytest.mark.parametrize("grey", [3.0, 252.0])
def test_exposure_never_maps_the_object_onto_a_black_or_white_backdrop(grey: float) -> None:
    still = disc_before(plain_backdrop(grey), noise=0.5)
    plate = plate_of(still.photos)
    np.testing.assert_allclose(plate.gains, 1, atol=0.02)
    missing = [m & (e < 0) for m, e in zip(still.masks, plate_evidence(still.photos, plate, STILL).logits)]
    assert np.mean(missing) < 0.002


def test_a_shadow_on_texture_is_backdrop_and_on_a_plain_colour_unknown() -> None:
    shade = np.ones((*SIZE, 1))
    shade[:40] = 0.6
    for backdrop, low, high in ((textured_backdrop(), -4, 0.0), (plain_backdrop(), -0.5, 0.5)):
        plate = plate_of(disc_before(backdrop).photos)
        shadowed = np.clip(backdrop * shade, 0, 255).astype(np.uint8)
        (logits,) = plate_evidence((shadowed,), plate, STILL).logits
        assert low < np.median(logits[5:35, 5:40]) < high


def test_an_empty_photo_takes_the_plates_place_for_few_photos() -> None:
    backdrop = textured_backdrop()
    still = disc_before(backdrop, num_views=3, gains=np.array([1.0, 0.85, 1.1]))
    empty = np.clip(backdrop, 0, 255).astype(np.uint8)
    plate = plate_from_empty(empty, still.photos)
    assert plate.sure.min() == 1
    assert disagreement(still, plate_evidence(still.photos, plate, EMPTY).logits) < 0.02


def test_an_empty_photo_is_moved_by_the_pixels_that_the_camera_was_touched() -> None:
    backdrop = textured_backdrop()
    still = disc_before(backdrop, num_views=4)
    empty = np.roll(np.clip(backdrop, 0, 255).astype(np.uint8), (1, 2), (0, 1))
    evidence = plate_evidence(still.photos, plate_from_empty(empty, still.photos), EMPTY)
    assert disagreement(still, evidence.logits) < 0.05


def test_an_empty_photo_of_another_place_is_refused_with_the_share() -> None:
    still = disc_before(textured_backdrop(), num_views=4)
    other = np.clip(textured_backdrop(seed=8), 0, 255).astype(np.uint8)
    with pytest.raises(ImageError, match=r"agrees with \d+ % of the photos' border"):
        plate_from_empty(other, still.photos)


def test_an_empty_photo_of_another_size_is_refused() -> None:
    still = disc_before(textured_backdrop(), num_views=4)
    with pytest.raises(ImageError, match="differ in size"):
        plate_from_empty(np.zeros((60, 80, 3), np.uint8), still.photos)
