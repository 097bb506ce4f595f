"""What is believed of EXIF: the focal in pixels, and which photos come from one camera."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from masks.image_file import ImageFacts, probe_image
from pairs.views.exif_camera import camera_id, exif_focal, size_before_crop
from pairs.views.grid import Cropping, GridOptions
from pairs.views.load import LoadOptions, load_views

Tag = ExifTags.Base
SIZE = (96, 64)
DIAGONAL = math.hypot(*SIZE)


def exif_of(inner: dict[int, object], orientation: int = 1, model: str = "Camera") -> Image.Exif:
    exif = Image.Exif()
    exif[Tag.Orientation], exif[Tag.Model] = orientation, model
    exif.get_ifd(ExifTags.IFD.Exif).update(inner)
    return exif


def facts(folder: Path, inner: dict[int, object], size: tuple[int, int] = SIZE, **more: object) -> ImageFacts:
    path = folder / "a.jpg"
    Image.new("RGB", size).save(path, exif=exif_of(inner, **more))
    return probe_image(path)


def test_the_film_equivalent_is_an_angle_over_the_diagonal(tmp_path):
    # 43.27 mm is the diagonal of the film: a lens of that focal sees a photo whose focal is its diagonal.
    assert exif_focal(facts(tmp_path, {Tag.FocalLengthIn35mmFilm: 43})) == pytest.approx(DIAGONAL, rel=0.01)
    assert exif_focal(facts(tmp_path, {Tag.FocalLengthIn35mmFilm: 86})) == pytest.approx(
        2 * DIAGONAL, rel=0.01
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turn_changes_no_focal_and_no_camera(tmp_path, orientation):
    inner = {Tag.FocalLengthIn35mmFilm: 28, Tag.FocalLength: IFDRational(43, 10)}
    turned, upright = facts(tmp_path, inner, orientation=orientation), facts(tmp_path, inner)
    assert exif_focal(turned) == exif_focal(upright)
    assert camera_id(turned) == camera_id(upright)
    # The same photo, turned by other software that rewrote its pixels.
    assert exif_focal(facts(tmp_path, inner, SIZE[::-1])) == exif_focal(upright)


def test_a_sensor_of_known_pitch_serves_where_no_equivalent_is_stated(tmp_path):
    inner = {Tag.FocalLength: IFDRational(50, 1), Tag.FocalPlaneXResolution: IFDRational(40, 1)}
    for unit, per_mm in ((2, 40 / 25.4), (3, 4), (None, 40 / 25.4)):
        stated = inner if unit is None else {**inner, Tag.FocalPlaneResolutionUnit: unit}
        assert exif_focal(facts(tmp_path, stated)) == pytest.approx(50 * per_mm)
    assert exif_focal(facts(tmp_path, {**inner, Tag.FocalPlaneResolutionUnit: 1})) is None  # no unit at all
    both = {**inner, Tag.FocalLengthIn35mmFilm: 43}
    assert exif_focal(facts(tmp_path, both)) == pytest.approx(DIAGONAL, rel=0.01)


@pytest.mark.parametrize("size", [SIZE, SIZE[::-1]])
def test_the_pitch_is_that_of_the_picture_as_it_was_taken(tmp_path, size):
    inner = {
        Tag.FocalLength: IFDRational(50, 1),
        Tag.FocalPlaneXResolution: IFDRational(200, 1),
        Tag.FocalPlaneResolutionUnit: 3,
        Tag.ExifImageWidth: 4 * SIZE[0],
        Tag.ExifImageHeight: 4 * SIZE[1],
    }
    # 50 mm at 20 pixels a mm are 1000 pixels of the full picture, and a quarter of them in this export.
    assert exif_focal(facts(tmp_path, inner, size)) == pytest.approx(250)


@pytest.mark.parametrize("name", ["FocalLengthIn35mmFilm", "FocalPlaneXResolution", "ExifImageWidth"])
@pytest.mark.parametrize(
    "value",
    [
        IFDRational(50, 0),
        IFDRational(0, 0),
        IFDRational(0, 7),
        IFDRational(-50, 1),
        IFDRational(2**32 - 1, 1),
        IFDRational(1, 2**32 - 1),
        math.nan,
        math.inf,
        -math.inf,
        1e308,
        5e-324,
        (35, 36),
        "35 mm",
        "",
        b"\xff\x00",
    ],
    ids=repr,
)
def test_a_hostile_number_is_no_focal(tmp_path, name, value):
    sensor = {Tag.FocalLength: IFDRational(50, 1), Tag.FocalPlaneXResolution: IFDRational(40, 1)}
    fact = facts(tmp_path, {**(sensor if name != "FocalLengthIn35mmFilm" else {}), Tag[name]: value})
    focal = exif_focal(fact)
    if name != "ExifImageWidth":
        assert focal is None
    # A size that cannot be is no size: the pitch counts as it is, or the focal is not believed.
    else:
        assert focal is None or focal == pytest.approx(50 * 40 / 25.4)


@pytest.mark.parametrize("value", [IFDRational(50, 0), math.nan, -3.0, "x"], ids=repr)
def test_a_hostile_focal_length_names_no_camera(tmp_path, value):
    assert camera_id(facts(tmp_path, {Tag.FocalLength: value})) == "Camera 96x64"


def test_a_hostile_equivalent_leaves_the_sensor_to_speak(tmp_path):
    sensor = {Tag.FocalLength: IFDRational(50, 1), Tag.FocalPlaneXResolution: IFDRational(40, 1)}
    # 65535: what software writes for "unknown".
    assert exif_focal(facts(tmp_path, {**sensor, Tag.FocalLengthIn35mmFilm: 65535})) == pytest.approx(
        50 * 40 / 25.4
    )


def test_a_camera_is_body_lens_zoom_and_size(tmp_path):
    lens = {Tag.FocalLength: IFDRational(43, 10), Tag.LensModel: "Prime"}
    one = facts(tmp_path, lens)
    assert camera_id(one) == "Camera Prime 4.3 96x64"
    zoomed = facts(tmp_path, {**lens, Tag.FocalLength: IFDRational(86, 10)})
    others = [facts(tmp_path, lens, model="Other"), zoomed, facts(tmp_path, lens, (64, 64))]
    assert len({camera_id(fact) for fact in (one, *others)}) == 4
    assert camera_id(facts(tmp_path, {**lens, Tag.FocalLengthIn35mmFilm: 28})) == camera_id(one)


def test_a_crop_to_the_object_leaves_the_focal_of_the_photo(tmp_path):
    photos, masks = tmp_path / "images", tmp_path / "masks"
    for folder in (photos, masks):
        folder.mkdir()
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[16:48, 24:72] = 255
    for k, orientation in enumerate((1, 6)):
        pixels = np.random.default_rng(k).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
        inner = {Tag.FocalLengthIn35mmFilm: 43}
        Image.fromarray(pixels).save(photos / f"{k}.jpg", exif=exif_of(inner, orientation))
        Image.fromarray(mask if orientation == 1 else np.rot90(mask, -1)).save(masks / f"{k}.png")
    whole, _ = load_views(photos, masks)
    options = LoadOptions(grid=GridOptions(longest=32, crop=Cropping.ON))
    cropped, _ = load_views(photos, masks, options)
    assert cropped[0].pixel_map.crop != whole[0].pixel_map.crop
    for view in (*whole, *cropped):
        assert view.focal_exif == pytest.approx(DIAGONAL, rel=0.01)
        assert view.camera == "Camera 96x64"


def taken(folder: Path, size: tuple[int, int], stated: tuple[int, int], **more: float) -> ImageFacts:
    """Return the facts of a photo of `size` whose EXIF says that it had the size `stated`."""
    inner = {Tag.ExifImageWidth: stated[0], Tag.ExifImageHeight: stated[1], Tag.FocalLengthIn35mmFilm: 43}
    return facts(folder, {**inner, **{Tag[name]: value for name, value in more.items()}}, size)


@pytest.mark.parametrize("stated", [(96, 64), (64, 96)])
@pytest.mark.parametrize("size", [(60, 60), (96, 48), (40, 64), (64, 40)])
def test_a_crop_keeps_the_focal_of_the_whole_photo(tmp_path, size, stated):
    fact = taken(tmp_path, size, stated)
    assert sorted(size_before_crop(fact) or ()) == [64, 96]
    assert exif_focal(fact) == pytest.approx(DIAGONAL, rel=0.01)


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (48, 32), (32, 48), (50, 33), (192, 128)])
def test_a_resized_or_turned_photo_is_no_crop(tmp_path, size):
    fact = taken(tmp_path, size, (960, 640))
    assert size_before_crop(fact) is None
    assert exif_focal(fact) == pytest.approx(math.hypot(*size), rel=0.01)


@pytest.mark.parametrize("stated", [(60, 60), (96, 63), (1, 64), (2_000_000, 64)])
def test_sizes_that_cannot_be_the_whole_tell_no_crop(tmp_path, stated):
    assert size_before_crop(taken(tmp_path, SIZE, stated)) is None


def test_a_crop_keeps_the_pitch_of_the_sensor(tmp_path):
    inner = {
        Tag.FocalLength: IFDRational(5, 1),
        Tag.FocalPlaneXResolution: IFDRational(200, 1),
        Tag.FocalPlaneResolutionUnit: 3,
        Tag.ExifImageWidth: 96,
        Tag.ExifImageHeight: 64,
    }
    # 5 mm at 20 pixels a mm, whatever was cut away; in a copy of half the size, half of it.
    assert exif_focal(facts(tmp_path, inner, (60, 60))) == pytest.approx(100)
    assert exif_focal(facts(tmp_path, inner, (48, 32))) == pytest.approx(50)


def test_cropped_photos_are_named(tmp_path):
    for k, size in enumerate([(60, 60), (96, 64)]):
        pixels = np.random.default_rng(k).integers(0, 255, (*size[::-1], 3), np.uint8)
        inner = {Tag.ExifImageWidth: 96, Tag.ExifImageHeight: 64}
        Image.fromarray(pixels).save(tmp_path / f"{k}.jpg", exif=exif_of(inner))
    _, notices = load_views(tmp_path)
    (said,) = [notice.text for notice in notices if "cropped" in notice.text]
    assert said.startswith("0.jpg: cropped")
