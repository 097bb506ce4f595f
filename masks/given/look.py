"""What was found in each mask file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from masks.pixelmap import upright_size


class Kind(StrEnum):
    """What a mask file holds."""

    TWO_LEVELS = "two levels"
    FLAT = "one level"
    SOFT = "soft levels"
    LABELS = "several levels"
    CUT_OUT = "a cut-out"
    PICTURE = "a picture"


@dataclass(frozen=True, slots=True)
class PhotoShape:
    """What must be known of a photo to place a mask on it."""

    name: str
    upright_size: tuple[int, int]
    orientation: int
    path: Path | None = None
    """Its file, which is looked at where the mask's own is no mask by itself; none where there is none."""


@dataclass(frozen=True, slots=True)
class MaskLook:
    """What was found in one file, and what was made of it."""

    path: Path
    kind: Kind
    low: float
    """The darker of its levels, in its own range."""
    high: float
    """The brighter of its levels."""
    scale: float
    """What white is in its format: 255, 65535, or 1."""
    compact: bool
    """Whether either level hangs together, which noise does not."""
    size: tuple[int, int]
    """(width, height) as stored."""
    orientation: int
    """The turn that its EXIF states, 1 when it says nothing."""
    turned: int
    """The turn that was taken."""
    between: float = 0.0
    """Area of soft levels, of that of the bright side."""
    paint: tuple[int, int, int] | None = None
    """The colour before which a cut-out stands."""
    fault: str = ""
    """Why the file can be no mask of its photo; empty where it can."""

    @property
    def by_own_levels(self) -> bool:
        """Whether the middle between its own levels tells both sides apart, whatever the set's white."""
        return self.kind is Kind.TWO_LEVELS

    @property
    def white_is_bright(self) -> bool:
        """Whether the file says which side is bright, and not which is the object."""
        return self.kind not in (Kind.CUT_OUT, Kind.LABELS)


ASPECT_TOLERANCE = 0.01
"""Relative difference of aspect ratios up to which a mask of another size is the same picture, rounded."""


def possible_turns(size: tuple[int, int], own: int, photo: PhotoShape) -> tuple[int, ...]:
    """Return the turns that make a file of a (width, height) fit its photo, best first: the one that its EXIF
    states, none, and the photo's. Empty where none does.
    """
    w, h = photo.upright_size
    fitting = []
    for turn in dict.fromkeys((own, 1, photo.orientation)):
        turned_w, turned_h = upright_size(size, turn)
        if abs(turned_w * h / (turned_h * w) - 1) <= ASPECT_TOLERANCE:
            fitting.append(turn)
    return tuple(fitting)
