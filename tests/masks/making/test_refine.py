"""Outlines from evidence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve
from still_backdrops import SIZE, disc_before, iou, plain_backdrop, textured_backdrop

from masks.making import refine
from masks.making.evidence import Evidence
from masks.making.plate import STILL, plate_evidence, plate_of
from masks.making.refine import refined


@pytest.mark.parametrize("backdrop", [textured_backdrop(), plain_backdrop()])
def test_outlines_of_a_still_backdrop_are_the_objects(backdrop: np.ndarray) -> None:
    still = disc_before(backdrop)
    found = refined(plate_evidence(still.photos, plate_of(still.photos), STILL), still.photos)
    assert min(iou(a, b) for a, b in zip(found.masks, still.masks)) > 0.95
    assert set(found.pieces) == {1}


def test_the_rim_goes_to_the_pictures_edge() -> None:
    """Evidence that is two pixels too wide on every side."""
    still = disc_before(plain_backdrop(), num_views=2)
    wide = disc_before(plain_backdrop(), num_views=2, radius=36).masks
    evidence = Evidence(tuple(np.where(m, 1.0, -2.0).astype(np.float32) for m in wide), "test")
    before = min(iou(a, b) for a, b in zip(wide, still.masks))
    found = refined(evidence, still.photos)
    assert min(iou(a, b) for a, b in zip(found.masks, still.masks)) > max(before, 0.97)


def test_the_walker_solves_its_equations() -> None:
    """Against a sparse matrix and a direct solver."""
    rng = np.random.default_rng(2)
    h, w = 9, 11
    across, down = rng.uniform(0.01, 1, (h, w - 1)), rng.uniform(0.01, 1, (h - 1, w))
    strength = rng.uniform(0.001, 0.2, (h, w))
    towards = (rng.random((h, w)) < 0.5).astype(float)
    number = np.arange(h * w).reshape(h, w)
    i = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    j = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    weight = np.concatenate([across.ravel(), down.ravel()])
    links = coo_matrix((np.tile(weight, 2), (np.append(i, j), np.append(j, i))), (h * w, h * w)).tocsr()
    matrix = diags(np.asarray(links.sum(axis=1)).ravel() + strength.ravel()) - links
    true = spsolve(matrix.tocsc(), (strength * towards).ravel()).reshape(h, w)
    found = refine._solved(across, down, strength, towards)
    np.testing.assert_allclose(found, true, atol=0.02)


def test_nothing_that_speaks_for_the_object_gives_an_empty_mask() -> None:
    still = disc_before(plain_backdrop(), num_views=1)
    found = refined(Evidence((np.full(SIZE, -3, np.float32),), "test"), still.photos)
    assert not found.masks[0].any()
    assert found.pieces == (0,)


def ring(hole_evidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo and the evidence of a ring whose hole looks like the backdrop."""
    y, x = np.indices(SIZE)
    distance = np.hypot(x - 80, y - 60)
    photo = np.full((*SIZE, 3), 200, np.uint8)
    logits = np.where(distance < 12, hole_evidence, np.where(distance < 35, 3.0, -3.0)).astype(np.float32)
    photo[(distance >= 12) & (distance < 35)] = (40, 60, 160)
    return photo, logits


def test_a_hole_that_shows_the_backdrop_stays_unless_holes_are_filled() -> None:
    photo, logits = ring(-3.0)
    evidence = Evidence((logits,), "test")
    assert not refined(evidence, (photo,)).masks[0][60, 80]
    filled = refined(evidence, (photo,), holes="fill")
    assert filled.masks[0][60, 80]
    assert filled.filled[0] == pytest.approx(12**2 / 35**2, rel=0.2)


def test_a_reflection_that_stands_still_is_filled_and_a_hole_in_the_middle_stays() -> None:
    """All photos show them in one place; the reflection has no colour of the backdrop."""
    photo, logits = ring(-3.0)
    evidence = Evidence((logits,) * 8, "test")
    assert not any(mask[60, 80] for mask in refined(evidence, (photo,) * 8).masks)
    photo[logits < 0] = (200, 180, 90)
    photo[48:73, 68:93][logits[48:73, 68:93] < 0] = (255, 255, 255)
    found = refined(evidence, (photo,) * 8)
    assert all(mask[60, 80] for mask in found.masks)
    assert found.filled[0] == pytest.approx(12**2 / 35**2, rel=0.2)
    assert not refined(Evidence((logits,) * 7, "test"), (photo,) * 7).masks[0][60, 80]


def test_specks_are_dropped_and_a_hand_before_the_body_is_not() -> None:
    still = disc_before(plain_backdrop(), num_views=1)
    photo, mask = still.photos[0].copy(), still.masks[0].copy()
    hand, speck = (slice(20, 34), slice(40, 54)), (slice(100, 103), slice(60, 63))
    for place in (hand, speck):
        photo[place] = (225, 120, 60)
        mask[place] = True
    evidence = Evidence((np.where(mask, 3.0, -3.0).astype(np.float32),), "test")
    found = refined(evidence, (photo,))
    assert found.pieces == (2,)
    assert found.masks[0][27, 47]
    assert not found.masks[0][101, 61]


def test_equal_photos_give_equal_outlines_whatever_was_drawn_before() -> None:
    still = disc_before(plain_backdrop(), num_views=2)
    evidence = plate_evidence(still.photos, plate_of(still.photos * 4), STILL)
    first, again = refined(evidence, still.photos), refined(evidence, still.photos)
    for a, b in zip(first.soft, again.soft):
        np.testing.assert_array_equal(a, b)
