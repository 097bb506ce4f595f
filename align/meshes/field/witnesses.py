"""Silhouettes that cut off a part which the depths of other views show.

A handle that is missing in three masks of 24 would be carved off the object, and is too small a share of any
mask for its silhouettes to stand out among the others. But the depths of the other views agree on its
surface: they are witnesses for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from align.meshes.field.projection import outside_cone, projected
from align.meshes.field.votes import ViewVotes, usable_points
from pairs.silhouettes.visual_hull import Lattice, sampled

_EACH, _MOST_POINTS = 4, 1 << 19
"""Of so many points one is asked about, and of all at most: a part that matters has hundreds."""
_FAR = 2.0
"""Nodes of the first look outside a silhouette: 4 % of the object's longest side. What is nearer is a rim
that masks lose or depths add."""
_AGREE, _BEFORE = 2.0, 3.0
"""Footprints from a view's depth within which it is a witness, and before it from where it is one against."""
_FEWEST = 3
"""Views that must show a place."""
_MORE = 1.5
"""Times as many silhouettes must include a place as exclude it: what less than three fifths of the masks
add, as loose ones do, is no part."""
_THICK = 8.0
"""Nodes of the first look, 16 % of the longest side, that a part may be thick: from its other side it is not
hidden."""
_USABLE = 0.95
"""Share of usable pixels in a bilinear sample that counts."""
_SHARE = 0.004
"""Of a mask, that a part has at least. Right masks of turntables have none at all; a handle has 0.12 to 0.17
where three of 24 lack it, and 0.02 to 0.03 where six do."""


class CutOff(NamedTuple):
    """A silhouette that cuts a part off."""

    view: int
    share: float
    """How large the part is, of the view's mask."""


def cut_off_parts(votes: Sequence[ViewVotes], lattice: Lattice, unit: float) -> tuple[CutOff, ...]:
    """Return the silhouettes that cut off what depths show, worst first; `unit` is the footprint.

    A place is cut off where the depths of three views meet, and half as many again of the silhouettes have
    it inside as exclude it, not counting those that have something else before it.
    """
    usable = sum(int(np.count_nonzero(view.depth[..., 1])) for view in votes)
    each = max(_EACH, -(-usable // _MOST_POINTS))
    places = np.concatenate([usable_points(view)[::each] for view in votes])
    places = np.ascontiguousarray(((places - lattice.origin) / lattice.spacing).astype(np.float32).T)
    excluding = np.stack([_outside(view, lattice, places) > _FAR for view in votes])
    asked = excluding.any(0)
    excluding, places = excluding[:, asked], places[:, asked]
    heard = _heard(votes, lattice, places, unit)
    shown = (heard.showing >= _FEWEST) & (heard.showing > heard.through)
    shown &= heard.including >= _MORE * excluding.sum(0)
    # Every view that shows a place has a point of its own there.
    pixels = excluding[:, shown] @ (each / heard.showing[shown])
    shares = [float(pixels[k] / max(view.mask.sum(), 1)) for k, view in enumerate(votes)]
    return tuple(CutOff(int(k), shares[k]) for k in np.argsort(shares)[::-1] if shares[k] > _SHARE)


def _outside(view: ViewVotes, lattice: Lattice, places: np.ndarray) -> np.ndarray:
    """Return how many cells (n,) places (3, n) are outside the silhouette of a view; without one, none is."""
    if view.outline is None:
        return np.full(places.shape[1], -np.inf, np.float32)
    return outside_cone(view, lattice, projected(view, lattice, places))


class _Heard(NamedTuple):
    """Numbers of views (n,) that say something about places."""

    showing: np.ndarray  # their depth is there
    through: np.ndarray  # their depth is behind
    including: np.ndarray  # it is inside their silhouette, and nothing is before it


def _heard(votes: Sequence[ViewVotes], lattice: Lattice, places: np.ndarray, unit: float) -> _Heard:
    showing, through, including = np.zeros((3, places.shape[1]), np.int32)
    for view in votes:
        at = projected(view, lattice, places)
        depth, usable, _, slant = sampled(view.depth, at.x, at.y, cv2.BORDER_CONSTANT).T
        before = (depth - at.z) * slant
        known = (usable > _USABLE) & at.ahead
        showing += known & (np.abs(before) < _AGREE * unit)
        through += known & (before > _BEFORE * unit)
        including += known & (before > -_THICK * lattice.spacing) & (_outside(view, lattice, places) < 0)
    return _Heard(showing, through, including)
