"""The picture of matches: every match stands where it is in both photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from align.show.matches import MatchSide, match_picture, place_colours, spread_matches, write_match_picture
from masks.errors import OutputError
from masks.mask import Mask
from masks.pixelmap import PixelMap, identity
from pairs.prediction.predictions import Matches
from pairs.views.view import View


def side(size: tuple[int, int], masked: bool = False, grid: tuple[int, int] | None = None) -> MatchSide:
    """Return one dark photo of (width, height)."""
    w, h = size
    inside = np.zeros((h, w), bool)
    inside[: h // 2] = True
    pixel_map = identity(size) if grid is None else PixelMap(size, 1, (0, 0, w, h), grid)
    image = np.zeros((*pixel_map.target_size[::-1], 3), np.uint8)
    view = View("a", None, image, pixel_map, Mask(inside, "test") if masked else None, "key")
    return MatchSide(view, np.zeros((h, w, 3), np.uint8))


def one_match(x_a: float, y_a: float, x_b: float, y_b: float) -> Matches:
    return Matches(np.array([[x_a, y_a]]), np.array([[x_b, y_b]]), np.ones(1))


def test_both_ends_of_a_match_have_its_colour_and_stand_where_it_is() -> None:
    picture = match_picture(side((300, 200)), side((300, 200)), one_match(40, 50, 70, 120), lines=0)
    coloured = np.argwhere(np.ptp(picture.astype(int), axis=2) > 100)
    left, right = coloured[coloured[:, 1] < 300], coloured[coloured[:, 1] >= 316]
    np.testing.assert_allclose(left.mean(0), [50, 40], atol=0.1)
    np.testing.assert_allclose(right.mean(0), [120, 316 + 70], atol=0.1)
    np.testing.assert_array_equal(picture[50, 40], picture[120, 386])


def test_matches_on_a_smaller_grid_are_carried_to_the_photo() -> None:
    picture = match_picture(
        side((300, 200), grid=(75, 50)), side((300, 200)), one_match(12, 20, 70, 120), lines=0
    )
    coloured = np.argwhere(np.ptp(picture[:, :300].astype(int), axis=2) > 100)
    np.testing.assert_allclose(coloured.mean(0), [20 * 4 + 1.5, 12 * 4 + 1.5], atol=0.3)


def test_a_line_joins_the_ends() -> None:
    bare, joined = (
        match_picture(side((300, 200)), side((300, 200)), one_match(40, 100, 70, 100), lines=n)
        for n in (0, 1)
    )
    assert (bare[100, 200] == 0).all()
    assert (joined[100, 200] > 0).any()


def test_photos_of_unlike_shapes_stand_side_by_side_in_the_middle() -> None:
    picture = match_picture(side((300, 200)), side((100, 400)), one_match(40, 50, 50, 200), lines=0)
    assert picture.shape == (400, 300 + 16 + 100, 3)
    coloured = np.argwhere(np.ptp(picture[:, :300].astype(int), axis=2) > 100)
    np.testing.assert_allclose(coloured.mean(0), [150, 40], atol=0.1)


def test_what_a_mask_hides_is_greyed() -> None:
    picture = match_picture(
        side((300, 200), masked=True),
        side((300, 200)),
        Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)),
    )
    assert picture[180, 150].min() > 100
    assert picture[20, 150].max() == 0
    assert picture[180, 316 + 150].max() == 0


@given(st.integers(0, 2**31), st.integers(0, 300), st.integers(-1, 80))
def test_lines_are_few_spread_and_the_surest_of_their_place(seed: int, count: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    matches = Matches(
        rng.uniform(0, 500, (count, 2)), rng.uniform(0, 500, (count, 2)), rng.uniform(1, 2, count)
    )
    chosen = spread_matches(matches, most)
    assert len(chosen) <= max(most, 0)
    assert len(set(chosen.tolist())) == len(chosen)
    if count > most > 0:
        assert matches.conf.argmax() in chosen
    assert len(place_colours(matches.xy_a)) == count


@pytest.mark.parametrize("name", ["m.png", "m.JPG", "m.webp"])
def test_the_name_says_the_format(tmp_path: Path, name: str) -> None:
    write_match_picture(np.full((20, 30, 3), 90, np.uint8), tmp_path / name)
    with Image.open(tmp_path / name) as picture:
        assert picture.size == (30, 20)


def test_a_name_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png"):
        write_match_picture(np.zeros((2, 2, 3), np.uint8), tmp_path / "m.txt")
