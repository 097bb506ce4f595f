"""EXIF of all kinds that files hold."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from masks.image_file import open_image, open_levels, probe_image


def raw_exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """Return EXIF of tags (tag, type, count, value): Pillow writes the types of the standard only."""
    directory, data = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in entries:
        if len(value) > 4:
            value, data = struct.pack("<I", 14 + 12 * len(entries) + len(data)), data + value
        directory += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0" + directory + b"\0\0\0\0" + data


SHORT, FRACTION, TEXT = 3, 5, 2
TURN, RESOLUTION = int(ExifTags.Base.Orientation), int(ExifTags.Base.XResolution)


@pytest.mark.parametrize("read", [probe_image, open_image, open_levels])
def test_a_tag_of_another_type_does_no_harm(tmp_path: Path, read: Callable[[Path], object]) -> None:
    # Pillow cannot write such a block anew, which it does when it is asked to turn a picture.
    wrong = raw_exif((TURN, SHORT, 1, b"\6"), (RESOLUTION, TEXT, 8, b"seventy\0"))
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "a.png", exif=wrong)
    found = read(tmp_path / "a.png")
    if read is open_levels:
        assert found.tolist() == [[0], [255]]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ((SHORT, 1, b"\6"), 6),
        ((FRACTION, 1, struct.pack("<II", 6, 1)), 6),
        ((SHORT, 1, b"\0"), 1),
        ((SHORT, 1, b"\xff\xff"), 1),
        ((SHORT, 2, b"\6\0\1\0"), 6),  # the first counts
        ((TEXT, 2, b"6\0"), 1),
        ((FRACTION, 1, struct.pack("<II", 6, 0)), 1),
        ((FRACTION, 1, struct.pack("<II", 13, 2)), 1),
    ],
)
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_turn_is_a_whole_number_of_any_type(tmp_path: Path, entry, expected: int, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (8, 4)).save(path, exif=raw_exif((TURN, *entry)))
    orientation = probe_image(path).orientation
    assert (orientation, type(orientation)) == (expected, int)


def behind_the_pixels(path: Path) -> Path:
    """Move a PNG's EXIF behind its pixels."""
    data = path.read_bytes()
    start = data.index(b"eXIf") - 4
    stop = start + 12 + struct.unpack_from(">I", data, start)[0]
    end = data.index(b"IEND") - 4
    path.write_bytes(data[:start] + data[stop:end] + data[start:stop] + data[end:])
    return path


def test_a_png_says_its_turn_before_or_behind_its_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[TURN] = "Maker", 6
    Image.new("RGB", (60, 40)).save(path, exif=exif)
    before = probe_image(path)
    assert before.orientation == 6
    assert probe_image(behind_the_pixels(path)) == before
