"""Photos as everything that makes masks sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from still_backdrops import disc_before, iou, textured_backdrop

from masks.image_file import probe_image, probe_images
from masks.making.pictures import well_exposed, working_map, working_pictures
from masks.making.refine import refined
from masks.making.runs import evidence_of_runs, runs_of


def test_working_pictures_are_upright_and_small(tmp_path: Path) -> None:
    photo = np.zeros((60, 80, 3), np.uint8)
    photo[:, :10] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo).save(tmp_path / "0.png", exif=exif)
    fact = probe_image(tmp_path / "0.png")
    (small,) = working_pictures([fact], longest=40)
    assert small.shape == (40, 30, 3)
    # The left of the file is the top of the photo.
    assert small[:5].min() == 255
    assert small[5:].max() == 0
    assert working_map(fact, 40).upright().source_size == (60, 80)


def test_deep_photos_share_the_white_of_their_set(tmp_path: Path) -> None:
    for name, brightest in (("a", 4000), ("b", 900)):
        Image.fromarray(np.full((60, 80), brightest, np.uint16)).save(tmp_path / f"{name}.png")
    bright, dark = working_pictures(probe_images([tmp_path / "a.png", tmp_path / "b.png"]))
    assert bright.max() == 249
    assert dark.max() == 56


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
