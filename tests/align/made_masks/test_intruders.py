"""Masks that hold a hand are named."""

from __future__ import annotations

from align.made_masks.intruders import intruder_notices
from masks.making.check import MaskFigures


def figures(
    cuts: dict[int, float] | None = None, borders: dict[int, float] | None = None, usual_border: float = 0.0
) -> list[MaskFigures]:
    return [
        MaskFigures(
            name=f"{k}.jpg",
            coverage=0.2,
            pieces=1,
            filled=0.0,
            border=(borders or {}).get(k, usual_border),
            unknown=0.0,
            area_ratio=1.0,
            cut=None if cuts is None else cuts.get(k, 0.001),
        )
        for k in range(12)
    ]


def test_masks_that_the_others_contradict_more_than_usual_are_named() -> None:
    (told,) = intruder_notices(figures({3: 0.03, 4: 0.025}))
    assert told.text.startswith("3.jpg, 4.jpg: ")
    assert intruder_notices(figures({3: 0.013})) == ()


def test_clutter_in_all_masks_is_no_hand() -> None:
    assert intruder_notices(figures(dict.fromkeys(range(12), 0.02) | {3: 0.04})) == ()
    assert intruder_notices(figures(dict.fromkeys(range(5), 0.02))) == ()


def test_without_cameras_what_comes_in_from_the_border_is_named() -> None:
    (told,) = intruder_notices(figures(borders={7: 0.01}))
    assert told.text.startswith("7.jpg: ")
    assert intruder_notices(figures(borders={7: 0.03}, usual_border=0.02)) == ()


def test_what_is_doubtful_is_not_named_twice() -> None:
    assert intruder_notices(figures({3: 0.2})) == ()


def test_of_few_photos_none_is_odd() -> None:
    assert intruder_notices(figures({3: 0.03})[:5]) == ()
