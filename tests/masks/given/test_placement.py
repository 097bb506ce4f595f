"""Where the outlines of masks lie best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from given_masks import photo, true_mask

from masks.given.edges import on_edges, rim_of, slopes_of
from masks.given.placement import Laid, placements

COUNT, SHIFT = 5, 8
SQUARE = (120, 120)


def laid(
    mask_of: Callable[[int], np.ndarray], size: tuple[int, int] = (160, 120), cut: int = 0
) -> list[Laid]:
    """Return masks on photos that are cut out at different places, by `cut` pixels a photo."""
    found = []
    for k in range(COUNT):
        left = cut * (k % 3)
        matrix = np.array([[1.0, 0.0, -left], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        picture, mask = photo(k, size, SHIFT)[:, left:], mask_of(k)[:, left:]
        found.append(Laid(f"{k}.jpg", mask, picture, size, matrix))
    return found


def right(k: int, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    return true_mask(k, size, SHIFT)


def said(each: list[Laid]) -> list[str]:
    return [placed.elsewhere for placed in placements(each) if placed is not None]


def test_an_outline_scores_on_its_edges_and_not_beside_them() -> None:
    rim, slopes = rim_of(right(0)), slopes_of(photo(0, shift=SHIFT))
    assert rim is not None
    assert on_edges(rim, slopes) > 0.4
    assert abs(on_edges(rim.moved((12, -7)), slopes)) < 0.15
    assert np.isnan(on_edges(rim.moved((500, 0)), slopes))


def test_a_mask_without_an_outline_says_nothing() -> None:
    assert rim_of(np.ones((120, 160), bool)) is None
    whole = laid(lambda k: np.ones((120, 160), bool) if k == 1 else right(k))
    assert placements(whole)[1] is None


@pytest.mark.parametrize("cut", [0, 7])
def test_masks_of_pictures_that_were_cut_out_are_carried(cut: int) -> None:
    assert said(laid(right, cut=cut)) == [""] * COUNT
    wrong = said(laid(lambda k: right(k ^ 1 if k < 4 else k), cut=cut))
    assert wrong == ["on 1.jpg", "on 0.jpg", "on 3.jpg", "on 2.jpg", ""]


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (lambda mask: mask[:, ::-1], "mirrored"),
        (lambda mask: mask[::-1], "upside down"),
        (lambda mask: np.rot90(mask, 2), "turned by 180 degrees"),
        (np.rot90, "turned by 90 degrees"),
        (lambda mask: np.rot90(mask, -1), "turned by 270 degrees"),
        (lambda mask: mask.T, "turned by 90 degrees and mirrored"),
        (lambda mask: np.rot90(mask, 2).T, "turned by 270 degrees and mirrored"),
    ],
)
def test_a_mask_that_lies_otherwise_is_told_how(turn: Callable, words: str) -> None:
    each = laid(lambda k: turn(right(k, SQUARE)) if k == 2 else right(k, SQUARE), SQUARE)
    assert said(each) == ["", "", words, "", ""]
