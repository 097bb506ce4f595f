"""Opening picture files, good and bad."""

import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL
import pytest
from PIL import ExifTags, Image

from masks.errors import ImageError, MissingExtraError
from masks.image_file import open_image, open_levels, probe_image, probe_images
from masks.pixelmap import turn_upright


def photo(path: Path, orientation: int = 1, focal35: int = 0) -> Path:
    image = Image.fromarray(np.arange(60 * 40 * 3, dtype=np.uint8).reshape(40, 60, 3))
    exif = Image.Exif()
    exif[274] = orientation
    exif[271] = "Maker"
    if focal35:
        exif.get_ifd(0x8769)[41989] = focal35
    image.save(path, exif=exif)
    return path


def test_the_header_tells_size_turn_and_lens(tmp_path: Path) -> None:
    facts = probe_image(photo(tmp_path / "a.jpg", orientation=6, focal35=28))
    assert (facts.size, facts.upright_size, facts.orientation) == ((60, 40), (40, 60), 6)
    assert facts.exif == {"Make": "Maker", "FocalLengthIn35mmFilm": 28.0}


def test_pixels_are_as_stored(tmp_path: Path) -> None:
    assert open_image(photo(tmp_path / "a.png", orientation=6)).pixels.shape == (40, 60, 3)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageError, match=r"a\.jpg: the file is empty"):
        probe_image(tmp_path / "a.jpg")


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=r"a\.png: cannot be decoded"):
        open_image(path)


def test_a_text_file_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(ImageError, match="no picture"):
        probe_image(tmp_path / "a.jpg")


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 32768, np.uint16)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").pixels[0, 0].tolist() == [128, 128, 128]


def test_alpha_is_read_beside_the_colours(tmp_path: Path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[2:5, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    picture = open_image(tmp_path / "a.png")
    assert picture.alpha is not None
    assert picture.alpha.max() == 255
    assert open_levels(tmp_path / "a.png")[3, 0] == 255


def header_of(path: Path, width: int, height: int) -> Path:
    """Write a PNG that says it has so many pixels, and holds none."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", b""),
        (b"IEND", b""),
    ]
    data = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(data))
    return path


def test_a_photo_of_two_hundred_megapixels_is_a_photo(tmp_path: Path) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    assert probe_image(header_of(tmp_path / "a.png", 16320, 12240)).size == (16320, 12240)
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("read", [probe_image, open_image, open_levels])
def test_too_many_pixels_are_refused_as_such(tmp_path: Path, read) -> None:
    path = header_of(tmp_path / "a.png", 25000, 20000)
    with pytest.raises(ImageError, match=r"a\.png: 25000x20000 pixels are more .* smaller size"):
        read(path)


COLOURS = np.array([[200, 40, 10], [30, 60, 220], [250, 250, 0]], np.uint8)
"""Three columns, four pixels wide each, so that a JPEG keeps them apart."""


def columns(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.repeat(values[None], 16, 0), 16, 1)


_YCBCR_TIFF = pytest.param(
    "YCbCr",
    "tif",
    marks=pytest.mark.skipif(
        int(PIL.__version__.split(".")[0]) < 13, reason="Pillow cannot read what it writes before 13"
    ),
)


@pytest.mark.parametrize(
    ("mode", "ending"), [("CMYK", "tif"), ("CMYK", "jpg"), _YCBCR_TIFF, ("YCbCr", "jpg"), ("LAB", "tif")]
)
def test_other_colour_spaces_become_rgb(tmp_path: Path, mode: str, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(columns(COLOURS)).convert(mode).save(path)
    assert not probe_image(path).has_alpha
    picture = open_image(path)
    assert picture.alpha is None
    np.testing.assert_allclose(picture.pixels[8, 8::16].astype(int), COLOURS, atol=15)
    np.testing.assert_allclose(open_levels(path)[8, 8::16].astype(int), COLOURS.max(1), atol=15)


@pytest.mark.parametrize(
    ("mode", "transparency", "expected"),
    [
        ("P", 1, [255, 0, 255]),
        ("P", bytes([255, 0, 100]), [255, 0, 100]),
        ("RGB", (30, 60, 220), [255, 0, 255]),
        ("L", 80, [255, 0, 255]),
    ],
)
def test_a_transparent_colour_is_an_alpha_channel(tmp_path: Path, mode, transparency, expected) -> None:
    if mode == "P":
        image = Image.fromarray(columns(np.array([0, 1, 2], np.uint8)))
        image.putpalette(COLOURS.tobytes())
    else:
        image = Image.fromarray(columns(COLOURS if mode == "RGB" else np.array([200, 80, 120], np.uint8)))
    image.save(tmp_path / "a.png", transparency=transparency)
    assert probe_image(tmp_path / "a.png").has_alpha
    picture = open_image(tmp_path / "a.png")
    assert picture.alpha is not None
    assert picture.alpha[0, ::16].tolist() == expected
    assert open_levels(tmp_path / "a.png")[0, ::16].tolist() == expected
    if mode != "L":
        np.testing.assert_array_equal(picture.pixels[0, ::16], COLOURS)


def test_sixteen_bits_with_a_transparent_level_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 32768, np.uint16)).save(tmp_path / "a.png", transparency=5)
    assert not probe_image(tmp_path / "a.png").has_alpha
    assert open_image(tmp_path / "a.png").pixels[0, 0].tolist() == [128, 128, 128]
    assert open_levels(tmp_path / "a.png")[0, 0] == 32768


@pytest.mark.parametrize("array", [np.uint8([[0, 200]]), np.uint16([[0, 40000]]), np.float32([[0.0, 0.7]])])
def test_levels_are_as_stored(tmp_path: Path, array: np.ndarray) -> None:
    Image.fromarray(array).save(tmp_path / "a.tif")
    levels = open_levels(tmp_path / "a.tif")
    assert levels.dtype == array.dtype
    np.testing.assert_array_equal(levels, array)


@pytest.mark.parametrize("ending", ["heic", "HEIF"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_heic_photo_comes_back_with_its_size_turn_and_lens(
    tmp_path: Path, ending: str, orientation: int
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC is an extra (pip install pointloom[heic])")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Maker", orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 28
    path = tmp_path / f"a.{ending}"
    image = Image.fromarray(columns(COLOURS))
    # From here, not from an argument, a turn comes into HEIC's own property of it, which phones write.
    image.info["exif"] = exif.tobytes()
    image.save(path, format="HEIF", quality=95)
    facts, picture = probe_image(path), open_image(path)
    assert facts.exif == {"Make": "Maker", "FocalLengthIn35mmFilm": 28.0}
    assert facts.upright_size == ((48, 16) if orientation == 1 else (16, 48))
    assert (facts.has_alpha, picture.alpha) == (False, None)
    assert picture.pixels.shape == (facts.size[1], facts.size[0], 3)
    upright = turn_upright(picture.pixels, facts.orientation)
    colours = upright[8, 8::16] if orientation == 1 else upright[8::16, 8]
    np.testing.assert_allclose(colours.astype(int), COLOURS, atol=8)


def test_a_heic_cut_out_keeps_its_alpha(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC is an extra (pip install pointloom[heic])")
    pillow_heif.register_heif_opener()
    rgba = np.full((32, 32, 4), 90, np.uint8)
    rgba[..., 3] = 255 * (np.arange(32) < 16)
    Image.fromarray(rgba).save(tmp_path / "a.heic", format="HEIF", quality=-1)
    assert probe_image(tmp_path / "a.heic").has_alpha
    np.testing.assert_array_equal(open_levels(tmp_path / "a.heic"), rgba[..., 3])


def test_a_damaged_heic_photo_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif", reason="HEIC is an extra (pip install pointloom[heic])")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    with pytest.raises(ImageError, match=r"a\.heic: cannot be decoded"):
        open_image(tmp_path / "a.heic")


def test_a_heic_photo_without_the_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    for read in (probe_image, open_image, open_levels):
        with pytest.raises(MissingExtraError, match=r"a\.heic: .*pip install 'pointloom\[heic\]'"):
            read(tmp_path / "a.heic")


@pytest.mark.parametrize("form", ["PPM", "TGA", "DDS", "ICO", "PCX", "EPS"])
def test_formats_that_are_not_documented_are_no_pictures(tmp_path: Path, form: str) -> None:
    Image.fromarray(columns(COLOURS)).save(tmp_path / "a.jpg", format=form)
    for read in (probe_image, open_image, open_levels):
        with pytest.raises(ImageError, match=r"a\.jpg: cannot be decoded: .*by its first bytes"):
            read(tmp_path / "a.jpg")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_photo_of_floats_holds_finite_numbers(tmp_path: Path, value: float) -> None:
    levels = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    Image.fromarray(levels).save(tmp_path / "a.tif")
    assert open_image(tmp_path / "a.tif").pixels[-1, -1].tolist() == [255, 255, 255]
    levels[3, 4] = value
    Image.fromarray(levels).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif: 1 pixels are no finite numbers\. Export it again"):
        open_image(tmp_path / "a.tif")


def test_a_header_that_its_bytes_cannot_fill_takes_no_memory(tmp_path: Path) -> None:
    path = header_of(tmp_path / "a.png", 16320, 12240)
    for read in (open_image, open_levels):
        with pytest.raises(ImageError, match="57 bytes cannot hold the 16320x12240 pixels"):
            read(path)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "CMYK", "I;16", "F"])
def test_strips_give_the_whole_picture(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (37, 40, 4), np.uint8), "RGBA")
    path = tmp_path / ("a.tif" if mode in ("CMYK", "F") else "a.png")
    (noise if mode == "RGBA" else noise.convert("L" if mode in ("I;16", "LA") else "RGB").convert(mode)).save(
        path
    )
    whole = open_image(path), open_levels(path)
    monkeypatch.setattr("masks.image_file._STRIP_PIXELS", 40 * 7)
    strips = open_image(path), open_levels(path)
    np.testing.assert_array_equal(strips[0].pixels, whole[0].pixels)
    np.testing.assert_array_equal(strips[0].alpha, whole[0].alpha)
    np.testing.assert_array_equal(strips[1], whole[1])


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_of_colours_are_scaled_by_the_white_of_the_set(
    tmp_path: Path, ending: str, channels: int
) -> None:
    brightest = (4000, 900)
    paths = [tmp_path / f"{k}.{ending}" for k in range(2)]
    for path, top in zip(paths, brightest):
        levels = np.full((30, 40, channels), 65535, np.uint16)
        # OpenCV writes blue first.
        levels[..., :3] = top * np.array([0.25, 0.5, 1.0])
        cv2.imwrite(str(path), levels)
    facts = probe_images(paths)
    assert [fact.white for fact in facts] == [4095, 4095]
    assert all(fact.deep for fact in facts)
    for fact, top in zip(facts, brightest):
        pixels = open_image(fact.path, fact.white).pixels
        np.testing.assert_allclose(pixels[5, 5], top / 4095 * 255 * np.array([1, 0.5, 0.25]), atol=0.6)
    assert open_levels(paths[0])[3, 3] == 4000
