"""Pictures in the place of photos that are none, or only a part of one."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from given_masks import texture, true_mask
from PIL import Image

from masks.errors import ImageError
from masks.folders.strange_photos import require_whole, strange_notices
from pairs.views.load import load_views


def jpeg(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(texture(seed, (320, 240))).save(stream, "JPEG", quality=92)
    return stream.getvalue()


def test_a_jpeg_that_ends_in_zeros_is_refused(tmp_path: Path) -> None:
    whole = jpeg(1)
    (tmp_path / "1.jpg").write_bytes(whole)
    (tmp_path / "2.jpg").write_bytes(whole[: len(whole) // 2].ljust(len(whole), b"\0"))
    with pytest.raises(ImageError, match=r"2\.jpg: ends in \d+ zeros.* a copy broke off"):
        load_views(tmp_path)


def test_zeros_behind_the_end_of_a_jpeg_do_no_harm() -> None:
    for data in (jpeg(1) + bytes(5000), b"", bytes(5000)):
        require_whole(Path("a.jpg"), data)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_photo_whose_file_breaks_off_is_named(tmp_path: Path, share: float) -> None:
    for k in range(3):
        data = jpeg(k)
        (tmp_path / f"{k}.jpg").write_bytes(data if k != 1 else data[: int(share * len(data))] + b"\xff\xd9")
    _, notices = load_views(tmp_path)
    (text,) = [notice.text for notice in notices if notice.level == "warning"]
    assert text.startswith("1.jpg: one side is plain grey")


def test_a_grey_that_was_painted_is_no_missing_part() -> None:
    photo = texture(0, (80, 60))
    for band in (np.s_[-9:], np.s_[:9], np.s_[:, -9:]):
        cut = photo.copy()
        cut[band] = 128
        assert strange_notices(["a"], [cut])
    painted = photo.copy()
    painted[:9] = painted[-9:] = painted[:, :9] = painted[:, -9:] = 128
    dark = photo.copy()
    dark[-9:] = 127
    assert strange_notices(["a", "b", "c"], [photo, painted, dark]) == ()


def test_masks_that_are_taken_for_photos_are_named(tmp_path: Path) -> None:
    for k in range(3):
        Image.fromarray(texture(k, (320, 240))).save(tmp_path / f"{k}.jpg")
    Image.fromarray(true_mask(1) * np.uint8(255)).save(tmp_path / "9_mask.png")
    _, notices = load_views(tmp_path)
    assert any(notice.text.startswith("9_mask.png: black and white alone") for notice in notices)


def test_black_photos_are_no_masks() -> None:
    black = np.zeros((60, 80, 3), np.uint8)
    assert strange_notices(["a", "b", "c"], [black, black + 255, texture(0, (80, 60))]) == ()
