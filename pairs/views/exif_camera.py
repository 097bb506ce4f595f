"""What EXIF says of a photo's camera: which one it was, and its focal length."""

from __future__ import annotations

import math

from masks.image_file import ImageFacts

_FILM_DIAGONAL_MM = 43.27
"""Diagonal of a 36 x 24 mm film frame: the '35 mm equivalent' focal is stated for it."""
_MM_OF_UNIT: dict[float, float] = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""FocalPlaneResolutionUnit: inch and centimetre by the EXIF standard, millimetre and micrometre as some
cameras write; an inch where nothing is said."""
_LEAST_RATIO, _MOST_RATIO = 0.1, 10.0
"""Focal over the longest side: COLMAP calls a camera outside of these bogus. Software writes such values for
lenses that it does not know."""
_MOST_PIXELS = 1e6
"""A side of more pixels is no side of a photo."""


_SAME_ASPECT = 0.005
"""How far the proportions of a photo that was made smaller may be from those of the picture as it was taken:
or a pixel of its shorter side: both sides are rounded."""


def camera_id(fact: ImageFacts) -> str:
    """Name the physical camera: what EXIF says of body, lens and zoom, and the size of the stored picture."""
    # The focal length is part of the name: a zoom lens is another camera at every setting.
    named = [str(fact.exif[k]) for k in ("Make", "Model", "LensModel", "FocalLength") if k in fact.exif]
    return " ".join([*named, f"{fact.size[0]}x{fact.size[1]}"])


def exif_focal(fact: ImageFacts) -> float | None:
    """Return the focal in pixels of the photo; none where EXIF says nothing that can be.

    The 35 mm equivalent counts, else the focal in millimetres with the pixel pitch of the sensor. Both are
    stated for the picture as it was taken: of a photo that was cropped since, its size says nothing.
    """
    longest = max(fact.size)
    for focal in (_from_film_equivalent(fact), _from_sensor(fact)):
        if focal is not None and _LEAST_RATIO * longest <= focal <= _MOST_RATIO * longest:
            return focal
    return None


def size_before_crop(fact: ImageFacts) -> tuple[int, int] | None:
    """Return the (width, height) of the picture that a photo was cropped from, as EXIF states it, turned as
    the photo is; none where nothing tells of a crop.
    """
    stated = _size_as_taken(fact)
    if stated is None:
        return None
    w, h = fact.size
    (a, b), (longer, shorter) = stated, (max(fact.size), min(fact.size))
    if abs(longer * min(a, b) / (shorter * max(a, b)) - 1) <= max(_SAME_ASPECT, 1 / shorter):
        return None
    # Software that turns the pixels may leave the two numbers as they were. A part of a picture is nowhere
    # larger than the whole: otherwise the numbers are those of something else.
    return next(((x, y) for x, y in ((a, b), (b, a)) if w <= x and h <= y), None)


def _size_as_taken(fact: ImageFacts) -> tuple[int, int] | None:
    w, h = (fact.exif.get(name) for name in ("ExifImageWidth", "ExifImageHeight"))
    if not isinstance(w, float) or not isinstance(h, float) or max(w, h) > _MOST_PIXELS or min(w, h) < 1:
        return None
    return round(w), round(h)


def _from_film_equivalent(fact: ImageFacts) -> float | None:
    equivalent = fact.exif.get("FocalLengthIn35mmFilm")
    if not isinstance(equivalent, float):
        return None
    # Equivalent means the same angle over the diagonal, whatever the proportions of the sensor; a turn
    # changes nothing. A photo of 4000 x 3000 cropped to a square of 2400 had come out 39 % short.
    return equivalent / _FILM_DIAGONAL_MM * math.hypot(*(size_before_crop(fact) or fact.size))


def _from_sensor(fact: ImageFacts) -> float | None:
    numbers = {name: value for name, value in fact.exif.items() if isinstance(value, float)}
    unit = _MM_OF_UNIT.get(numbers.get("FocalPlaneResolutionUnit", 2.0))
    if unit is None or "FocalLength" not in numbers or "FocalPlaneXResolution" not in numbers:
        return None
    focal = numbers["FocalLength"] / unit * numbers["FocalPlaneXResolution"]
    # The resolution is that of the picture as it was taken; a smaller export keeps its EXIF, and a crop keeps
    # its pixels.
    taken = max(numbers.get("ExifImageWidth", 0.0), numbers.get("ExifImageHeight", 0.0))
    return focal if not taken or size_before_crop(fact) else focal * max(fact.size) / taken
