"""What a file is, by its first bytes: endings are often missing or wrong."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

_LENGTH = 1 << 14
_RAW_ENDINGS = [
    ".3fr",
    ".arw",
    ".bay",
    ".cap",
    ".cr2",
    ".cr3",
    ".dcr",
    ".dng",
    ".erf",
    ".fff",
    ".gpr",
    ".iiq",
    ".kdc",
    ".mef",
    ".mos",
    ".mrw",
    ".nef",
    ".nrw",
    ".orf",
    ".pef",
    ".ptx",
    ".raf",
    ".raw",
    ".rw2",
    ".rwl",
    ".sr2",
    ".srf",
    ".srw",
    ".x3f",
]
"""Raw files are TIFF by their first bytes, and hold a thumbnail that must not be taken for the photo."""
_SOUND_BOXES = (b"M4A ", b"M4B ", b"M4P ")
_FILM_PACKETS = (188, 192)
"""Bytes of a packet of a broadcast's or a camcorder's film; each begins with a G, the latter's behind four
bytes."""
_HEIF_BOXES = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_FILM_STARTS = (b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"FLV\x01", b"\x30\x26\xb2\x75")
_FOREIGN_STARTS = {
    b"8BPS": "a Photoshop file",
    b"gimp xcf": "a GIMP file",
    b"\x76\x2f\x31\x01": "an OpenEXR file",
    b"\xff\x0a": "a JPEG XL file",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL file",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 file",
    b"\xff\x4f\xff\x51": "a JPEG 2000 file",
    b"#?RADIANCE": "a Radiance file",
    b"FUJIFILMCCD-RAW": "a raw file",
    b"FOVb": "a raw file",
    b"DDS ": "a DDS file",
    b"SIMPLE  =": "a FITS file",
    b"BPG\xfb": "a BPG file",
}
_FOREIGN_ENDINGS = {
    ".tga": "a Targa file",
    ".pcx": "a PCX file",
    ".pbm": "a PNM file",
    ".pgm": "a PNM file",
    ".ppm": "a PNM file",
    ".pnm": "a PNM file",
    ".pfm": "a PFM file",
}
"""Formats whose first bytes say too little."""


class Content(StrEnum):
    """What a file is."""

    PICTURE = "a picture"
    ANIMATION = "an animation"
    FILM = "a film"
    RAW = "a raw file"
    FOREIGN = "a picture of another format"
    NO_FILE = "no file"
    OTHER = "no picture"


def content_of(path: Path) -> tuple[Content, str]:
    """Return what a file is, and what that is called; a file that cannot be read is no picture."""
    try:
        with path.open("rb") as file:
            head = file.read(_LENGTH)
    except OSError:
        return Content.OTHER, "cannot be read"
    if path.suffix.lower() in _RAW_ENDINGS:
        return Content.RAW, "a raw file"
    for start, name in _FOREIGN_STARTS.items():
        if head.startswith(start):
            return (Content.RAW if name == "a raw file" else Content.FOREIGN), name
    if head.startswith(b"GIF8"):
        return Content.ANIMATION, "a GIF"
    if (head[:4] == b"RIFF" and head[8:12] == b"AVI ") or head.startswith(_FILM_STARTS):
        return Content.FILM, "a film"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return _of_boxes(head)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        animated = head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)
        return (Content.ANIMATION, "an animated WebP") if animated else (Content.PICTURE, "WebP")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        before = head.find(b"IDAT")
        animated = b"acTL" in head[: before if before > 0 else len(head)]
        return (Content.ANIMATION, "an animated PNG") if animated else (Content.PICTURE, "PNG")
    if head.startswith((b"II*\0", b"MM\0*")):
        return (Content.RAW, "a raw file") if head[8:10] == b"CR" else (Content.PICTURE, "TIFF")
    if head.startswith(b"\xff\xd8\xff") or (head.startswith(b"BM") and head[6:10] == b"\0\0\0\0"):
        return Content.PICTURE, "JPEG" if head[:1] == b"\xff" else "BMP"
    if any(_is_packed(head, length) for length in _FILM_PACKETS):
        return Content.FILM, "a film"
    if path.suffix.lower() in _FOREIGN_ENDINGS and head:
        return Content.FOREIGN, _FOREIGN_ENDINGS[path.suffix.lower()]
    return Content.OTHER, "no picture"


def is_heif(head: bytes) -> bool:
    """Tell whether first bytes are those of a HEIF file, as phones write it."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BOXES


def _of_boxes(head: bytes) -> tuple[Content, str]:
    if is_heif(head):
        return Content.PICTURE, "HEIF"
    if head[8:11] == b"avi":
        return Content.FOREIGN, "an AVIF file"
    if head[8:12] == b"crx ":
        return Content.RAW, "a raw file"
    if head[4:8] == b"ftyp" and head[8:12] in _SOUND_BOXES:
        return Content.OTHER, "no picture"
    # Cameras invent brands (XAVC, M4VH, hvc1): of what is built so, the rest are films.
    return Content.FILM, "a film"


def _is_packed(head: bytes, length: int) -> bool:
    starts = head[length - _FILM_PACKETS[0] :: length]
    return starts[:3] == b"GGG"
