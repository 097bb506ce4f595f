"""What a photo's border says of a plain backdrop."""

from __future__ import annotations

import numpy as np
from still_backdrops import SIZE, disc_before, plain_backdrop, textured_backdrop

from masks.making.plain import PLAIN, border_of, plain_evidence


def test_a_border_of_one_smooth_colour_deviates_by_its_noise() -> None:
    border = border_of(disc_before(plain_backdrop(), num_views=1).photos[0])
    assert border.inliers > 0.9
    assert border.deviation < 4


def test_clutter_shows_in_the_deviation_and_not_in_the_inliers() -> None:
    border = border_of(disc_before(textured_backdrop(), num_views=1).photos[0])
    assert border.deviation > 20


def test_what_differs_from_the_border_is_the_object() -> None:
    still = disc_before(plain_backdrop(), num_views=3)
    evidence = plain_evidence(still.photos)
    assert evidence.road == PLAIN
    for logits, mask in zip(evidence.logits, still.masks):
        assert ((logits > 0) != mask).mean() < 0.02


def test_a_thing_at_the_border_does_not_become_the_backdrop() -> None:
    photo = disc_before(plain_backdrop(), num_views=1).photos[0].copy()
    photo[-12:, 60:90] = (40, 60, 200)
    (logits,) = plain_evidence((photo,)).logits
    assert logits[-8:, 65:85].min() > 0
    assert np.median(logits[:10]) < -1


def test_a_shadow_is_backdrop_and_a_grey_thing_before_grey_stays_the_object() -> None:
    still = disc_before(plain_backdrop(), num_views=2)
    shade = np.ones(SIZE)
    shade[80:112, 110:150] = 0.6
    shadowed = tuple(
        np.where(m[..., None], p, p * shade[..., None]) for p, m in zip(still.photos, still.masks)
    )
    for logits, mask in zip(plain_evidence(tuple(p.astype(np.uint8) for p in shadowed)).logits, still.masks):
        # Right of the object, whose rim is at 134 at most.
        assert logits[84:108, 138:146].max() < 0
        assert (logits[mask] > 0).mean() > 0.9
    assert plain_evidence(still.photos).only_light == ()
    grey = (plain_backdrop() * shade[..., None]).astype(np.uint8)
    evidence = plain_evidence((grey,))
    assert np.median(evidence.logits[0][84:108, 118:146]) > 0
    assert evidence.only_light[0][84:108, 118:146].mean() > 0.9
