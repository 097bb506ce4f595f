"""What a photo's border says of a plain backdrop."""

from __future__ import annotations

import numpy as np
from still_backdrops import disc_before, plain_backdrop, textured_backdrop

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
