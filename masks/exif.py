"""What EXIF says of a picture: how it is to be turned, and the camera."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

_CAMERA_TEXTS = (ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.LensModel)
_CAMERA_NUMBERS = (
    ExifTags.Base.FocalLength,
    ExifTags.Base.FocalLengthIn35mmFilm,
    ExifTags.Base.FocalPlaneXResolution,
    ExifTags.Base.FocalPlaneResolutionUnit,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
)


def exif_of(image: Image.Image, file: BinaryIO) -> Image.Exif:
    """Return what EXIF a picture has, without decoding it where that can be."""
    # A PNG's may stand behind its pixels: where none is in front, Pillow decodes the picture to look for it.
    if image.format == "PNG" and not _speaks_behind_its_pixels(file):
        return Image.Image.getexif(image)
    return image.getexif()


def _speaks_behind_its_pixels(file: BinaryIO) -> bool:
    """Tell whether a PNG file holds EXIF, or text that may be EXIF, behind its pixels; its position stays."""
    before, at, behind = file.tell(), 8, False
    try:
        while len(head := file.read(8) if file.seek(at) == at else b"") == 8:
            length, name = struct.unpack(">I4s", head)
            if behind and name in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            behind = behind or name == b"IDAT"
            at += 12 + length
        return False
    finally:
        file.seek(before)


def orientation_of(exif: Image.Exif) -> int:
    """Return how the picture is to be turned: 1, as it is, where EXIF says nothing that can be."""
    stated = exif.get(ExifTags.Base.Orientation, 1)
    # A file may hold it in another type than the standard's; a fraction equal to 6 is a 6.
    return next((k for k in range(1, 9) if k == stated), 1)


def camera_facts(exif: Image.Exif) -> dict[str, str | float]:
    """Return what EXIF says of the camera, by the names of its tags: texts that are not blank, numbers that
    are finite and positive.
    """
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    facts: dict[str, str | float] = {}
    for tag in _CAMERA_TEXTS:
        value = exif.get(tag, inner.get(tag))
        if isinstance(value, str) and value.strip(" \0"):
            facts[tag.name] = value.strip(" \0")
    for tag in _CAMERA_NUMBERS:
        value = inner.get(tag)
        try:
            number = float(value) if value is not None else 0.0
        except (TypeError, ValueError, ZeroDivisionError):
            continue
        if np.isfinite(number) and number > 0:
            facts[tag.name] = number
    return facts
