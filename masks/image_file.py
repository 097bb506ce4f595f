"""Opening picture files: decoding errors, EXIF, and formats that need an extra."""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from masks.errors import ImageError, MissingExtraError
from masks.exif import camera_facts, exif_of, orientation_of
from masks.folders.first_bytes import Content, content_of, is_heif
from masks.folders.strange_photos import require_whole
from masks.pixelmap import turn_upright
from masks.reading import reading

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF")
"""What is opened, by Pillow's names; HEIF besides, for its endings and first bytes. Pillow tries forty
formats otherwise, and hands a PostScript program to the interpreter, whatever the ending of its name."""

_MAX_PIXELS = 400_000_000
# A header may promise any size. Up to the first number of pixels it is believed (0.3 GB); beyond, each byte
# of the file may stand for so many pixels: no photo, and hardly a mask, is packed so densely.
_ALWAYS_PIXELS, _PIXELS_PER_BYTE = 1 << 26, 1 << 14
_STRIP_PIXELS = 1 << 20
_OPAQUE = 250
_HEAD = 1 << 12
"""Bytes that tell what a file is."""
_WHITES = (1023.0, 4095.0, 16383.0, 65535.0)
_HOT = 1e-4
"""Share of hot and stuck pixels, which have the file's largest number whatever the camera's bits."""
_HEADERS = threading.Lock()


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a picture file says of itself before its pixels are decoded."""

    path: Path
    size: tuple[int, int]
    """(width, height) as stored."""
    orientation: int
    """EXIF orientation, 1 when the file says nothing."""
    has_alpha: bool
    exif: dict[str, str | float]
    """What EXIF says of the camera, by the names of its tags, where it says it: texts that are not blank,
    numbers that are finite and positive."""
    deep: bool = False
    """Whether its levels have more than 8 bits."""
    white: float | None = None
    """The white of the set that it belongs to, where it is deep and the set was measured."""

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) as viewers show it."""
        return (self.size[1], self.size[0]) if self.orientation >= 5 else self.size


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture file, as stored (not turned)."""

    pixels: np.ndarray  # (H, W, 3) uint8
    alpha: np.ndarray | None  # (H, W) uint8; none when the file has no alpha channel
    content: str
    """Digest of the file's bytes."""


def probe_image(path: Path) -> ImageFacts:
    """Read a photo's header. Raises `ImageError` naming the file when it is missing, empty or no picture."""
    with _opened(path) as file:
        image = _header(path, file)
        with _decoding(path):
            exif = exif_of(image, file)
            return ImageFacts(
                path=path,
                size=image.size,
                orientation=orientation_of(exif),
                has_alpha=_has_alpha(image),
                exif=camera_facts(exif),
                deep=_is_deep(image) or _has_deep_colours(image),
            )


def probe_images(paths: Sequence[Path]) -> list[ImageFacts]:
    """Read the headers of photos that belong together; those of more than 8 bits are decoded to find the
    white that they share. Raises `ImageError` as `probe_image`.
    """
    facts = [probe_image(path) for path in paths]
    deep = [fact.path for fact in facts if fact.deep]
    if not deep:
        return facts
    white = white_of(deep)
    return [replace(fact, white=white) if fact.deep else fact for fact in facts]


def open_image(path: Path, white: float | None = None) -> Picture:
    """Decode a photo; one of more than 8 bits to the `white` of its set (`white_of`), none: to its own.

    Raises `ImageError` naming the file when it is missing, empty, truncated, no picture, or holds numbers
    that are not finite.

    Takes 7 bytes of memory a pixel at its peak, 8 with an alpha channel: 1.4 GB for 200 megapixels.
    """
    decoded = _decode(path)
    image = decoded.image
    with _decoding(path):
        levels = _deep_levels(decoded)
        pixels = _by_strips(image, _rgb) if levels is None else _eight_bit(levels, path, white)
        alpha = _by_strips(image, _alpha) if _has_alpha(image) else None
        return Picture(pixels, alpha, hashlib.sha256(decoded.data).hexdigest())


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A decoded mask file, as stored (not turned)."""

    levels: np.ndarray  # (H, W) of its own range and type: alpha, grey, or the brightest channel
    colours: np.ndarray | None  # (H, W, 3) uint8; none where the file has grey levels alone
    orientation: int
    """EXIF orientation, 1 when the file says nothing."""
    alpha: bool
    """Whether the levels are those of the alpha channel."""


def open_mask(path: Path) -> MaskFile:
    """Decode a mask file. Raises `ImageError` as `open_image`."""
    decoded = _decode(path)
    image = decoded.image
    with _decoding(path):
        # Pillow's `exif_transpose` would write the EXIF anew, and fail where another tag of it is damaged.
        orientation = orientation_of(image.getexif())
        if _has_alpha(image):
            alpha = _by_strips(image, _alpha)
            # Many programs write an alpha channel that is opaque everywhere, or nearly: it says nothing.
            if np.ptp(alpha) > 0 and alpha.min() < _OPAQUE:
                return MaskFile(alpha, None, orientation, True)
        levels = _deep_levels(decoded)
        if levels is not None and levels.ndim == 3:
            return MaskFile(levels.max(-1), _eight_bit(levels, path, None), orientation, False)
        if levels is not None or image.mode == "L":
            levels = _by_strips(image, np.asarray) if levels is None else levels
            return MaskFile(levels, None, orientation, False)
        colours = _by_strips(image, _rgb)
        return MaskFile(colours.max(-1), colours, orientation, False)


def open_levels(path: Path) -> np.ndarray:
    """Decode a mask file to grey levels (H, W) of its own range and type, turned upright as its EXIF asks.

    A picture whose alpha channel varies is a cut-out, and its alpha is the mask; else the brightest channel
    counts.
    """
    file = open_mask(path)
    return turn_upright(file.levels, file.orientation)


def _rgb(image: Image.Image) -> np.ndarray:
    # By way of the alpha channel, where there is one: Pillow knows no other way from some modes.
    return np.asarray(image.convert("RGBA").convert("RGB") if _has_alpha(image) else image.convert("RGB"))


def _alpha(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGBA").getchannel("A"))


def _by_strips(image: Image.Image, pixels_of: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """Return `pixels_of` of strips of rows, one below the other. Converting and copying the whole picture
    would take twice its memory, and that thrice for a large photo.
    """
    width, height = image.size
    step = max(1, _STRIP_PIXELS // width)
    first = pixels_of(image.crop((0, 0, width, min(step, height))))
    pixels = np.empty((height, *first.shape[1:]), first.dtype)
    pixels[: len(first)] = first
    for top in range(step, height, step):
        bottom = min(top + step, height)
        pixels[top:bottom] = pixels_of(image.crop((0, top, width, bottom)))
    return pixels


def _has_alpha(image: Image.Image) -> bool:
    """Tell whether a channel, a palette, or a transparent colour says what is opaque."""
    # Asked for a channel, Pillow clips levels of 16 bits; their one transparent colour is not worth it.
    return image.has_transparency_data and not _is_deep(image)


def _is_deep(image: Image.Image) -> bool:
    """Tell whether the levels have more than 8 bits: Pillow would clip them."""
    return image.mode.startswith("I") or image.mode == "F"


def _has_deep_colours(image: Image.Image) -> bool:
    """Tell whether a picture of several channels has 16 bits in each, as its header states: Pillow keeps the
    higher 8 of them.
    """
    if image.format == "PNG":
        # Before it is decoded Pillow tells it by the name of what it decodes from.
        return any(";16" in str(tile.args) for tile in image.tile) and not _is_deep(image)
    bits = image.tag_v2.get(258, ()) if isinstance(image, TiffImageFile) else ()
    return not _is_deep(image) and len(bits) > 1 and max(bits) == 16


def _deep_levels(decoded: _Decoded) -> np.ndarray | None:
    """Return the levels (H, W) of a picture of more than 8 bits, or (H, W, 3) of one of colours; none of
    another one.
    """
    if _is_deep(decoded.image):
        return _by_strips(decoded.image, np.asarray)
    if not decoded.deep_colours:
        return None
    pixels = cv2.imdecode(np.frombuffer(decoded.data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[:2] != decoded.image.size[::-1]:
        return None
    return pixels[..., 2::-1] if pixels.ndim == 3 else pixels


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if _is_heic(path):
        _register_heic(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be read ({error.strerror}). Check the path and its permissions."
        ) from error
    with file:
        yield file


def _header(path: Path, file: BinaryIO) -> Image.Image:
    """Return the picture that an open file holds, not decoded yet."""
    with _decoding(path):
        head = file.read(_HEAD)
        file.seek(0)
    if not head:
        raise ImageError(f"{path}: the file is empty (0 bytes). Copy it again from the camera or remove it.")
    heif = is_heif(head) or _is_heic(path)
    if heif:
        _register_heic(path)
    formats = (*FORMATS, "HEIF") if heif else FORMATS
    try:
        with _limit_of_pixels_lifted(), _decoding(path):
            image = Image.open(file, formats=formats)
    except ImageError as error:
        if not isinstance(error.__cause__, UnidentifiedImageError):
            raise
        content, called = content_of(path)
        kind = f"{called}, damaged or of a kind that is not read" if content is Content.PICTURE else called
        raise ImageError(
            f"{path}: cannot be decoded: {kind}, by its first bytes. Export it as JPEG or PNG, or remove it."
        ) from error
    if image.width * image.height > _MAX_PIXELS:
        raise ImageError(
            f"{path}: {image.width}x{image.height} pixels are more than pointloom opens "
            f"({_MAX_PIXELS // 1_000_000} megapixels). Export it at a smaller size."
        )
    return image


@dataclass(frozen=True, slots=True)
class _Decoded:
    image: Image.Image
    data: bytes
    """The file's."""
    deep_colours: bool


def _decode(path: Path) -> _Decoded:
    # Read once, for the digest and for the pixels: a file that changes in between would be kept under the
    # key of the other one.
    with _opened(path) as file, _decoding(path):
        data = file.read()
    image = _header(path, io.BytesIO(data))
    require_whole(path, data)
    if not 0 < image.width * image.height <= max(_ALWAYS_PIXELS, _PIXELS_PER_BYTE * len(data)):
        raise ImageError(
            f"{path}: its {len(data)} bytes cannot hold the {image.width}x{image.height} pixels that its "
            "header states. The file is damaged: export it again or remove it."
        )
    with _decoding(path):
        deep_colours = _has_deep_colours(image)
        image.load()
    return _Decoded(image, data, deep_colours)


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn whatever Pillow raises of a damaged file into an `ImageError`; its warnings of odd but harmless
    EXIF blocks are no news.
    """
    remedy = "The file is damaged or no picture: export it again or remove it."
    with reading(path, remedy, "cannot be decoded", ImageError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _limit_of_pixels_lifted() -> Iterator[None]:
    """Let Pillow read headers of more than 179 megapixels, which it takes for an attack: phones write 200.

    Our own limit is asked before a pixel is decoded. Pillow's is a global of its module, hence the lock.
    """
    with _HEADERS:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _is_heic(path: Path) -> bool:
    return path.suffix.lower() in (".heic", ".heif")


def _register_heic(path: Path) -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: HEIC photos need the extra 'heic'. Run: pip install 'pointloom[heic]'"
        ) from error
    pillow_heif.register_heif_opener()


def white_of(paths: Sequence[Path]) -> float:
    """Return what white is in photos of more than 8 bits, all together: the largest number of the fewest bits
    that hold their levels, but for hot pixels. Cameras write 10, 12 and 14 bits into 16.
    """
    brightest, pixels, above = 0.0, 0, np.zeros(len(_WHITES), np.int64)
    for path in paths:
        decoded = _decode(path)
        with _decoding(path):
            levels = _deep_levels(decoded)
            if levels is None:
                continue
            finite = levels[np.isfinite(levels)] if levels.dtype.kind == "f" else levels
            brightest = max(brightest, float(finite.max(initial=0)))
            pixels += finite.size
            above += [np.count_nonzero(finite > white) for white in _WHITES]
    holding = [white for white, count in zip(_WHITES, above) if count <= _HOT * pixels]
    return min(_white(brightest), *holding[:1]) if holding else _white(brightest)


def _white(brightest: float) -> float:
    if brightest <= 255:
        return max(brightest, 1.0)
    return next((white for white in _WHITES if brightest <= white), brightest)


def _eight_bit(levels: np.ndarray, path: Path, white: float | None) -> np.ndarray:
    """Return the pixels (H, W, 3) uint8 of levels (H, W) or (H, W, 3) of 16 bits or of floats."""
    if levels.dtype.kind == "f" and not np.isfinite(levels).all():
        raise ImageError(
            f"{path}: {int((~np.isfinite(levels)).sum())} pixels are no finite numbers. Export it again, "
            "with 8 or 16 bits a channel."
        )
    # Pillow does not say how many bits were meant.
    white = _white(float(levels.max())) if white is None else white
    pixels = np.empty((*levels.shape[:2], 3), np.uint8)
    step = max(1, _STRIP_PIXELS // levels.shape[1])
    for top in range(0, len(levels), step):
        part = levels[top : top + step].astype(np.float64)
        shown = np.clip(part / white * 255, 0, 255).round()
        pixels[top : top + step] = shown if shown.ndim == 3 else shown[..., None]
    return pixels
