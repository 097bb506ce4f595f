"""Pictures in the place of photos that are none, or only a part of one: they decode without complaint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from masks.errors import ImageError
from masks.notice import Notice, first_few, warning

_TAIL = 1 << 10
_FILLED = 128
"""What decoders of JPEG fill in for blocks that are not there."""
_BAND = 0.05
"""Of a side: less than a row or two of blocks is not worth a word."""
_LEVEL, _OTHERWISE = 8, 0.005
"""Grey values around black and white, and the share of pixels that may be elsewhere: rims, compression."""
_LEAST_SIDE = 0.002


def require_whole(photo: Path, data: bytes) -> None:
    """Raise `ImageError` for the bytes of a JPEG file that ends in zeros instead of its end: a copy that
    broke off, of a file whose size was known before. Decoders fill in what is missing.
    """
    # Some cameras pad their files behind the end: it is looked for only where zeros stand.
    if not data.startswith(b"\xff\xd8\xff") or any(data[-_TAIL:]):
        return
    told = data.rstrip(b"\0")
    if not told.endswith(b"\xff\xd9"):
        raise ImageError(
            f"{photo}: ends in {len(data) - len(told)} zeros, so its lower part is missing: a copy broke "
            "off. Copy it again from the camera, or remove it."
        )


def strange_notices(names: Sequence[str], photos: Sequence[np.ndarray]) -> tuple[Notice, ...]:
    """Return warnings that name photos (H, W, 3) uint8 which show black and white alone, as masks do, and
    those of which a part was missing in the file.
    """
    masks, parts = [], []
    for name, photo in zip(names, photos):
        if _is_black_and_white(photo):
            masks.append(name)
        elif _misses_a_part(photo):
            parts.append(name)
    notices = []
    if masks:
        text = (
            f"{first_few(masks)}: black and white alone, as masks are, but taken as photos. Move masks to a "
            "folder of their own and give it with `masks`, or name each as its photo (a_mask.png for a.jpg)."
        )
        notices.append(warning("photos", text))
    if parts:
        text = (
            f"{first_few(parts)}: one side is plain grey, as where a file breaks off. If a part is missing, "
            "copy it again from the camera."
        )
        notices.append(warning("photos", text))
    return tuple(notices)


def _is_black_and_white(photo: np.ndarray) -> bool:
    black = (photo.max(-1) <= _LEVEL).mean()
    white = (photo.min(-1) >= 255 - _LEVEL).mean()
    return min(black, white) >= _LEAST_SIDE and black + white >= 1 - _OTHERWISE


def _misses_a_part(photo: np.ndarray) -> bool:
    """Tell whether a band along one side is what decoders fill in, and the opposite side is not: a painted
    background is on both.
    """
    # EXIF may have turned the photo: its lower side lies anywhere.
    filled = (photo == _FILLED).all(-1)
    for sides in (filled.all(1), filled.all(0)):
        band = max(2, round(_BAND * len(sides)))
        if sides[:band].all() != sides[-band:].all() and not (sides[0] and sides[-1]):
            return True
    return False
