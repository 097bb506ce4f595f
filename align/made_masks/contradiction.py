"""Whether silhouettes and cameras belong together.

Where cameras folded, right silhouettes exclude each other: the hull would take 19 % of the median mask, where
right cameras let it take 0 to 1.7 %. The test betrays cameras that nothing else could check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.made_masks.placed_pictures import PlacedPictures
from align.objects.hull import Floor, hull_of, shares_cut
from align.objects.volume import covering, volume_of
from masks.making.refine import Refined

MOST_CUT = 0.05
"""Share of the median mask up to which the hull may take away; beyond, it is the cameras that are wrong."""
_FEWEST_VIEWS, _FEWEST_POINTS = 3, 30


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the silhouettes of the placed photos say of each other."""

    cut: dict[int, np.ndarray]  # (H, W) bool, working pixels, by photo: what the hull would take away
    shares: dict[int, float]
    """Of each photo's mask that it would take."""
    below: float = 0.0
    """Share of the median mask that it takes since nothing can be below the floor."""

    @property
    def share(self) -> float:
        """Median over the photos with a mask."""
        return float(np.median(list(self.shares.values())))

    @property
    def contradicts(self) -> bool:
        """Whether masks and cameras cannot both be right."""
        return self.share > MOST_CUT


def compared(
    masks: Sequence[np.ndarray], placed: PlacedPictures, points: np.ndarray, floor: Floor | None = None
) -> Comparison | None:
    """Compare the masks (H, W) bool of all working pictures around the object's scene points (N, 3).

    Below a floor, where there is one, a mirror shows the object once more: it is taken away, and contradicts
    no camera. None where too little is placed, or too few points lie on the masks, to say anything.
    """
    seen = sum(bool(masks[photo].any()) for photo in placed.photos)
    if seen < _FEWEST_VIEWS or len(points) < _FEWEST_POINTS:
        return None
    silhouettes = placed.to_pinholes(masks)
    volume = covering(volume_of(points), silhouettes, placed.cameras)
    hull = hull_of(silhouettes, placed.cameras, volume)
    shares = shares_cut(silhouettes, hull)
    below = 0.0
    if floor is not None:
        hull = hull_of(silhouettes, placed.cameras, volume, floor)
        below = float(np.nanmedian(shares_cut(silhouettes, hull) - shares))
    return Comparison(
        dict(zip(placed.photos, placed.to_working(hull.cut))),
        {photo: float(share) for photo, share in zip(placed.photos, shares) if np.isfinite(share)},
        below,
    )


def without_cuts(outlines: Refined, cut: Mapping[int, np.ndarray]) -> Refined:
    """Return outlines without what was taken away (H, W) bool, by photo.

    Evidence alone does not keep it away: outlines close over thin strips, two thirds of one of 3 px.
    """
    soft = (np.where(cut[k], 0, own) if k in cut else own for k, own in enumerate(outlines.soft))
    return replace(outlines, soft=tuple(soft))
