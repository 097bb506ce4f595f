"""The command `pointloom masks`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from still_backdrops import StillSet, disc_before, iou, textured_backdrop

from align.cli.main import EXIT_OK, EXIT_USER, main
from masks.files import find_masks, list_photos
from masks.image_file import open_image, open_levels


@pytest.fixture
def still(tmp_path: Path) -> StillSet:
    found = disc_before(textured_backdrop())
    (tmp_path / "photos").mkdir()
    for k, photo in enumerate(found.photos):
        Image.fromarray(photo).save(tmp_path / "photos" / f"p{k}.jpg", quality=97)
    return found


def run(tmp_path: Path, *more: str) -> int:
    return main(["masks", str(tmp_path / "photos"), "--out", str(tmp_path / "masks"), *more])


def test_it_writes_masks_figures_and_a_sheet(tmp_path: Path, still: StillSet, capsys) -> None:
    assert run(tmp_path) == EXIT_OK
    told = capsys.readouterr()
    assert "12 masks" in told.out
    assert "backdrop stands still" in told.err
    found, unused = find_masks(list_photos([tmp_path / "photos"]), tmp_path / "masks")
    assert unused == ()
    for (file,), true in zip(found, still.masks):
        levels = open_levels(file)
        assert set(np.unique(levels)) == {0, 255}
        assert iou(levels > 127, true) > 0.93
    document = json.loads((tmp_path / "masks" / "masks.json").read_text())
    assert document["road"] == "still"
    assert [view["mask"] for view in document["views"]] == [f"p{k}.jpg.png" for k in range(12)]
    sheet = open_image(tmp_path / "masks" / "check" / "contact_sheet.png").pixels
    # The outlines' colour.
    assert (np.abs(sheet.astype(int) - (255, 122, 40)).max(axis=2) < 40).sum() > 500


def test_masks_that_are_there_are_not_replaced_without_force(tmp_path: Path, still: StillSet, capsys) -> None:
    (tmp_path / "masks").mkdir()
    corrected = tmp_path / "masks" / "p3.jpg.png"
    corrected.write_bytes(b"by hand")
    assert run(tmp_path) == EXIT_USER
    assert "p3.jpg.png there already" in capsys.readouterr().err
    assert corrected.read_bytes() == b"by hand"
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["p3.jpg.png"]
    assert run(tmp_path, "--force") == EXIT_OK
    assert corrected.read_bytes() != b"by hand"


def test_a_refusal_says_why_and_what_to_do_in_options(tmp_path: Path, capsys) -> None:
    (tmp_path / "photos").mkdir()
    for k in range(9):
        photo = disc_before(textured_backdrop(k), num_views=1).photos[0]
        Image.fromarray(photo).save(tmp_path / "photos" / f"{k}.png")
    assert run(tmp_path) == EXIT_USER
    told = capsys.readouterr().err
    assert "no backdrop that stands still" in told
    assert "--empty" in told
    assert not list((tmp_path / "masks").glob("*.png"))


def test_too_many_doubtful_masks_are_written_and_an_error(tmp_path: Path, still: StillSet, capsys) -> None:
    """Half of the photos show the backdrop alone."""
    empty = np.clip(still.backdrop, 0, 255).astype(np.uint8)
    for k in range(0, 12, 2):
        Image.fromarray(empty).save(tmp_path / "photos" / f"p{k}.jpg", quality=97)
    Image.fromarray(empty).save(tmp_path / "empty.jpg", quality=97)
    assert run(tmp_path, "--empty", str(tmp_path / "empty.jpg")) == EXIT_USER
    assert "6 of 12 masks are doubtful" in capsys.readouterr().err
    assert len(list((tmp_path / "masks").glob("*.png"))) == 12
    assert (tmp_path / "masks" / "check" / "p0.jpg").exists()


def test_clicks_on_the_object_and_beside_it_are_read(tmp_path: Path, still: StillSet, capsys) -> None:
    clicks = ["--not", "p0.jpg", "3", "4", "--not", "p1.jpg", "5", "6", "--point", "p2.jpg", "7", "8"]
    assert run(tmp_path, "--road", "still", "--stand", "keep", *clicks) == EXIT_USER
    assert "only the scene's road can be pointed at" in capsys.readouterr().err
    assert run(tmp_path, "--not", "other.jpg", "3", "4") == EXIT_USER
    assert "other.jpg: no photo has this name" in capsys.readouterr().err
