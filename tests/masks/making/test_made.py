"""From photo files to masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from still_backdrops import disc_before, iou, plain_backdrop, textured_backdrop

from masks.errors import MaskError
from masks.image_file import ImageFacts, probe_image, probe_images
from masks.making.choice import Road
from masks.making.made import MakingOptions, made_by_photos
from masks.making.pictures import working_map, working_pictures


def files(folder: Path, photos: tuple[np.ndarray, ...], orientation: int = 1) -> list[ImageFacts]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for k, photo in enumerate(photos):
        Image.fromarray(photo).save(folder / f"{k}.png", exif=exif)
    return [probe_image(folder / f"{k}.png") for k in range(len(photos))]


def test_working_pictures_are_upright_and_small(tmp_path: Path) -> None:
    photo = np.zeros((60, 80, 3), np.uint8)
    photo[:, :10] = 255
    facts = files(tmp_path, (photo,), orientation=6)
    (small,) = working_pictures(facts, longest=40)
    assert small.shape == (40, 30, 3)
    # The left of the file is the top of the photo.
    assert small[:5].min() == 255
    assert small[5:].max() == 0
    assert working_map(facts[0], 40).upright().source_size == (60, 80)


def test_masks_have_the_photos_size_and_say_what_made_them(tmp_path: Path) -> None:
    still = disc_before(plain_backdrop(), num_views=2)
    large = tuple(np.repeat(np.repeat(p, 5, 0), 5, 1) for p in still.photos)
    made = made_by_photos(files(tmp_path, large))
    assert made.choice.road is Road.PLAIN
    assert {mask.shape for mask in made.masks} == {(600, 800)}
    assert {mask.source for mask in made.masks} == {"made: a plain backdrop"}
    true = [np.repeat(np.repeat(m, 5, 0), 5, 1) for m in still.masks]
    assert min(iou(mask.pixels, t) for mask, t in zip(made.masks, true)) > 0.95
    assert [own.name for own in made.figures] == ["0.png", "1.png"]


def test_photos_that_are_stored_turned_give_upright_masks(tmp_path: Path) -> None:
    still = disc_before(textured_backdrop())
    # What a camera on its side stores: an EXIF turn of 6 rotates the file clockwise.
    stored = tuple(np.ascontiguousarray(np.rot90(p)) for p in still.photos)
    made = made_by_photos(files(tmp_path, stored, orientation=6))
    assert min(iou(mask.pixels, t) for mask, t in zip(made.masks, still.masks)) > 0.95


def test_no_sure_road_is_an_error_that_says_why_and_what_to_do(tmp_path: Path) -> None:
    photos = tuple(disc_before(textured_backdrop(k), num_views=1).photos[0] for k in range(3))
    with pytest.raises(MaskError, match=r"needs 8 photos .* Give masks"):
        made_by_photos(files(tmp_path, photos))


def test_an_empty_photo_serves_few_photos(tmp_path: Path) -> None:
    backdrop = textured_backdrop()
    still = disc_before(backdrop, num_views=3)
    facts = files(tmp_path, still.photos)
    Image.fromarray(backdrop.astype(np.uint8)).save(tmp_path / "empty.png")
    made = made_by_photos(facts, MakingOptions(empty=tmp_path / "empty.png"))
    assert made.choice.road is Road.EMPTY
    assert min(iou(mask.pixels, t) for mask, t in zip(made.masks, still.masks)) > 0.93


def test_deep_photos_share_the_white_of_their_set(tmp_path: Path) -> None:
    for name, brightest in (("a", 4000), ("b", 900)):
        Image.fromarray(np.full((60, 80), brightest, np.uint16)).save(tmp_path / f"{name}.png")
    bright, dark = working_pictures(probe_images([tmp_path / "a.png", tmp_path / "b.png"]))
    assert bright.max() == 249
    assert dark.max() == 56
