"""The simplest lens of OpenCV's coefficients."""

from __future__ import annotations

from collections.abc import Sequence

from masks.errors import FormatError
from masks.lens import Lens

_MODELS = (("SIMPLE_RADIAL", 1), ("RADIAL", 2), ("OPENCV", 4), ("FULL_OPENCV", 8))


def lens_of(coefficients: Sequence[float], place: str) -> Lens | None:
    """Return the simplest lens of up to eight coefficients k1 k2 p1 p2 k3 k4 k5 k6; none where all are
    zero. Raises `FormatError` naming the place when one is not finite.
    """
    # Not by the model that a file names: most write OPENCV, zeros and all, for a pinhole.
    last = max((k + 1 for k, value in enumerate(coefficients) if value != 0), default=0)
    if last == 0:
        return None
    model, count = next((model, count) for model, count in _MODELS if count >= last)
    try:
        return Lens(model, (*map(float, coefficients[:last]), *[0.0] * (count - last)))
    except FormatError as error:
        raise FormatError(f"{place}: {error}") from None
