"""Whether each mask lies on its own photo, and where it would lie better: on another photo, turned over, or
shifted (docs/masks.md, "Masks against their photos").

Every mask is judged by its photo alone, so that it is named where most of the others are wrong, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from masks.given.edges import Rim, Slopes, on_edges, rim_of, slopes_of
from masks.notice import Notice, warning

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
# By how much another place must score better. Of 400 right masks of twenty sets none does where it is shifted
# (at most by -0.05; grown by a pixel by 0.01), turned (0.02: a pot that is nearly round), or on another photo
# behind the best mask there (0.01). Masks of the next photo of a turntable lie better there by 0.25 to 0.47,
# by 0.15 before a loud room; turned over or mirrored ones by 0.45 and more.
_SHIFTED, _TURNED, _ON_ANOTHER, _TWICE_MORE = 0.1, 0.15, 0.05, 0.1
_POINTS = 400
"""Of an outline: scores of fewer points stray more, as the root of their number; leads must be larger."""
_CHANCE = 2.3
"""Deviations of the scores of the mask shifted: right masks stand 6 and more above their mean, in hard sets
2.5 (those of glass 1); masks of another set 2.2 at most, half of them below 0.5."""
_TWICE = 0.999
"""Intersection over union of masks that are one, written twice."""
_MANY = 0.3
"""Of the masks of a set: then it is said of the set."""
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
    """By how much more than a right mask may it scores better at the best of all other places; negative where
    it does not."""
    there: float
    """Its score there."""
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
    odd = [placed for placed in found if placed is not None and (placed.by_chance or placed.elsewhere)]
    bleed = _bleed(rims, laid) if odd else 0
    if not bleed:
        return found
    moved = _placed([None if rim is None else rim.moved(inwards=bleed) for rim in rims], laid)
    # Masks that lie elsewhere may look as if they reached over the edges, too: what fits better is believed.
    best = np.median([max(each.score, each.there if each.elsewhere else -np.inf) for each in found if each])
    inwards = np.median([each.score for each in moved if each] or [-np.inf])
    return moved if inwards > best else found


def _placed(rims: Sequence[Rim | None], laid: Sequence[Laid]) -> tuple[Placement | None, ...]:
    own: list[Placement | None] = []
    scores = np.full((len(laid), len(laid)), np.nan)
    # Photo by photo: a picture's slopes take 24 bytes a pixel.
    for j, (photo, own_rim) in enumerate(zip(laid, rims)):
        slopes = slopes_of(photo.picture)
        own.append(None if own_rim is None else _on_own(own_rim, slopes, photo))
        for k in range(max(0, j - _NEIGHBOURS), min(len(laid), j + _NEIGHBOURS + 1)):
            rim = rims[k]
            if rim is not None and laid[k].photo_size == photo.photo_size:
                scores[k, j] = on_edges(_carried(rim, laid[k], photo), slopes)
    # Some photos have stronger edges than others for any mask that nearly fits: what counts, too, is how far
    # a mask stays behind the best of all there.
    behind = np.fmax.reduce(scores, axis=0, initial=np.nan) - scores
    return tuple(
        None
        if placed is None or rim is None
        else _with_others(placed, scores[k] - placed.score, behind[k, k] - behind[k], k, rim, laid)
        for k, (placed, rim) in enumerate(zip(own, rims))
    )


def placement_notices(laid: Sequence[Laid]) -> tuple[Notice, ...]:
    """Return a warning for each photo whose mask lies better elsewhere, with that place, or lies no better
    than by chance, or clearly worse than those of the others; and one for the set where these are many.
    """
    found = {each.name: placed for each, placed in zip(laid, placements(laid)) if placed is not None}
    least = _least([placed.score for placed in found.values()])
    notices = []
    for name, placed in found.items():
        if placed.elsewhere:
            text = (
                f"its mask lies better {placed.elsewhere} ({placed.there:.2f}) than as it lies "
                f"({placed.score:.2f}; 0 is chance). Look at the name of the mask file, and at its way up."
            )
            notices.append(warning(name, text))
        elif placed.by_chance or placed.score < least:
            text = (
                f"the outline of its mask does not lie on edges of the photo ({placed.score:.2f}; 0 is "
                "chance). Is it shifted, or the mask of another photo?"
            )
            notices.append(warning(name, text))
    if len(notices) > max(1, _MANY * len(laid)):
        text = (
            f"the masks of {len(notices)} of {len(laid)} photos do not lie on their photos, as said of each. "
            "Are they those of this set, in this order?"
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
    few = _fewness(rim)
    places = [(float(shifted[best]), few * _SHIFTED, f"shifted by ({x}, {y}) pixels")]
    places += [(on_edges(turned, slopes), few * _TURNED, words) for turned, words in _turned(rim, photo)]
    lead, there, where = max(
        (each - score - least, each, words) for each, least, words in places if np.isfinite(each)
    )
    deviation = max(float(np.nanstd(shifted)), 1e-3)
    return Placement(score, (score - float(np.nanmean(shifted))) / deviation, lead, there, where)


def _with_others(
    placed: Placement, gains: np.ndarray, nearer: np.ndarray, k: int, rim: Rim, laid: Sequence[Laid]
) -> Placement:
    """Return the placement of mask k beside those on the other photos: by how much it scores better there
    (V,), and is nearer to the best mask there (V,), than on its own; NaN where it was not tried.
    """
    fewness = _fewness(rim)
    leads = np.minimum(gains, nearer) - fewness * _ON_ANOTHER
    for j in map(int, np.flatnonzero(gains > fewness * _TWICE_MORE)):
        # Where one mask is written twice another one is missing, and none is the best. Of a round thing right
        # masks are one, too, for photos from opposite sides (gains of up to 0.09).
        if _same(laid[k].mask, laid[j].mask):
            leads[j] = gains[j] - fewness * _TWICE_MORE
    leads[k] = -np.inf
    j = int(np.argmax(np.nan_to_num(leads, nan=-np.inf)))
    if leads[j] > placed.lead:
        there = placed.score + float(gains[j])
        placed = replace(placed, lead=float(leads[j]), there=there, elsewhere=f"on {laid[j].name}")
    return placed if placed.lead > 0 else replace(placed, elsewhere="")


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and (a & b).sum() > _TWICE * (a | b).sum()


def _fewness(rim: Rim) -> float:
    return max(1.0, (_POINTS / len(rim.xy)) ** 0.5)


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
