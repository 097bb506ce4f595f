"""The road that photos themselves are sure of."""

from __future__ import annotations

import numpy as np
import pytest
from still_backdrops import SIZE, disc_before, plain_backdrop, textured_backdrop

from masks.errors import MaskError
from masks.making.choice import Choice, Road, choose, signals
from masks.making.roads import take_road


def chosen(photos: tuple[np.ndarray, ...]) -> Choice:
    return choose(signals(photos), [f"{k}.jpg" for k in range(len(photos))])


def test_a_still_camera_before_clutter_is_still() -> None:
    choice = chosen(disc_before(textured_backdrop()).photos)
    assert choice.road is Road.STILL
    assert "100 % of the border" in choice.reason


def test_nobody_looks_for_one_colour_where_the_backdrop_stands_still() -> None:
    still = signals(disc_before(textured_backdrop()).photos)
    assert still.stands
    assert still.borders == ()
    few = signals(disc_before(textured_backdrop(), num_views=3).photos)
    assert not few.stands
    assert len(few.borders) == 3


def test_a_touched_camera_is_still_and_said() -> None:
    photos = disc_before(textured_backdrop(), num_views=18).photos
    photos = tuple(np.roll(p, 4, axis=1) if k >= 9 else p for k, p in enumerate(photos))
    choice = chosen(photos)
    assert choice.road is Road.STILL
    assert "touched before 9.jpg" in choice.reason


def test_a_moving_camera_before_one_colour_is_plain() -> None:
    """The light falls from above in one photo and from below in the next."""
    backdrop = plain_backdrop()
    photos = disc_before(backdrop, num_views=10).photos
    other = disc_before(backdrop[::-1] ** 2 / 200, num_views=10).photos
    assert chosen(tuple((photos, other)[k % 2][k] for k in range(10))).road is Road.PLAIN


def test_three_photos_before_one_colour_are_plain() -> None:
    assert chosen(disc_before(plain_backdrop(), num_views=3).photos).road is Road.PLAIN


def test_photos_whose_object_crosses_the_border_leave_the_others_plain() -> None:
    photos = [*disc_before(plain_backdrop(), num_views=7).photos]
    loud = disc_before(textured_backdrop(), num_views=7).photos
    assert chosen((*photos[:5], *loud[5:])).road is Road.PLAIN
    assert chosen((*photos[:4], *loud[4:])).road is None


def round_thing(backdrop: np.ndarray, num_views: int = 10) -> tuple[np.ndarray, ...]:
    """Photos of a ball of one colour that turns about its own middle; a speck of it goes round."""
    rng = np.random.default_rng(4)
    y, x = np.indices(SIZE)
    photos = []
    for k in range(num_views):
        photo = backdrop.copy()
        photo[np.hypot(x - 80, y - 60) < 34] = (40, 60, 150)
        c, s = np.cos(2 * np.pi * k / num_views), np.sin(2 * np.pi * k / num_views)
        photo[np.hypot(x - 80 - 36 * c, y - 60 - 36 * s) < 14] = (40, 60, 150)
        photos.append(np.clip(photo + 1.5 * rng.standard_normal(photo.shape), 0, 255).astype(np.uint8))
    return tuple(photos)


def test_a_thing_that_looks_alike_from_all_sides_is_told_by_the_plain_colour_behind_it() -> None:
    """Its plate would show it as backdrop."""
    photos = round_thing(plain_backdrop())
    assert chosen(photos).road is Road.PLAIN
    assert take_road(photos, list("0123456789")).evidence.logits[0][60, 80] > 1  # type: ignore[union-attr]


def test_a_thing_that_looks_alike_from_all_sides_before_clutter_wants_an_empty_photo() -> None:
    backdrop = textured_backdrop()
    backdrop[20:100, 40:120] = (40, 60, 150)
    choice = chosen(round_thing(backdrop))
    assert choice.road is None
    assert "alike from all sides" in choice.reason


def test_copies_of_one_photo_are_refused() -> None:
    choice = chosen(disc_before(textured_backdrop(), num_views=1).photos * 10)
    assert choice.road is None
    assert "copies" in choice.reason


def test_a_moving_camera_before_clutter_is_refused() -> None:
    photos = tuple(disc_before(textured_backdrop(k), num_views=1).photos[0] for k in range(9))
    choice = chosen(photos)
    assert choice.road is None
    assert "no backdrop that stands still" in choice.reason


def test_too_few_photos_before_clutter_are_refused_with_the_number() -> None:
    choice = chosen(disc_before(textured_backdrop(), num_views=5).photos)
    assert choice.road is None
    assert "needs 8 photos of one size" in choice.reason


def test_a_camera_that_is_touched_too_often_is_refused_with_the_photos() -> None:
    photos = disc_before(textured_backdrop(), num_views=14).photos
    photos = tuple(np.roll(p, 7 * (k // 5), axis=1) for k, p in enumerate(photos))
    choice = chosen(photos)
    assert choice.road is None
    assert "touched before 5.jpg, 10.jpg" in choice.reason


def test_exposures_far_from_the_rest_are_told() -> None:
    gains = np.ones(12)
    gains[4] = 0.7
    taken = take_road(disc_before(textured_backdrop(), gains=gains).photos, [f"{k}.jpg" for k in range(12)])
    assert [notice.text.partition(":")[0] for notice in taken.notices] == ["4.jpg"]


def test_a_road_that_is_asked_for_and_cannot_be_is_an_error() -> None:
    photos = disc_before(textured_backdrop(), num_views=5).photos
    names = [f"{k}.jpg" for k in range(5)]
    with pytest.raises(MaskError, match="at least 8 photos"):
        take_road(photos, names, Road.STILL)
    with pytest.raises(MaskError, match="needs a photo of the empty backdrop"):
        take_road(photos, names, Road.EMPTY)
