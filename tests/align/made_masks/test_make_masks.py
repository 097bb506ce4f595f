"""From photo files to masks, and what cameras say of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from marked_stand import marked_stand
from PIL import Image
from still_backdrops import disc_before, iou, plain_backdrop, textured_backdrop
from turning_body import MASKS, options_with, put_solve, solve_of, solve_of_nothing, write_photos

from align.made_masks.make_masks import made_by_itself, make_masks
from align.made_masks.mask_work import MaskOptions
from align.made_masks.shown import Click
from masks.errors import MaskError
from masks.image_file import probe_images
from masks.making.choice import Road
from masks.making.made import MakingOptions
from masks.notice import Level, Notice, info, warning
from pairs.prediction.store import PredictionStore
from pairs.views.load import load_views

DISTURBED = warning("stationary background", "40 % stand still")
UNDISTURBED = info("stationary background", "0.1 % stand still")


def files(folder: Path, photos: tuple[np.ndarray, ...], orientation: int = 1) -> list[Path]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for k, photo in enumerate(photos):
        Image.fromarray(photo).save(folder / f"{k}.png", exif=exif)
    return [folder / f"{k}.png" for k in range(len(photos))]


def without_cameras(options: MaskOptions, paths: list[Path]) -> list[Path]:
    """Return the photos, and leave cameras in the store that say nothing."""
    assert options.store is not None
    put_solve(PredictionStore(options.store), load_views(paths, "none")[0], solve_of_nothing(len(paths)))
    return paths


@pytest.fixture
def options(tmp_path: Path) -> MaskOptions:
    return options_with(PredictionStore(tmp_path / "store"))


def solved_photos(tmp_path: Path, *notices: Notice) -> list[Path]:
    """Return photos of a turning object whose cameras are known."""
    photos = write_photos(tmp_path / "photos")
    views, _ = load_views(photos, "none")
    put_solve(PredictionStore(tmp_path / "store"), views, solve_of(notices=notices))
    return photos


def test_masks_have_the_photos_size_and_say_what_made_them(tmp_path: Path, options: MaskOptions) -> None:
    still = disc_before(plain_backdrop(), num_views=2)
    large = tuple(np.repeat(np.repeat(p, 5, 0), 5, 1) for p in still.photos)
    made = make_masks(without_cameras(options, files(tmp_path, large)), options).made
    assert made.choice.road is Road.PLAIN
    assert {mask.shape for mask in made.masks} == {(600, 800)}
    assert {mask.source for mask in made.masks} == {"made: a plain backdrop"}
    true = [np.repeat(np.repeat(m, 5, 0), 5, 1) for m in still.masks]
    assert min(iou(mask.pixels, t) for mask, t in zip(made.masks, true)) > 0.95
    assert [own.name for own in made.figures] == ["0.png", "1.png"]


def test_photos_that_are_stored_turned_give_upright_masks(tmp_path: Path, options: MaskOptions) -> None:
    still = disc_before(textured_backdrop())
    # What a camera on its side stores: an EXIF turn of 6 rotates the file clockwise.
    stored = tuple(np.ascontiguousarray(np.rot90(p)) for p in still.photos)
    made = make_masks(without_cameras(options, files(tmp_path, stored, orientation=6)), options).made
    assert min(iou(mask.pixels, t) for mask, t in zip(made.masks, still.masks)) > 0.95


def test_no_sure_road_is_an_error_that_says_why_and_what_to_do(tmp_path: Path, options: MaskOptions) -> None:
    photos = tuple(disc_before(textured_backdrop(k), num_views=1).photos[0] for k in range(3))
    with pytest.raises(MaskError, match=r"needs 8 photos .* no scene came out .* Give masks"):
        make_masks(files(tmp_path, photos), options)


def test_an_empty_photo_serves_few_photos(tmp_path: Path, options: MaskOptions) -> None:
    backdrop = textured_backdrop()
    still = disc_before(backdrop, num_views=3)
    photos = without_cameras(options, files(tmp_path, still.photos))
    Image.fromarray(backdrop.astype(np.uint8)).save(tmp_path / "empty.png")
    making = MakingOptions(empty=tmp_path / "empty.png")
    made = make_masks(photos, replace(options, making=making)).made
    assert made.choice.road is Road.EMPTY
    assert min(iou(mask.pixels, t) for mask, t in zip(made.masks, still.masks)) > 0.93


def test_without_cameras_the_masks_are_those_of_the_photos_which_is_said(
    tmp_path: Path, options: MaskOptions
) -> None:
    still = disc_before(textured_backdrop())
    found = make_masks(without_cameras(options, files(tmp_path, still.photos)), options)
    assert found.cameras is None
    said = [n for n in found.made.notices if "not compared with cameras" in n.text]
    assert [n.level for n in said] == [Level.WARNING]
    assert {own.cut for own in found.made.figures} == {None}
    assert min(iou(mask.pixels, t) for mask, t in zip(found.made.masks, still.masks)) > 0.95


def test_where_no_cameras_come_out_it_is_said_why(tmp_path: Path, options: MaskOptions) -> None:
    """Flat colours have hardly any features."""
    photo = np.full((120, 160, 3), 245, np.uint8)
    photo[40:80, 60:100] = (200, 60, 40)
    found = make_masks(files(tmp_path, (photo, np.roll(photo, 9, axis=1))), options)
    said = [n.text for n in found.made.notices if "not compared with cameras" in n.text]
    assert len(said) == 1
    assert "features, and no view has more" in said[0]
    assert [mask.pixels.sum() for mask in found.made.masks] == [1600, 1600]


def test_masks_that_cameras_agree_with_are_compared_and_the_cameras_not_kept(
    tmp_path: Path, options: MaskOptions
) -> None:
    found = make_masks(solved_photos(tmp_path), options)
    assert any("the cameras agree" in n.text for n in found.made.notices)
    assert all(own.cut is not None and own.cut < 0.02 for own in found.made.figures)
    assert min(iou(mask.pixels, true) for mask, true in zip(found.made.masks, MASKS)) > 0.95
    assert found.cameras is None


def test_what_other_views_contradict_is_taken_away(tmp_path: Path, options: MaskOptions) -> None:
    """A piece that looks like the object flies through one photo."""
    photos = solved_photos(tmp_path)
    piece = np.zeros((150, 200), bool)
    piece[80:100, 40:60] = True
    pixels = np.array(Image.open(photos[4]))
    assert MASKS[4][64:84, 85:105].all()
    pixels[80:100, 40:60] = pixels[64:84, 85:105]
    Image.fromarray(pixels).save(photos[4])
    alone = make_masks(without_cameras(options, photos), options).made.masks[4]
    assert alone.pixels[piece].mean() > 0.5
    put_solve(PredictionStore(tmp_path / "store"), load_views(photos, "none")[0], solve_of())
    made = make_masks(photos, options).made
    assert not made.masks[4].pixels[piece].any()
    assert iou(made.masks[4].pixels, MASKS[4]) > 0.9


@pytest.mark.parametrize(
    ("notices", "are"), [((DISTURBED,), True), ((UNDISTURBED,), False), ((), False)], ids=str
)
def test_by_themselves_they_are_made_where_the_backdrop_disturbed_the_cameras(
    tmp_path: Path, options: MaskOptions, notices: tuple[Notice, ...], are: bool
) -> None:
    found = made_by_itself(probe_images(solved_photos(tmp_path, *notices)), options)
    assert (found is not None) is are


def test_by_themselves_they_are_not_made_where_nothing_stands_still(
    tmp_path: Path, options: MaskOptions
) -> None:
    photos = tuple(disc_before(textured_backdrop(k), num_views=1).photos[0] for k in range(9))
    assert made_by_itself(probe_images(files(tmp_path, photos)), options) is None
    plain = disc_before(plain_backdrop(), num_views=3)
    assert made_by_itself(probe_images(files(tmp_path, plain.photos)), options) is None
    # Nobody looked for cameras.
    assert not list((tmp_path / "store").rglob("*.safetensors"))


def test_only_the_scenes_road_can_be_pointed_at(tmp_path: Path) -> None:
    photos = files(tmp_path, disc_before(plain_backdrop(), num_views=2).photos)
    with pytest.raises(MaskError, match=r"`road=plain`: only the scene's road"):
        make_masks(photos, MaskOptions(MakingOptions(Road.PLAIN), shown=(Click("0.png", 4, 4),)))
    with pytest.raises(MaskError, match=r"other\.png: no photo has this name"):
        make_masks(photos, MaskOptions(shown=(Click("other.png", 4, 4),)))


def test_a_stand_with_marks_is_cut_or_kept(tmp_path: Path, options: MaskOptions) -> None:
    marked = marked_stand()
    photos = marked.put(tmp_path / "photos", PredictionStore(tmp_path / "store"))
    made = make_masks(photos, options).made
    assert any("a stand turns with the object" in notice.text for notice in made.notices)
    for mask, thing, moving in zip(made.masks, marked.things, marked.moving):
        assert iou(mask.pixels, thing) > 0.85
        assert (mask.pixels & moving & ~thing).sum() < 0.02 * thing.sum()
    kept = make_masks(photos, replace(options, stand="keep")).made
    assert not any("a stand" in notice.text for notice in kept.notices)
    for mask, thing, moving in zip(kept.masks, marked.things, marked.moving):
        assert (mask.pixels & moving & ~thing).sum() > 0.2 * thing.sum()
