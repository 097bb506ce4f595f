"""Masks by their names, whatever joins these to the photos'."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from given_masks import painted, photo, photo_shape, true_mask, write

from masks.files import find_masks, find_masks_beside, list_photos
from masks.given.candidates import chosen
from masks.given.twins import twins_of


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


Form = Literal["NFC", "NFD"]
WAYS = ["{}-mask", "{}_alpha", "mask_{}", "{} mask", "{}.jpg-mask", "{}-removebg-seg", "seg-{}"]


@pytest.mark.parametrize("way", WAYS)
def test_files_that_are_called_after_all_photos_in_one_way(tmp_path: Path, way: str) -> None:
    photos = [f"{k}.jpg" for k in (1, 2, 11)]
    touch(tmp_path, *photos, *(f"{way.format(k)}.png" for k in (1, 2, 11)))
    listed = list_photos([tmp_path])
    assert [path.name for path in listed] == photos
    found = find_masks_beside(listed)
    assert [path.name for (path,) in found] == [f"{way.format(k)}.png" for k in (1, 2, 11)]


@pytest.mark.parametrize("way", ["{}_x", "m{}"])
def test_in_a_folder_of_masks_any_one_way_counts(tmp_path: Path, way: str) -> None:
    touch(
        tmp_path,
        *(f"images/a{k}.jpg" for k in range(3)),
        *(f"masks/{way.format(f'a{k}')}.png" for k in range(3)),
    )
    photos = list_photos([tmp_path / "images"])
    found, unused = find_masks(photos, tmp_path / "masks")
    assert [len(paths) for paths in found] == [1, 1, 1]
    assert unused == ()


def test_another_word_before_the_number_counts(tmp_path: Path) -> None:
    touch(
        tmp_path, *(f"images/photo_0{k}.jpg" for k in range(3)), *(f"masks/mask_0{k}.png" for k in range(3))
    )
    found, _ = find_masks(list_photos([tmp_path / "images"]), tmp_path / "masks")
    assert [path.name for (path,) in found] == ["mask_00.png", "mask_01.png", "mask_02.png"]


@pytest.mark.parametrize(("photo_form", "mask_form"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_written_in_two_ways(tmp_path: Path, photo_form: Form, mask_form: Form) -> None:
    names = [unicodedata.normalize(form, "Löwe_ä1") for form in (photo_form, mask_form)]
    assert names[0] != names[1]
    touch(tmp_path, f"images/{names[0]}.jpg", f"masks/{names[1]}.png")
    found, unused = find_masks(list_photos([tmp_path / "images"]), tmp_path / "masks")
    assert [len(paths) for paths in found] == [1]
    assert unused == ()


def test_two_ways_are_none_and_one_photo_without_a_twin_is_none() -> None:
    paths = {stem: [Path(stem)] for stem in ("a_x", "b_x", "a_y", "b_y")}
    assert twins_of(["a.jpg", "b.jpg"], paths, False) is None
    assert twins_of(["a.jpg", "b.jpg"], {"a_x": [Path("a_x")]}, False) is None
    assert (
        twins_of(["a.jpg", "b.jpg"], {**paths, "a_mask": [Path("m")], "b_mask": [Path("n")]}, True)
        is not None
    )
    assert twins_of(["1.jpg", "2.jpg"], {"11_mask": [Path("m")], "12_mask": [Path("n")]}, True) is None


def test_of_two_candidates_the_one_of_two_levels_is_taken_and_said(tmp_path: Path) -> None:
    shape = photo_shape(write(tmp_path / "images" / "a.png", photo()))
    write(tmp_path / "masks" / "a.jpg", painted(0, (0, 0, 0)))
    write(tmp_path / "masks" / "a.png", true_mask() * np.uint8(255))
    write(tmp_path / "masks" / "a-alpha.png", painted(0, (255, 255, 255)))
    assert shape.path is not None
    found, unused = find_masks([shape.path], tmp_path / "masks")
    assert len(found[0]) == 3
    assert unused == ()
    (taken,), (notice,), _ = chosen(found, [shape])
    assert taken.name == "a.png"
    assert "a.png (two levels), not a.jpg" in notice.text
    assert notice.level == "info"


def test_two_masks_that_differ_are_named(tmp_path: Path) -> None:
    shape = photo_shape(write(tmp_path / "images" / "a.png", photo()))
    one = write(tmp_path / "masks" / "a.png", true_mask() * np.uint8(255))
    other = write(tmp_path / "masks" / "a_mask.png", true_mask(5) * np.uint8(255))
    (taken,), (notice,), _ = chosen([(other, one)], [shape])
    assert taken == other
    assert notice.level == "warning"
    assert "a_mask.png, not a.png" in notice.text
    assert chosen([(one, one)], [shape])[1] == ()
