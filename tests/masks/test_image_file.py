"""Opening picture files, good and bad."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from masks.errors import ImageError
from masks.image_file import open_image, open_levels, probe_image


def photo(path: Path, orientation: int = 1, focal35: int = 0) -> Path:
    image = Image.fromarray(np.arange(60 * 40 * 3, dtype=np.uint8).reshape(40, 60, 3))
    exif = Image.Exif()
    exif[274] = orientation
    exif[271] = "Maker"
    if focal35:
        exif.get_ifd(0x8769)[41989] = focal35
    image.save(path, exif=exif)
    return path


def test_the_header_tells_size_turn_and_lens(tmp_path: Path) -> None:
    facts = probe_image(photo(tmp_path / "a.jpg", orientation=6, focal35=28))
    assert (facts.size, facts.upright_size, facts.orientation) == ((60, 40), (40, 60), 6)
    assert facts.exif == {"Make": "Maker", "FocalLengthIn35mmFilm": 28.0}


def test_pixels_are_as_stored(tmp_path: Path) -> None:
    assert open_image(photo(tmp_path / "a.png", orientation=6)).pixels.shape == (40, 60, 3)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageError, match=r"a\.jpg: the file is empty"):
        probe_image(tmp_path / "a.jpg")


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=r"a\.png: cannot be decoded"):
        open_image(path)


def test_a_text_file_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(ImageError, match="no picture"):
        probe_image(tmp_path / "a.jpg")


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 32768, np.uint16)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").pixels[0, 0].tolist() == [128, 128, 128]


def test_alpha_is_read_beside_the_colours(tmp_path: Path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[2:5, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    picture = open_image(tmp_path / "a.png")
    assert picture.alpha is not None
    assert picture.alpha.max() == 255
    assert open_levels(tmp_path / "a.png")[3, 0] == 255
