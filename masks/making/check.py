"""What is to be said of made masks: figures of every view, and which views are doubtful.

A wrong mask is worse than none: matches outside it are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from masks.making.evidence import Evidence
from masks.making.refine import Refined
from masks.mask import border_share
from masks.notice import Notice, first_few, info, warning

MOST_DOUBTFUL = 1 / 3
"""Share of doubtful views up to which made masks are used."""

_UNKNOWN = 0.3  # evidence below it says nothing
_MOST_UNKNOWN, _SEE_THROUGH = 0.4, 0.5
_MOST_CUT = 0.05
_NEIGHBOURS = 2  # on either side
_MOST_JUMP = 1.5
_USUAL_JUMPS = 3.0
"""Between views that lie far apart a flat thing's area alternates: with 47 degrees the dino's has half of its
neighbours' in every second view. Only more than this many times the set's own logarithm is odd."""
_MOST_BORDER = 0.02
_MOST_FILLED = 0.3
_MOST_LIGHT = 0.5


@dataclass(frozen=True, slots=True)
class MaskFigures:
    """What can be measured of one made mask without knowing the truth; shares are 0 to 1."""

    name: str
    coverage: float
    """Share of the photo that is object."""
    pieces: int
    filled: float
    """Share of the mask that was a hole."""
    border: float
    """Share of the photo's border that is object."""
    unknown: float
    """Share of the mask of which the road's evidence said nothing."""
    area_ratio: float
    """Area against the median of the two views before and the two after."""
    usual_jump: float = _MOST_JUMP
    """Ratio, or 1 by it, up to which areas differ in this set."""
    only_light: float = 0.0
    """Share of the mask that could be a shadow."""
    cut: float | None = None
    """Share of the mask that other views contradict; none without cameras."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is wrong with it, in words; empty for a good one."""
        found = {
            "it is empty": self.coverage == 0,
            f"other views contradict {100 * (self.cut or 0):.0f} % of it": (self.cut or 0) > _MOST_CUT,
            f"of {100 * self.unknown:.0f} % of it nothing is known": self.unknown > _MOST_UNKNOWN,
            f"its area is {self.area_ratio:.2f} of its neighbours'": self.coverage > 0
            and not 1 / self.usual_jump <= self.area_ratio <= self.usual_jump,
        }
        return tuple(words for words, holds in found.items() if holds)


def mask_figures(
    names: Sequence[str], outlines: Refined, evidence: Evidence, cut: Sequence[float | None] | None = None
) -> tuple[MaskFigures, ...]:
    """Return the figures of made masks; `evidence` is the road's own, without colours, and `cut` says which
    share of each mask other views contradict, where cameras are known.
    """
    masks = outlines.masks
    areas = [float(mask.mean()) for mask in masks]
    ratios = [_area_ratio(areas, k) for k in range(len(areas))]
    usual_jump = _usual_jump([ratio for ratio in ratios if ratio > 0])
    return tuple(
        MaskFigures(
            name=name,
            coverage=areas[k],
            pieces=outlines.pieces[k],
            filled=outlines.filled[k],
            border=border_share(mask),
            unknown=_share(np.abs(evidence.logits[k]) < _UNKNOWN, mask),
            area_ratio=ratios[k],
            usual_jump=usual_jump,
            only_light=float(evidence.only_light[k][mask].mean())
            if evidence.only_light and areas[k]
            else 0.0,
            cut=None if cut is None else cut[k],
        )
        for k, (name, mask) in enumerate(zip(names, masks))
    )


def _share(part: np.ndarray, mask: np.ndarray) -> float:
    """Return which share of a mask (H, W) bool a part (H, W) bool covers; 0 of an empty one."""
    return float(part[mask].mean()) if mask.any() else 0.0


def _area_ratio(areas: Sequence[float], k: int) -> float:
    beside = [*areas[max(0, k - _NEIGHBOURS) : k], *areas[k + 1 : k + 1 + _NEIGHBOURS]]
    seen = [area for area in beside if area > 0]
    return areas[k] / float(np.median(seen)) if seen else 1.0


def _usual_jump(ratios: Sequence[float]) -> float:
    usual = float(np.median(np.abs(np.log(ratios)))) if ratios else 0.0
    return max(_MOST_JUMP, float(np.exp(_USUAL_JUMPS * usual)))


def doubtful(figures: Sequence[MaskFigures]) -> tuple[MaskFigures, ...]:
    """Return the figures of the views whose masks are doubtful."""
    return tuple(own for own in figures if own.doubts)


def too_doubtful(figures: Sequence[MaskFigures]) -> bool:
    """Tell whether so many views are doubtful that the masks must not be used unseen."""
    return len(doubtful(figures)) > MOST_DOUBTFUL * len(figures)


def mask_notices(figures: Sequence[MaskFigures]) -> tuple[Notice, ...]:
    """Return what a user is told of made masks."""
    notices = [
        warning(own.name, f"its made mask is doubtful: {'; '.join(own.doubts)}. Look at it, and correct it.")
        for own in doubtful(figures)
    ]
    touching = [own.name for own in figures if own.border > _MOST_BORDER]
    if touching:
        text = (
            f"the object touches the photo's border in {first_few(touching)}: what lies outside is not "
            "reconstructed."
        )
        notices.append(info("masks", text))
    filled = [own.name for own in figures if own.filled > _MOST_FILLED]
    if filled:
        text = f"more than {100 * _MOST_FILLED:.0f} % of the mask was a hole in {first_few(filled)}: filled."
        notices.append(warning("masks", text))
    if figures and np.median([own.only_light for own in figures]) > _MOST_LIGHT:
        text = (
            "most of the object differs from the backdrop in light alone, as shadows do: they cannot be told "
            "from it. Look at the masks, or photograph before another colour."
        )
        notices.append(warning("masks", text))
    see_through = [own.name for own in figures if own.unknown > _SEE_THROUGH]
    if len(see_through) > MOST_DOUBTFUL * len(figures):
        text = f"{first_few(see_through)}: most of the object cannot be told from the backdrop."
        notices.append(warning("masks", text))
    return tuple(notices)
