"""Whether each mask lies on its own photo, and where it would lie better: on another photo, turned over, or
shifted (docs/masks.md, "Checks").

Every mask is judged by its photo alone, so that it is named where most of the others are wrong, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from masks.given.edges import Rim, Slopes, on_edges, rim_of, slopes_of
from masks.notice import Notice, first_few, warning

_TURNS = {
    "mirrored": ((-1, 0), (0, 1)),
    "upside down": ((1, 0), (0, -1)),
    "turned by 180 degrees": ((-1, 0), (0, -1)),
    "turned by 90 degrees": ((0, -1), (1, 0)),
    "turned by 270 degrees": ((0, 1), (-1, 0)),
    "turned by 90 degrees and mirrored": ((0, 1), (1, 0)),
    "turned by 270 degrees and mirrored": ((0, -1), (-1, 0)),
}
"""How a mask may lie on its photo, with the matrices that bring its pixels there; by 90 degrees on square
ones alone."""
_NEIGHBOURS = 32
"""Photos before and after one, by their order, whose outlines are tried: names that slipped lie near."""
_STEP, _STEPS = 0.02, 5
"""Of the longer side: shifts by up to so many of these steps are tried."""
_BLEEDS = (0, -2, -1, 1, 2, 3, 4, 6, 8)
"""Pixels by which the masks of a set may reach over the edges: people and networks leave a rim."""
_SAMPLE = 10
# Of 128 right masks of five sets none lies better anywhere else (at most by 0.03: a pot seen from the next
# side), nor does one that is grown by a pixel (0.08). Masks of the next photo of a turntable lie better there
# by 0.25 to 0.47, by 0.15 before a loud room; turned over or mirrored ones by 0.45 and more.
_ELSEWHERE, _TURNED = 0.1, 0.15
_CHANCE = 3.5
"""Deviations of the scores of the mask shifted: right masks stand 6 and more above their mean, grown by a
fiftieth of the picture 4.4; masks of another set 2.2 at most, turned over ones 4 (and lie better as they
should)."""
_FEWEST, _DEVIATIONS, _SHARE = 4, 6.0, 0.25
"""Beside the others of a set: right masks stray by 4 robust deviations at most, and by a fifth."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A mask on the picture of its photo."""

    name: str
    """Of the photo."""
    mask: np.ndarray  # (H, W) bool
    picture: np.ndarray  # (H, W, 3) uint8
    photo_size: tuple[int, int]
    picture_from_photo: np.ndarray = field(default_factory=lambda: np.eye(3))
    """(3, 3), without a turn: pictures may be cut out of their photos."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How the outline of one mask lies on its photo."""

    score: float
    """Logarithm of how much more the photo changes across it than along it."""
    above_chance: float
    """The same in deviations of the scores that it has when it is shifted."""
    lead: float
    """By how much it scores better elsewhere, at the best of all places; negative where it does not."""
    elsewhere: str
    """That place, in words; empty where it lies best as it lies."""

    @property
    def by_chance(self) -> bool:
        """Whether it lies no better than anywhere else."""
        return self.above_chance < _CHANCE


def placements(laid: Sequence[Laid]) -> tuple[Placement | None, ...]:
    """Return how each mask lies on its photo; none where it has no outline."""
    rims = [rim_of(each.mask) for each in laid]
    found = _placed(rims, laid)
    bleed = _bleed(rims, laid) if any(map(_is_odd, found)) else 0
    if bleed:
        moved = _placed([None if rim is None else rim.moved(inwards=bleed) for rim in rims], laid)
        # Shifted masks may look as if they reached over the edges, too: then they are still odd.
        if sum(map(_is_odd, moved)) < sum(map(_is_odd, found)):
            return moved
    return found


def _is_odd(placed: Placement | None) -> bool:
    return placed is not None and (placed.by_chance or bool(placed.elsewhere))


def _placed(rims: Sequence[Rim | None], laid: Sequence[Laid]) -> tuple[Placement | None, ...]:
    own: list[Placement | None] = []
    others = np.full((len(laid), len(laid)), np.nan)
    # Photo by photo: a picture's slopes take 24 bytes a pixel.
    for j, (photo, own_rim) in enumerate(zip(laid, rims)):
        slopes = slopes_of(photo.picture)
        own.append(None if own_rim is None else _on_own(own_rim, slopes, photo))
        for k in range(max(0, j - _NEIGHBOURS), min(len(laid), j + _NEIGHBOURS + 1)):
            rim = rims[k]
            if rim is not None and k != j and laid[k].photo_size == photo.photo_size:
                others[k, j] = on_edges(_carried(rim, laid[k], photo), slopes)
    return tuple(_with_others(placed, row, laid) for placed, row in zip(own, others))


def placement_notices(laid: Sequence[Laid]) -> tuple[Notice, ...]:
    """Return warnings that name the photos whose masks lie better elsewhere, and where; and those whose masks
    lie no better than by chance, or clearly worse than the others of the set.
    """
    found = {each.name: placed for each, placed in zip(laid, placements(laid)) if placed is not None}
    notices = []
    elsewhere = [f"{name} ({placed.elsewhere})" for name, placed in found.items() if placed.elsewhere]
    if elsewhere:
        text = (
            f"{first_few(elsewhere)}: the masks of {len(elsewhere)} of {len(laid)} photos lie better "
            "elsewhere, as said with each, than on the edges of their own photos. Look at the names of the "
            "mask files, and at which way up they are."
        )
        notices.append(warning("masks", text))
    least = _least([placed.score for placed in found.values()])
    nowhere = [
        name
        for name, placed in found.items()
        if not placed.elsewhere and (placed.by_chance or placed.score < least)
    ]
    if nowhere:
        text = (
            f"{first_few(nowhere)}: the outlines of the masks of {len(nowhere)} of {len(laid)} photos do not "
            "lie on edges of these photos. Are they shifted, or masks of other photos?"
        )
        notices.append(warning("masks", text))
    return tuple(notices)


def _least(scores: Sequence[float]) -> float:
    """Return what a right mask of a set scores at least, by the others."""
    if len(scores) < _FEWEST:
        return -np.inf
    usual = float(np.median(scores))
    strays = 1.4826 * float(np.median(np.abs(np.array(scores) - usual)))
    return usual - max(_DEVIATIONS * strays, _SHARE * abs(usual))


def _bleed(rims: Sequence[Rim | None], laid: Sequence[Laid]) -> int:
    """Return the pixels of the pictures by which all masks may reach over the edges."""
    known = [(rim, photo) for rim, photo in zip(rims, laid) if rim is not None]
    found = []
    for rim, photo in known[:: max(1, len(known) // _SAMPLE)]:
        slopes = slopes_of(photo.picture)
        found.append([on_edges(rim.moved(inwards=bleed), slopes) for bleed in _BLEEDS])
    medians = np.nan_to_num(np.median(found, axis=0), nan=-np.inf)
    return _BLEEDS[int(np.argmax(medians))]


def _on_own(rim: Rim, slopes: Slopes, photo: Laid) -> Placement | None:
    """Return how an outline lies on its own photo, against itself shifted and turned over."""
    score = on_edges(rim, slopes)
    step = max(2.0, _STEP * max(photo.picture.shape[:2]))
    steps = range(-_STEPS, _STEPS + 1)
    shifts = [(step * i, step * j) for i in steps for j in steps if i or j]
    shifted = np.array([on_edges(rim.moved(shift), slopes) for shift in shifts])
    if not np.isfinite(score) or not np.isfinite(shifted).any():
        return None
    best = int(np.nanargmax(shifted))
    x, y = (round(by / photo.picture_from_photo[0, 0]) for by in shifts[best])
    places = [(float(shifted[best]) - score - _ELSEWHERE, f"shifted by ({x}, {y}) pixels")]
    places += [(on_edges(turned, slopes) - score - _TURNED, words) for turned, words in _turned(rim, photo)]
    lead, where = max(place for place in places if np.isfinite(place[0]))
    deviation = max(float(np.nanstd(shifted)), 1e-3)
    return Placement(score, (score - float(np.nanmean(shifted))) / deviation, lead, where)


def _with_others(placed: Placement | None, scores: np.ndarray, laid: Sequence[Laid]) -> Placement | None:
    """Return a placement beside those on the other photos, whose scores (V,) are NaN where none was tried."""
    if placed is None:
        return None
    if np.isfinite(scores).any():
        best = int(np.nanargmax(scores))
        lead = float(scores[best]) - placed.score - _ELSEWHERE
        if lead > placed.lead:
            placed = replace(placed, lead=lead, elsewhere=f"on {laid[best].name}")
    return placed if placed.lead > 0 else replace(placed, elsewhere="")


def _turned(rim: Rim, own: Laid) -> Iterator[tuple[Rim, str]]:
    """Yield the outline turned over in the photo."""
    scale, offset = _scale_and_offset(own.picture_from_photo)
    middle = (scale * (np.array(own.photo_size) - 1) / 2 + offset).astype(np.float32)
    square = own.photo_size[0] == own.photo_size[1]
    for words, way in _TURNS.items():
        if square or way[0][0]:
            turn = np.array(way, np.float32)
            yield Rim((rim.xy - middle) @ turn.T + middle, rim.normals @ turn.T), words


def _carried(rim: Rim, own: Laid, other: Laid) -> Rim:
    """Return the outline as it would lie on another photo."""
    scale, offset = _scale_and_offset(other.picture_from_photo @ np.linalg.inv(own.picture_from_photo))
    return Rim((rim.xy * scale + offset).astype(np.float32), rim.normals)


def _scale_and_offset(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return matrix[[0, 1], [0, 1]], matrix[:2, 2]
