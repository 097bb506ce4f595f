"""Opening picture files: decoding errors, EXIF, and formats that need an extra."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from masks.errors import ImageError, MissingExtraError

_MAX_PIXELS = 400_000_000
_UNDECODABLE = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


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
    """What EXIF says of the camera: Make, Model, LensModel, FocalLength, FocalLengthIn35mmFilm where
    present."""

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
    image, _ = _open(path)
    with _decoding(path):  # a PNG's EXIF may stand behind its pixels
        exif = image.getexif()
        facts = _camera_facts(exif)
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    return ImageFacts(
        path=path,
        size=image.size,
        orientation=orientation if orientation in range(1, 9) else 1,
        has_alpha="A" in image.getbands() or "transparency" in image.info,
        exif=facts,
    )


def open_image(path: Path) -> Picture:
    """Decode a photo. Raises `ImageError` naming the file when it is missing, empty, truncated or no
    picture.
    """
    image, content = _decode(path)
    alpha = None
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    return Picture(np.asarray(_eight_bit(image).convert("RGB")), alpha, content)


def open_levels(path: Path) -> np.ndarray:
    """Decode a mask file to grey levels (H, W) in its own range, turned upright as its EXIF asks.

    A picture whose alpha channel varies is a cut-out, and its alpha is the mask; else the brightest channel
    counts.
    """
    image, _ = _decode(path)
    with _decoding(path):
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return np.asarray(image, np.float32)
    rgba = np.asarray(image.convert("RGBA"))
    # Many programs write an alpha channel that is opaque everywhere: it says nothing.
    if np.ptp(rgba[..., 3]) > 0:
        return rgba[..., 3].astype(np.float32)
    return rgba[..., :3].max(-1).astype(np.float32)


def _open(path: Path) -> tuple[Image.Image, str]:
    """Return the picture, not decoded yet, and the digest of its file."""
    if path.suffix.lower() in (".heic", ".heif"):
        _register_heic(path)
    try:
        # Read once, for the digest and for the pixels: a file that changes in between would be kept under the
        # key of the other one.
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be read ({error.strerror}). Check the path and its permissions."
        ) from error
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes). Copy it again from the camera or remove it.")
    with _decoding(path):
        image = Image.open(io.BytesIO(data))
    if image.width * image.height > _MAX_PIXELS:
        raise ImageError(
            f"{path}: {image.width}x{image.height} pixels are more than pointloom opens. Export it at a "
            "smaller size."
        )
    return image, hashlib.sha256(data).hexdigest()


def _decode(path: Path) -> tuple[Image.Image, str]:
    image, content = _open(path)
    with _decoding(path):
        image.load()
    return image, content


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn whatever Pillow raises of a damaged file into an `ImageError`; its warnings of odd but harmless
    EXIF blocks are no news.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _UNDECODABLE as error:
        text = (
            f"{path}: cannot be decoded ({type(error).__name__}). The file is damaged or no picture: "
            "export it again or remove it."
        )
        raise ImageError(text) from error


def _register_heic(path: Path) -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: HEIC photos need the extra 'heic'. Run: pip install 'pointloom[heic]'"
        ) from error
    pillow_heif.register_heif_opener()


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit and float pictures, which Pillow would clip, to 8 bits."""
    if not (image.mode.startswith("I") or image.mode == "F"):
        return image
    levels = np.asarray(image, np.float64)
    # Pillow does not say how many bits were meant: what exceeds 8 bits counts as 16.
    white = 65535.0 if levels.max() > 255 else max(float(levels.max()), 1.0)
    return Image.fromarray(np.clip(levels / white * 255, 0, 255).round().astype(np.uint8))


def _camera_facts(exif: Image.Exif) -> dict[str, str | float]:
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    facts: dict[str, str | float] = {}
    for tag in (ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.LensModel):
        value = exif.get(tag, inner.get(tag))
        if isinstance(value, str) and value.strip(" \0"):
            facts[tag.name] = value.strip(" \0")
    for tag in (ExifTags.Base.FocalLength, ExifTags.Base.FocalLengthIn35mmFilm):
        value = inner.get(tag)
        try:
            number = float(value) if value is not None else 0.0
        except (TypeError, ValueError, ZeroDivisionError):
            continue
        if np.isfinite(number) and number > 0:
            facts[tag.name] = number
    return facts
