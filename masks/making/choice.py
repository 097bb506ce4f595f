"""Which road to take: what the photos themselves say, and a refusal where no road is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from masks.load import border_share
from masks.making.plain import Border, border_of
from masks.making.plate import Plate, plate_of

FEWEST_STILL = 8
"""Photos that a plate needs: with fewer, chance supports as much as a backdrop."""

_SUPPORTED, _UNSUPPORTED = 0.6, 0.25
_BORDER_STILL, _ALL_STILL = 0.97, 0.62
_MOVING = 0.03
_COPIES = 0.99
_INLIERS, _DEVIATION, _PLAIN_PHOTOS = 0.75, 6.0, 0.9


class Road(StrEnum):
    """Where evidence comes from."""

    STILL = "still"
    """The camera stood still, and so did the backdrop."""
    PLAIN = "plain"
    """The backdrop has one colour."""
    EMPTY = "empty"
    """A photo of the backdrop alone."""
    SCENE = "scene"
    """The camera went around an object that stands on something. Needs cameras."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for which road."""

    plate: Plate | None
    """None where the photos differ in size or are too few."""
    borders: tuple[Border, ...]  # one a photo

    @property
    def still(self) -> float:
        """Share of all pixels whose backdrop has support; 0 without a plate."""
        return 0.0 if self.plate is None else float((self.plate.support > _SUPPORTED).mean())

    @property
    def border_still(self) -> float:
        """The same of the photos' border."""
        return 0.0 if self.plate is None else border_share(self.plate.support > _SUPPORTED)

    @property
    def moving(self) -> float:
        """Share of all pixels that show something else in nearly every photo."""
        return 0.0 if self.plate is None else float((self.plate.support < _UNSUPPORTED).mean())

    @property
    def plain(self) -> float:
        """Share of the photos whose border has one smooth colour."""
        # The inliers alone say nothing: a robust fit to clutter calls everything an inlier.
        fits = [b.inliers >= _INLIERS and b.deviation < _DEVIATION for b in self.borders]
        return float(np.mean(fits)) if fits else 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The road, or none, and the reason in words."""

    road: Road | None
    reason: str


def signals(pictures: Sequence[np.ndarray]) -> Signals:
    """Return what photos (H, W, 3) uint8 say of their backdrop."""
    alike = len({picture.shape for picture in pictures}) == 1
    plate = plate_of(pictures) if alike and len(pictures) >= FEWEST_STILL else None
    return Signals(plate, tuple(border_of(picture) for picture in pictures))


def choose(found: Signals) -> Choice:
    """Return the first road that is sure by the photos alone: still, plain, or none."""
    if found.still > _COPIES:
        return Choice(
            None,
            f"{100 * found.still:.1f} % of the pixels show the same in all photos: these are copies of one "
            "photo, or the object did not turn. Give photos of the object from different sides.",
        )
    if found.border_still >= _BORDER_STILL and found.still >= _ALL_STILL and found.moving >= _MOVING:
        return Choice(
            Road.STILL,
            f"the backdrop stands still in {100 * found.still:.0f} % of the pixels "
            f"({100 * found.border_still:.0f} % of the border), and {100 * found.moving:.0f} % move.",
        )
    if found.plain >= _PLAIN_PHOTOS:
        deviation = float(np.median([border.deviation for border in found.borders]))
        return Choice(
            Road.PLAIN,
            f"the border has one smooth colour in {100 * found.plain:.0f} % of the photos (it deviates by "
            f"{deviation:.1f} grey values).",
        )
    return Choice(
        None,
        f"no backdrop that stands still ({100 * found.still:.0f} % of the pixels, "
        f"{100 * found.border_still:.0f} % of the border do), no plain one "
        f"({100 * found.plain:.0f} % of the photos).",
    )
