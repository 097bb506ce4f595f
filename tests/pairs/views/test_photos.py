"""Photos at their full resolution."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from masks.errors import ImageError
from masks.image_file import open_image
from masks.pixelmap import identity
from pairs.views.photos import load_photo
from pairs.views.view import View

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def saved(path: Path) -> View:
    """Write a photo and return its view."""
    Image.fromarray(PIXELS).save(path)
    return View(
        path.name, path, PIXELS, identity((30, 20)), None, "key", file_digest=open_image(path).content
    )


def test_an_untouched_photo_is_read(tmp_path: Path) -> None:
    assert np.array_equal(load_photo(saved(tmp_path / "a.png")), PIXELS)


def test_a_photo_that_was_edited_meanwhile_is_an_error(tmp_path: Path) -> None:
    view = saved(tmp_path / "a.png")
    edited = 255 - PIXELS
    Image.fromarray(edited).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png: .*changed meanwhile.*start again"):
        load_photo(view)
    # A view made in memory states no digest: then only the size can tell.
    assert np.array_equal(load_photo(replace(view, file_digest="")), edited)
    Image.fromarray(edited[:10]).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="changed meanwhile"):
        load_photo(replace(view, file_digest=""))


def test_a_view_without_a_photo_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no photo"):
        load_photo(replace(saved(tmp_path / "a.png"), path=None))
