"""Which road to take: what the photos themselves say, and a refusal where no road is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from masks.making.plain import Border, border_of, unlike_its_border
from masks.making.runs import BORDER_STILL, FEWEST, Run, runs_of
from masks.notice import first_few

_UNSUPPORTED = 0.25
_ALL_STILL = 0.62
_VARIES, _COPIES = 0.9, 0.01
_MOVING = 0.005  # a small object in a large photo; the sets that were measured have 7 to 20 %
_PLAIN_PHOTOS = 2 / 3
"""Photos with a plain border: 80 to 100 % of those before paper or in the dark, 0 % of those before anything
else. Not all: the object's stand, or the object itself, may cross the border of some."""


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
    NETWORK = "network"
    """What a network says. Where one is given and nothing else is sure."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for which road."""

    runs: tuple[Run, ...]  # none where the photos differ in size or are too few for a plate
    touched: tuple[int, ...]  # photos at which a camera that stood still was moved
    borders: tuple[Border, ...]  # one a photo; none where the backdrop stands still and they say nothing more

    @property
    def still(self) -> float:
        """Share of all pixels whose backdrop has support; 0 without a plate."""
        return float(np.mean([run.plate.still for run in self.runs])) if self.runs else 0.0

    @property
    def border_still(self) -> float:
        """The same of the photos' border, in the worst run."""
        return min((run.border_still for run in self.runs), default=0.0)

    @property
    def stands(self) -> bool:
        """Whether the backdrop stands still."""
        divided = not self.touched or len(self.runs) > 1
        return divided and self.border_still >= BORDER_STILL and self.still >= _ALL_STILL

    @property
    def moving(self) -> float:
        """Share of all pixels that show something else in nearly every photo."""
        moving = [run.plate.support < _UNSUPPORTED for run in self.runs]
        return float(np.mean(moving)) if moving else 0.0

    @property
    def varying(self) -> float:
        """Share of all pixels that show something else in some photos: of copies nothing varies but noise,
        which is the same everywhere.
        """
        supports = [run.plate.support for run in self.runs]
        varying = [support < _VARIES * np.median(support) for support in supports]
        return float(np.mean(varying)) if varying else 0.0

    @property
    def standing(self) -> float:
        """Share of all pixels where most photos show the same thing, and it is not the colour of the border:
        a shadow, or what looks alike from all sides and is taken for backdrop.
        """
        plates = [run.plate for run in self.runs]
        found = [p.still & unlike_its_border(np.clip(p.colour, 0, 255).astype(np.uint8)) for p in plates]
        return float(np.mean(found)) if found else 0.0

    @property
    def may_hide(self) -> bool:
        """Whether more stands than moves: before a plain colour a thing that looks alike from all sides is
        seen; its plate would hide it.
        """
        return self.standing > self.moving

    @property
    def plain(self) -> float:
        """Share of the photos whose border has one smooth colour."""
        fits = [border.is_plain for border in self.borders]
        return float(np.mean(fits)) if fits else 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The road, or none, and the reason in words."""

    road: Road | None
    reason: str


def signals(pictures: Sequence[np.ndarray]) -> Signals:
    """Return what photos (H, W, 3) uint8 say of their backdrop."""
    alike = len({picture.shape for picture in pictures}) == 1
    runs, touched = runs_of(pictures) if alike and len(pictures) >= FEWEST else ((), ())
    found = Signals(runs, touched, ())
    if found.stands and not found.may_hide:
        return found
    return replace(found, borders=tuple(map(border_of, pictures)))


def choose(found: Signals, names: Sequence[str]) -> Choice:
    """Return the first road that is sure by photos of these names alone: still, plain, or none."""
    if found.stands and found.moving < _MOVING and found.varying < _COPIES:
        text = (
            f"all photos show the same in {100 * found.still:.1f} % of the pixels: they are copies of one, "
            "or the object did not turn. Give photos of the object from different sides"
        )
        return Choice(None, text)
    is_plain = found.plain >= _PLAIN_PHOTOS
    if found.stands and not (is_plain and found.may_hide):
        return _still(found, names)
    if is_plain:
        deviation = float(np.median([border.deviation for border in found.borders]))
        text = (
            f"the border has one smooth colour in {100 * found.plain:.0f} % of the photos (it deviates by "
            f"{deviation:.1f} grey values)"
        )
        return Choice(Road.PLAIN, text)
    return Choice(None, _refusal(found, names))


def _still(found: Signals, names: Sequence[str]) -> Choice:
    """Return the still road, where the backdrop is known to stand still."""
    text = (
        f"the backdrop stands still in {100 * found.still:.0f} % of the pixels "
        f"({100 * found.border_still:.0f} % of the border), and {100 * found.moving:.0f} % move"
    )
    if found.moving < _MOVING:
        return Choice(None, f"{text}: too little, unless the object looks alike from all sides")
    if len(found.runs) > 1:
        text += f"; the camera was touched before {first_few([names[run.start] for run in found.runs[1:]])}"
    return Choice(Road.STILL, text)


def _refusal(found: Signals, names: Sequence[str]) -> str:
    if not found.runs:
        still = f"a backdrop that stands still needs {FEWEST} photos of one size"
    else:
        still = (
            f"no backdrop that stands still ({100 * found.still:.0f} % of the pixels, "
            f"{100 * found.border_still:.0f} % of the border do)"
        )
    if found.touched:
        still += (
            f", as the camera was touched before {first_few([names[k] for k in found.touched])} "
            f"and fewer than {FEWEST} photos lie between"
        )
    return f"{still}, and no plain one ({100 * found.plain:.0f} % of the photos)"
