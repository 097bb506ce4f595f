"""Evidence without the stand that turns with the object: a disc with marks, which photos alone take for a
part of it.

Straightened onto the disc's plane, in the frame of the turntable, the photos show a disc that stands still,
while all that is higher leans another way in each: the disc is a backdrop like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from align.made_masks.placed_pictures import PlacedPictures
from align.made_masks.stand.stand import Stand, read_at
from align.made_masks.stand.stand_plane import find_stand
from align.objects.hull import Floor
from masks.making.evidence import Evidence
from masks.making.plate import Plate, plate_evidence, plate_of
from masks.notice import Notice, first_few, info, warning
from pairs.rings.ring import Grade, fit_circular_motion

ROAD = "a stand that turns with the object"

_LEAST_POINTS = 20
_ROOM = 1.1
"""Times the radius to which the masks reach in front: so far the stand is looked for."""
_SOFT_PX, _RIM_PX = 0.35, 0.75
"""Pixels by which edges on the plane may be off, and within which its rim mixes with what is behind."""
_SEEN = 0.5
"""How sure the plate of the straightened photos is where they agree."""
_SECTOR_DEG, _END_PERCENT = 5.0, 50.0
"""The disc ends where photos stop agreeing, in the median of sectors: some have no marks at its rim."""
_SURE = 0.3
"""Evidence below the negative of which a pixel shows the stand."""
_LEAST_CUT = 0.02
"""Of the median mask: less is chance, or the rim of the foot."""
_LEAST_LEFT = 0.2
"""Of the median mask: a coin, or a relief, is flat itself."""
_THICKEST = 0.012
"""In the cameras' distance: what is thicker is a base of the object."""


@dataclass(frozen=True, slots=True)
class WithoutStand:
    """What is left of evidence, and what is to be said."""

    evidence: Evidence | None
    """None where nothing is to be cut."""
    notices: tuple[Notice, ...] = ()
    floor: Floor | None = None
    """Below which nothing can be."""


def without_stand(
    evidence: Evidence,
    masks: Sequence[np.ndarray],
    pictures: Sequence[np.ndarray],
    names: Sequence[str],
    placed: PlacedPictures,
    points: np.ndarray,
) -> WithoutStand:
    """Return the evidence of working pictures (H, W, 3) uint8 with the stand as backdrop, where masks (H, W)
    bool hold one; points (N, 3) lie on the masks, names are the photos'.
    """
    if len(points) < _LEAST_POINTS:
        return WithoutStand(None)
    motion = fit_circular_motion(placed.cameras.cam_from_world)
    if motion.grade is Grade.NONE:
        text = (
            "the cameras go around no axis, so nothing tells a stand that turned with the object: if it has "
            "marks it is in the masks. Look at them."
        )
        return WithoutStand(None, (info("masks", text),))
    stand = find_stand(points, pictures, placed, motion)
    if stand is None:
        return WithoutStand(None)
    found = stand_evidence(pictures, masks, stand)
    shows = {photo: masks[photo] & (logits < -_SURE) for photo, logits in found.items()}
    seen = [photo for photo in placed.photos if masks[photo].any()]
    cut = float(np.median([shows[k].sum() / masks[k].sum() for k in seen]))
    if cut < _LEAST_CUT:
        return WithoutStand(None)
    # With its rim, of which nothing is known.
    thick = _thickness(stand, masks, {k: masks[k] & (logits <= 0) for k, logits in found.items()})
    if thick > _THICKEST * stand.distance:
        text = (
            f"{100 * cut:.0f} % of the median mask lies flat under the object, on a base "
            f"{100 * thick / stand.distance:.1f} % of the cameras' distance thick: kept, as a part of it. "
            "Correct the masks if it is not."
        )
        return WithoutStand(None, (info("masks", text),))
    if 1 - cut < _LEAST_LEFT:
        text = (
            f"{100 * cut:.0f} % of the median mask lies on one plane, which turns: kept, as a flat object. "
            "Correct the masks if it is a stand."
        )
        return WithoutStand(None, (warning("masks", text),))
    less = tuple(np.minimum(own, found[k]) if k in found else own for k, own in enumerate(evidence.logits))
    text = (
        f"a stand turns with the object, {100 * cut:.0f} % of the median mask: left out, by its plane "
        "(`stand=keep` keeps it)."
    )
    notices = [info("masks", text)]
    lost = [names[k] for k, mask in enumerate(masks) if k not in found and mask.any()]
    if lost:
        text = f"{first_few(lost)}: no camera tells the stand from the object there: it stays in the mask."
        notices.append(warning("masks", text))
    floor = Floor(stand.frame[2], float(stand.frame[2] @ stand.middle))
    return WithoutStand(Evidence(less, evidence.road), tuple(notices), floor)


def _thickness(stand: Stand, masks: Sequence[np.ndarray], shows: Mapping[int, np.ndarray]) -> float:
    """Return how far below the plane masks (H, W) bool reach in front of what shows it, world units."""
    found = []
    for position, photo in enumerate(stand.placed.photos):
        rim = stand.front_radius(position, shows[photo])
        if rim > 0:
            x, y, rise = stand.from_middle[position]
            beyond = stand.front_radius(position, masks[photo]) - rim
            found.append(beyond * rise / max(np.hypot(x, y) - rim, 1e-9 * stand.distance))
    return float(np.median(found)) if found else 0.0


def stand_evidence(
    pictures: Sequence[np.ndarray], masks: Sequence[np.ndarray], stand: Stand
) -> dict[int, np.ndarray]:
    """Return what tells each placed working picture (H, W, 3) uint8 from the stand, by photo: (H, W) float32,
    negative = stand, 0 unknown, positive = another thing; +inf beyond what the masks (H, W) bool reach.
    """
    fronts = [stand.front_radius(at, masks[photo]) for at, photo in enumerate(stand.placed.photos)]
    straight, cell = stand.straightened(pictures, max(stand.radius, _ROOM * float(np.median(fronts))), 1.0)
    plate = plate_of(straight)
    logits = plate_evidence(straight, _blurred(plate, _SOFT_PX / stand.steepness), ROAD).logits
    on, rim = _on_and_rim(plate, int(np.ceil(_RIM_PX / stand.steepness)))
    last = len(straight[0]) - 1
    found = {}
    for position, photo in enumerate(stand.placed.photos):
        at = stand.met(position) / cell + last / 2
        # A rim is mixed with what is behind it, which another photo shows elsewhere.
        own = np.where(on, logits[position], np.where(rim, np.float32(0), np.float32(np.inf)))
        inside = (np.abs(at - last / 2) <= last / 2).all(axis=-1)
        found[photo] = np.where(inside, read_at(own, at, cv2.INTER_NEAREST), np.float32(np.inf))
    return found


def _on_and_rim(plate: Plate, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which cells (N, N) bool are the stand, a disc about the axis as far as the photos agree, and
    which are so many cells within its rim or beyond it. Where the object hides it nothing is known.
    """
    # Photos agree less where marks end, and by chance beyond the stand.
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * cells + 1, 4 * cells + 1))
    seen = cv2.morphologyEx((plate.sure > _SEEN).astype(np.uint8), cv2.MORPH_CLOSE, element)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(seen, cv2.MORPH_OPEN, element))
    steps = np.arange(len(labels)) - (len(labels) - 1) / 2
    radius = np.hypot(steps, steps[:, None])
    if len(stats) < 2:
        return np.zeros(labels.shape, bool), np.zeros(labels.shape, bool)
    rows, columns = np.nonzero(labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax())
    sector = np.rint(np.rad2deg(np.arctan2(steps[rows], steps[columns])) / _SECTOR_DEG).astype(int)
    ends = [radius[rows, columns][sector == k].max() for k in np.unique(sector)]
    end = float(np.percentile(ends, _END_PERCENT))
    return radius < end - cells, (radius >= end - cells) & (radius <= end + cells)


def _blurred(plate: Plate, cells: float) -> Plate:
    """Return a plate that allows for edges that are off by so many cells: seen at a slant a pixel is longer
    than a cell, and in another direction in each photo.
    """
    along_x, along_y = (cv2.Sobel(plate.colour, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    slope = (along_x**2 + along_y**2).mean(axis=2)
    return replace(plate, noise=np.sqrt(plate.noise**2 + cells**2 * slope))
