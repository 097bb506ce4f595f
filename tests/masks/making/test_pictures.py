"""The photos as the roads to masks see them."""

from __future__ import annotations

import numpy as np
from still_backdrops import disc_before, iou, textured_backdrop

from masks.making.pictures import well_exposed
from masks.making.refine import refined
from masks.making.runs import evidence_of_runs, runs_of


def test_photos_that_are_exposed_as_usual_stay() -> None:
    photos = disc_before(textured_backdrop(), num_views=2).photos
    assert all(a is b for a, b in zip(well_exposed(photos), photos))


def test_a_dark_set_is_brightened_by_one_factor() -> None:
    dark = (np.full((8, 8, 3), 60, np.uint8), np.full((8, 8, 3), 100, np.uint8))
    assert [int(p[0, 0, 0]) for p in well_exposed(dark)] == [144, 240]
    black = (np.full((8, 8, 3), 20, np.uint8),)
    assert int(well_exposed(black)[0][0, 0, 0]) == 60


def test_an_underexposed_set_before_clutter_gives_the_same_masks() -> None:
    still = disc_before(textured_backdrop(), noise=0.5)
    dark = tuple((p * 0.25).astype(np.uint8) for p in still.photos)
    runs, _ = runs_of(dark)
    found = refined(evidence_of_runs(dark, runs), dark)
    assert min(iou(a, b) for a, b in zip(found.masks, still.masks)) > 0.95
