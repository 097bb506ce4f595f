"""Folders of odd and damaged files: read with a report, or refused with one message that names a file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from masks.errors import PointloomError
from pairs.views.load import load_views

NAMES = ("a", "b", "c", "img 1", "ö", "A", "a.b", "mask", "a_mask", "b_mask", "x" * 60, "[red]", "%s")
ENDINGS = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".webp": "WEBP", ".gif": "GIF", "": "PNG"}
MODES = ("RGB", "RGB", "RGB", "L", "RGBA", "P", "1", "CMYK", "I;16", "F")


def picture(rng: np.random.Generator, mode: str, size: tuple[int, int]) -> Image.Image:
    w, h = size
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 4096, (h, w)).astype(np.uint16))
    if mode == "F":
        return Image.fromarray(rng.choice([1.0, 255.0, np.nan], (h, w)).astype(np.float32))
    pixels = rng.integers(0, 256, (h, w, 3), np.uint8)
    pixels[: h // 2] = rng.choice([0, 128, 255])
    return Image.fromarray(pixels).convert(mode)


def encoded(rng: np.random.Generator, kind: str, size: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    try:
        picture(rng, str(rng.choice(MODES)), size).save(stream, kind)
    except (OSError, KeyError, ValueError):
        picture(rng, "RGB", size).save(stream, kind)
    return stream.getvalue()


def damaged(rng: np.random.Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for at in rng.integers(0, len(changed), 3):
        changed[at] = int(rng.integers(256))
    cut = int(rng.integers(1, len(changed)))
    ways = (changed, changed[:cut], changed[:cut].ljust(len(changed), b"\0"), b"", rng.bytes(99))
    return bytes(ways[int(rng.integers(len(ways)))])


def fill(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    size = ((24, 16), (16, 24), (40, 40), (7, 9))[int(rng.integers(4))]
    for name in rng.choice(NAMES, int(rng.integers(1, 6)), replace=False):
        ending = str(rng.choice(list(ENDINGS)))
        data = encoded(rng, ENDINGS[ending], size)
        (folder / f"{name}{ending}").write_bytes(data if rng.random() < 0.75 else damaged(rng, data))


def refusal(photos: Path, masks: Path | str) -> str | None:
    """Return what is said of a folder that is refused; none where it is read."""
    try:
        views, _ = load_views(photos, masks)
    except PointloomError as error:
        return str(error)
    assert all(np.isfinite(view.image).all() for view in views)
    return None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(4))
def test_random_folders_are_read_or_refused_by_name(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for number in range(8):
        photos, masks = tmp_path / f"{number}", tmp_path / f"{number}_masks"
        fill(photos, rng)
        fill(masks, rng)
        for given in ("auto", "none", masks):
            said = refusal(photos, given)
            assert said is None or any(str(tmp_path) in said or p.name in said for p in photos.iterdir())
            assert "object at 0x" not in (said or "")
