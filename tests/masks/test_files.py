"""Which files of a folder are photos, and which are masks of them."""

from pathlib import Path

import pytest

from masks.errors import ImageError, MaskError
from masks.files import find_masks, find_masks_beside, list_photos, natural_key


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_natural_order_puts_two_before_ten() -> None:
    assert sorted(["img10", "img2", "IMG1", "img02"], key=natural_key) == ["IMG1", "img02", "img2", "img10"]


def test_masks_beside_photos_are_not_photos(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "a.jpg",
        "b.jpg",
        "a.jpg.png",
        "b.jpg.mask.png",
        "a.mask.png",
        "b_mask.png",
        "notes.txt",
        ".c.jpg",
    )
    assert [p.name for p in list_photos([tmp_path])] == ["a.jpg", "b.jpg"]


def test_a_photo_that_merely_ends_in_mask_is_a_photo(tmp_path: Path) -> None:
    touch(tmp_path, "gas_mask.jpg", "other.jpg")
    assert [p.name for p in list_photos([tmp_path])] == ["gas_mask.jpg", "other.jpg"]


@pytest.mark.parametrize(
    "mask",
    ["a.jpg.png", "a.JPG.PNG", "a.jpg.mask.png", "a.mask.png", "a_mask.png", "a.png", "a.jpg", "a.jpeg"],
)
def test_every_convention_is_found(tmp_path: Path, mask: str) -> None:
    touch(tmp_path, "images/a.jpg", f"masks/{mask}")
    found, unused = find_masks([tmp_path / "images/a.jpg"], tmp_path / "masks")
    assert [path.name for path in found[0]] == [mask]
    assert unused == ()


@pytest.mark.parametrize("mask", ["a.jpg.png", "a.mask.png", "a_mask.png", ".mask/a.png", ".mask/a.jpg"])
def test_masks_beside_are_found(tmp_path: Path, mask: str) -> None:
    touch(tmp_path, "a.jpg", mask)
    assert find_masks_beside([tmp_path / "a.jpg"]) == ((tmp_path / mask,),)


def test_another_photo_of_the_same_stem_is_no_mask_beside(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.png")
    assert find_masks_beside([tmp_path / "a.jpg"]) == ((),)


def test_masks_of_no_photo_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/a.png", "masks/z.png")
    _, unused = find_masks([tmp_path / "images/a.jpg"], tmp_path / "masks")
    assert [p.name for p in unused] == ["z.png"]


def test_a_folder_of_foreign_masks_is_an_error_that_says_what_was_expected(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/z.png")
    with pytest.raises(MaskError, match=r"z\.png.*a\.jpg\.png"):
        find_masks([tmp_path / "images/a.jpg"], tmp_path / "masks")


def test_a_folder_without_photos_points_at_the_one_inside(tmp_path: Path) -> None:
    touch(tmp_path, "set/images/a.jpg")
    with pytest.raises(ImageError, match=r"did you mean .*images"):
        list_photos([tmp_path / "set"])


def test_equal_names_from_two_folders_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.jpg", "y/a.jpg")
    with pytest.raises(ImageError, match=r"called a\.jpg too"):
        list_photos([tmp_path / "x", tmp_path / "y"])


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="nowhere"):
        list_photos([tmp_path / "nowhere"])
