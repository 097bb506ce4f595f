"""Entries of files and the photos that they are of."""

from __future__ import annotations

from pathlib import Path

import pytest

from masks.errors import FormatError
from pairs.views.photo_names import entries_of_photos


@pytest.mark.parametrize(
    ("photos", "names", "wanted"),
    [
        (["p/a.jpg", "p/b.jpg"], ["b.jpg", "a.jpg"], (1, 0)),
        (["p/a.jpg"], ["images/left/a.jpg"], (0,)),
        (["p/left/a.jpg"], ["right/a.jpg", "left/a.jpg"], (1,)),
        (["p/left/a.jpg"], ["right\\a.jpg", "left\\a.jpg"], (1,)),
        (["p/a.JPG"], ["a.jpg"], (0,)),
        # The stricter likeness comes first, and takes its entry away from the others.
        (["p/A.jpg", "p/a.jpg"], ["a.jpg", "A.JPG"], (1, 0)),
        (["p/A.jpg", "p/a.jpg"], ["a.jpg"], (None, 0)),
        (["p/r_0.png"], ["./train/r_0"], (0,)),
        (["p/a.png"], ["a.jpg"], (0,)),
        (["p/a.png"], ["a.jpg", "a.tif"], (None,)),
        (["p/a.png", "p/a.webp"], ["a.jpg"], (None, None)),
        (["p/a.png", "p/a.webp"], ["a.jpg", "a.webp"], (0, 1)),
        (["p/a.png"], ["b.png"], (None,)),
        (["p/a.png"], [], (None,)),
    ],
)
def test_an_entry_is_found_by_its_name(photos: list[str], names: list[str], wanted: tuple) -> None:
    assert entries_of_photos([Path(photo) for photo in photos], names, "file") == wanted


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.jpg", "a.jpg"], "file: two cameras for a.jpg: a.jpg, and again. Keep one a photo"),
        (["left/a.jpg", "right/a.jpg"], "two cameras for a.jpg: left/a.jpg, and as right/a.jpg"),
        (["A.JPG", "a.JPG"], "two cameras for a.jpg"),
    ],
)
def test_two_entries_for_one_photo_are_an_error(names: list[str], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        entries_of_photos([Path("photos/a.jpg")], names, "file")
