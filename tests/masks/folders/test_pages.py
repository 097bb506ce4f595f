"""Pages of TIFF files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from given_masks import texture
from PIL import Image

from masks.folders.pages import pages_of


def picture(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(texture(size[0], size))


@pytest.mark.parametrize("more", [0, 1, 4])
def test_pages_of_one_size_are_counted(tmp_path: Path, more: int) -> None:
    pages = [picture((32, 24))] * more
    picture((32, 24)).save(tmp_path / "a.tif", save_all=True, append_images=pages)
    assert pages_of(tmp_path / "a.tif") == 1 + more


def test_a_thumbnail_is_no_page(tmp_path: Path) -> None:
    picture((32, 24)).save(tmp_path / "a.tif", save_all=True, append_images=[picture((8, 6))])
    assert pages_of(tmp_path / "a.tif") == 1


def test_damaged_files_have_one_page(tmp_path: Path) -> None:
    picture((32, 24)).save(tmp_path / "a.tif", save_all=True, append_images=[picture((32, 24))] * 2)
    whole = (tmp_path / "a.tif").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        data = bytearray(whole[: int(rng.integers(0, len(whole)))])
        for at in rng.integers(0, max(1, len(data)), 4) if data else ():
            data[at] = int(rng.integers(256))
        (tmp_path / "b.tif").write_bytes(data)
        assert 1 <= pages_of(tmp_path / "b.tif") <= 1000
    assert pages_of(tmp_path / "gone.tif") == 1


def test_a_file_whose_pages_are_a_ring_ends(tmp_path: Path) -> None:
    entries = b"".join(tag.to_bytes(2, "little") + b"\3\0\1\0\0\0\x08\0\0\0" for tag in (256, 257))
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0\2\0" + entries + b"\x08\0\0\0")
    assert pages_of(tmp_path / "a.tif") == 1
