"""From folders of files to views."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from masks.errors import ImageError, MaskError
from masks.image_file import open_levels
from masks.load import Polarity
from masks.mask import Mask
from masks.notice import Level
from pairs.views.grid import Cropping, GridOptions
from pairs.views.load import LoadOptions, load_views
from pairs.views.view import grid_mask


def photos(folder: Path, count: int = 3, size: tuple[int, int] = (96, 64), **save: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        pixels = np.random.default_rng(k).integers(0, 255, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{k}.png", **save)
    return folder


def masks(
    folder: Path, count: int = 3, size: tuple[int, int] = (96, 64), empty: tuple[int, ...] = ()
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        pixels = np.zeros((size[1], size[0]), np.uint8)
        if k not in empty:
            pixels[16:48, 24:72] = 255
        Image.fromarray(pixels).save(folder / f"{k}.png")
    return folder


def test_views_come_with_masks_on_their_grid(tmp_path: Path) -> None:
    views, _ = load_views(photos(tmp_path / "images"), masks(tmp_path / "masks"))
    assert [v.name for v in views] == ["0.png", "1.png", "2.png"]
    assert grid_mask(views[0]).sum() == 32 * 48


def test_masks_may_be_handed_over_instead_of_files(tmp_path: Path) -> None:
    folder, options = photos(tmp_path / "images"), LoadOptions(Polarity.WHITE, erode_px=2)
    from_files, _ = load_views(folder, masks(tmp_path / "masks", empty=(1,)), options)
    pixels = [open_levels(tmp_path / "masks" / f"{k}.png") > 127 for k in range(3)]
    views, notices = load_views(folder, [Mask(mask, "mine") for mask in pixels], options)
    assert [v.grid_key for v in views] == [v.grid_key for v in from_files]
    np.testing.assert_array_equal(grid_mask(views[1]), grid_mask(from_files[1]))
    assert grid_mask(views[1]).sum() == 28 * 44
    assert [n.subject for n in notices if n.level is Level.LEFT_OUT] == ["1.png"]


def test_masks_of_other_photos_are_refused(tmp_path: Path) -> None:
    folder = photos(tmp_path / "images")
    mask = Mask(np.ones((64, 96), bool), "mine")
    with pytest.raises(MaskError, match="2 masks for 3 photos"):
        load_views(folder, [mask, mask])
    with pytest.raises(MaskError, match=r"1\.png: the mask is 64x96, the upright photo 96x64"):
        load_views(folder, [mask, Mask(np.ones((96, 64), bool), "mine"), mask])


def test_a_view_with_an_empty_mask_is_left_out_by_name(tmp_path: Path) -> None:
    views, notices = load_views(photos(tmp_path / "images"), masks(tmp_path / "masks", empty=(1,)))
    assert [v.name for v in views] == ["0.png", "2.png"]
    assert [n.subject for n in notices if n.level is Level.LEFT_OUT] == ["1.png"]


def test_one_usable_mask_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="only this view"):
        load_views(photos(tmp_path / "images"), masks(tmp_path / "masks", empty=(0, 1)))


def test_a_photo_without_a_mask_is_named(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"2\.png: no mask in"):
        load_views(photos(tmp_path / "images"), masks(tmp_path / "masks", count=2))


def test_one_photo_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="one photo is not enough"):
        load_views(photos(tmp_path / "images", count=1))


def test_one_photo_is_enough_where_a_scene_is_there_already(tmp_path: Path) -> None:
    views, _ = load_views(photos(tmp_path / "images", count=1), masks(tmp_path / "masks", count=1), fewest=1)
    assert [view.name for view in views] == ["0.png"]
    assert views[0].mask is not None


def test_alpha_channels_serve_as_masks_unless_refused(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    rgba = np.random.default_rng(0).integers(0, 255, (64, 96, 4), np.uint8)
    rgba[..., 3] = 0
    rgba[10:50, 20:70, 3] = 255
    for k in range(2):
        Image.fromarray(rgba).save(folder / f"{k}.png")
    views, _ = load_views(folder)
    assert views[0].mask is not None
    assert views[0].mask.source == "alpha channel"
    unmasked, _ = load_views(folder, "none")
    assert unmasked[0].mask is None


def test_twins_are_warned_of(tmp_path: Path) -> None:
    folder = photos(tmp_path / "images")
    (folder / "3.png").write_bytes((folder / "0.png").read_bytes())
    _, notices = load_views(folder)
    assert any(n.subject == "3.png" and "same photo as 0.png" in n.text for n in notices)


def test_a_turned_photo_gives_the_same_upright_view(tmp_path: Path) -> None:
    upright = np.random.default_rng(5).integers(0, 255, (96, 64, 3), np.uint8)
    exif = Image.Exif()
    exif[274] = 6
    for name, pixels, options in (("a.png", upright, {}), ("b.png", np.rot90(upright), {"exif": exif})):
        Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / name, **options)
    (plain, turned), _ = load_views(tmp_path)
    np.testing.assert_array_equal(turned.image, plain.image)
    assert turned.photo_size == plain.photo_size == (64, 96)


def test_any_byte_of_photo_or_mask_changes_the_key(tmp_path: Path) -> None:
    before, _ = load_views(photos(tmp_path / "images"), masks(tmp_path / "masks"))
    pixels = np.array(Image.open(tmp_path / "masks/1.png"))
    pixels[20, 30] = 0
    Image.fromarray(pixels).save(tmp_path / "masks/1.png")
    after, _ = load_views(tmp_path / "images", tmp_path / "masks")
    assert [a.grid_key == b.grid_key for a, b in zip(before, after)] == [True, False, True]


def test_cropping_to_the_object_keeps_intrinsics_exact(tmp_path: Path) -> None:
    options = LoadOptions(grid=GridOptions(longest=48, crop=Cropping.ON))
    views, _ = load_views(photos(tmp_path / "images"), masks(tmp_path / "masks"), options)
    pixel_map = views[0].pixel_map
    assert max(pixel_map.target_size) <= 48
    assert pixel_map.crop[0] > 0
    assert pixel_map.scale[0] == pytest.approx(pixel_map.scale[1], rel=0.02)


def test_small_objects_are_cropped_to_by_default_and_it_is_said(tmp_path: Path) -> None:
    options = LoadOptions(grid=GridOptions(longest=48))
    # Alpha channels are known only with their photos, which then lie on another grid.
    by_files = load_views(photos(tmp_path / "images"), masks(tmp_path / "masks"), options)
    by_alpha = load_views(cut_outs(tmp_path / "cut_outs", 3), options=options)
    for views, notices in (by_files, by_alpha):
        assert [notice.subject for notice in notices if "cut down" in notice.text] == ["grid"]
        assert all(view.pixel_map.crop[2] < 96 for view in views)
        assert {view.grid.crop for view in views if view.grid} == {Cropping.ON}
    stated = LoadOptions(grid=GridOptions(longest=48, crop=Cropping.ON))
    at_once, _ = load_views(tmp_path / "cut_outs", options=stated)
    for view, same in zip(at_once, by_alpha[0]):
        np.testing.assert_array_equal(view.image, same.image)
        assert view.grid_key == same.grid_key
    whole, notices = load_views(tmp_path / "images", "none", options)
    assert whole[0].pixel_map.crop[2] == 96
    assert not any("cut down" in notice.text for notice in notices)


def cut_outs(folder: Path, count: int, size: tuple[int, int] = (96, 64), opaque: bool = False) -> Path:
    folder.mkdir()
    w, h = size
    for k in range(count):
        rgba = np.random.default_rng(k).integers(0, 255, (h, w, 4), np.uint8)
        rgba[..., 3] = 255 if opaque else 0
        rgba[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4, 3] = 255
        Image.fromarray(rgba).save(folder / f"{k}.png", compress_level=0)
    return folder


def test_photos_with_alpha_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    prepare = PngImageFile.load_prepare  # Pillow calls it when it begins to decode a PNG's pixels.
    monkeypatch.setattr(PngImageFile, "load_prepare", lambda self: decoded.append(self) or prepare(self))
    load_views(cut_outs(tmp_path / "images", 3))
    assert len(decoded) == 3


def test_opaque_alpha_channels_are_no_masks(tmp_path: Path) -> None:
    views, notices = load_views(cut_outs(tmp_path / "images", 2, opaque=True))
    assert [view.mask for view in views] == [None, None]
    assert any("no masks" in notice.text for notice in notices)


def test_a_cut_out_among_plain_photos_is_an_error_that_names_the_plain_one(tmp_path: Path) -> None:
    folder = cut_outs(tmp_path / "images", 2)
    Image.new("RGB", (96, 64)).save(folder / "plain.png")
    with pytest.raises(MaskError, match=r"plain\.png: has no alpha channel"):
        load_views(folder)
    views, _ = load_views(folder, "none")
    assert len(views) == 3


@pytest.mark.parametrize("how", ["folder", "alpha"])
def test_a_further_photo_costs_its_grid_and_a_bit_a_pixel(tmp_path: Path, how: str) -> None:
    size = (640, 480)
    folder = cut_outs(tmp_path / "images", 6, size)
    masks_folder = masks(tmp_path / "masks", 6, size) if how == "folder" else "auto"
    options, peaks = LoadOptions(grid=GridOptions(longest=64)), []
    for count in (2, 6):
        tracemalloc.start()
        load_views([folder / f"{k}.png" for k in range(count)], masks_folder, options)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    grid = 64 * 48 * 3
    assert (peaks[1] - peaks[0]) / 4 < 1.2 * (640 * 480 / 8 + grid)
