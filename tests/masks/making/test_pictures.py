"""Photos as everything that makes masks sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from masks.image_file import probe_image, probe_images
from masks.making.pictures import working_map, working_pictures


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
