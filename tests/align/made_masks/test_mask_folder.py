"""A folder of made masks, and masks that lie there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from align.made_masks.mask_folder import require_no_masks, require_same_masks, write_mask_folder
from masks.errors import OutputError
from masks.files import find_masks
from masks.image_file import open_levels
from masks.making.check import MaskFigures
from masks.making.choice import Choice, Road
from masks.making.made import MadeMasks
from masks.mask import Mask
from masks.notice import warning

PHOTOS = [Path("photos") / name for name in ("000.png", "001.png")]


def made(photos: Sequence[Path] = PHOTOS) -> MadeMasks:
    masks, figures = [], []
    for k, photo in enumerate(photos):
        pixels = np.zeros((60, 80), bool)
        pixels[10 + k : 40, 20:60] = True
        masks.append(Mask(pixels, "made: test"))
        # The second jumps.
        figures.append(MaskFigures(photo.name, float(pixels.mean()), 1, 0.0, 0.0, 0.0, 1.0 + k))
    pictures = (np.full((30, 40, 3), 90, np.uint8),) * len(masks)
    said = (warning("masks", "something"),)
    return MadeMasks(tuple(masks), pictures, tuple(figures), Choice(Road.PLAIN, "it is plain"), said)


def save(mask: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return path


def test_what_is_written_is_found_as_masks_and_nothing_else_is(tmp_path: Path) -> None:
    write_mask_folder(tmp_path, made())
    found, unused = find_masks(PHOTOS, tmp_path)
    assert unused == ()
    for (path,), mask in zip(found, made().masks):
        np.testing.assert_array_equal(open_levels(path) == 255, mask.pixels)
        np.testing.assert_array_equal(open_levels(path) == 0, ~mask.pixels)
    document = json.loads((tmp_path / "masks.json").read_text())
    assert (document["road"], document["reason"]) == ("plain", "it is plain")
    assert [view["mask"] for view in document["views"]] == ["000.png.png", "001.png.png"]
    assert [bool(view["doubts"]) for view in document["views"]] == [False, True]
    assert document["notices"] == [{"level": "warning", "subject": "masks", "text": "something"}]
    # Only what is doubtful has a picture of its own.
    assert sorted(path.name for path in (tmp_path / "check").iterdir()) == ["001.jpg", "contact_sheet.png"]


@pytest.mark.parametrize("name", ["001.png.png", "001.png", "001.jpg", "001_mask.png", "001.mask.tif"])
def test_masks_by_any_name_that_masks_have_are_there(tmp_path: Path, name: str) -> None:
    save(np.zeros((60, 80), bool), tmp_path / name)
    with pytest.raises(OutputError, match=f"{name} there already"):
        require_no_masks(tmp_path, PHOTOS)


def test_nothing_is_there_in_a_folder_of_other_things(tmp_path: Path) -> None:
    require_no_masks(tmp_path / "missing", PHOTOS)
    save(np.zeros((60, 80), bool), tmp_path / "other.png")
    save(np.zeros((60, 80), bool), tmp_path / "check" / "000.png")
    (tmp_path / "masks.json").write_text("{}")
    require_no_masks(tmp_path, PHOTOS)
    require_same_masks(tmp_path, PHOTOS, made())


def test_photos_themselves_are_not_masks_that_are_there(tmp_path: Path) -> None:
    photos = [save(np.zeros((60, 80), bool), tmp_path / name) for name in ("000.png", "001.png")]
    require_no_masks(tmp_path, photos)


@pytest.mark.parametrize("name", ["001.png.png", "001.png"])
def test_the_same_masks_may_be_there_and_others_may_not(tmp_path: Path, name: str) -> None:
    path = save(made().masks[1].pixels, tmp_path / name)
    require_same_masks(tmp_path, PHOTOS, made())
    save(~made().masks[1].pixels, path)
    with pytest.raises(OutputError, match=f"{name}: is another mask"):
        require_same_masks(tmp_path, PHOTOS, made())
    save(made().masks[1].pixels[::2, ::2], path)
    with pytest.raises(OutputError, match=f"{name}: is another mask"):
        require_same_masks(tmp_path, PHOTOS, made())
