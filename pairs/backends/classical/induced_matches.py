"""Matches of a pair: places that both depth maps agree on, and scene points that both views see.

The embedded backend's specification, chapter 12.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairs.backends.classical.incidence import least_cosine
from pairs.backends.classical.stereo.confidence import CONFIDENT
from pairs.backends.classical.stereo.fusion import DEPTH_TOLERANCE
from pairs.backends.classical.stereo.sampling import sample_valid
from pairs.backends.classical.stereo.warp import carry, transfer
from pairs.prediction.predictions import GroupPrediction, Matches

LEAST_CONF = 3.0
"""Induced matches below it are worse than a pixel half of the time."""
LEAST_MATCHES = 20
"""A pair with fewer hands on none, so that it does not count as connected."""
_GRAZING = np.cos(np.radians(80))
"""Where either camera sees the surface at a more grazing angle, two fifths of the matches are off by more than a pixel: rims pass for each other."""


def sure_matches(induced: Matches, features: Matches) -> Matches:
    """Join both kinds of a pair, keep confidences of at least 3, and hand on none at all when fewer than 20 are left."""
    joined = concatenate([induced, features])
    kept = select(joined, joined.conf >= LEAST_CONF)
    return kept if len(kept.conf) >= LEAST_MATCHES else select(kept, np.zeros(len(kept.conf), bool))


def induced_matches(group: GroupPrediction, a: int, b: int, step: int) -> Matches:
    """Return matches between every `step`-th pixel of one view and its sub-pixel place in the other, first from a to b, then from b to a.

    Both views must be confident there, look at the surface at less than 80 degrees, and agree on its depth within 1 %; confidence is the geometric
    mean. Confidence is 1 outside masks, so no match starts or ends in the background.
    """
    forth, back = _one_way(group, a, b, step), _one_way(group, b, a, step)
    return concatenate([forth, Matches(back.xy_b, back.xy_a, back.conf)])


def concatenate(parts: Sequence[Matches]) -> Matches:
    """Return all matches in order."""
    return Matches(np.concatenate([p.xy_a for p in parts]), np.concatenate([p.xy_b for p in parts]), np.concatenate([p.conf for p in parts]))


def select(matches: Matches, which: np.ndarray) -> Matches:
    """Return the matches that the boolean or index array picks."""
    return Matches(matches.xy_a[which], matches.xy_b[which], matches.conf[which])


def _one_way(group: GroupPrediction, a: int, b: int, step: int) -> Matches:
    h, w = group.depth[a].shape
    y, x = (g.ravel() for g in np.mgrid[step // 2 : h : step, step // 2 : w : step])
    sure = group.conf[a][y, x] > CONFIDENT
    y, x = y[sure], x[sure]
    x_b, y_b, q = carry(transfer(group.cameras, b, a), x.astype(np.float64), y.astype(np.float64), 1 / group.depth[a][y, x].astype(np.float64))
    (q_b, conf_b), sure = sample_valid([1 / group.depth[b], group.conf[b]], group.conf[b] > CONFIDENT, x_b, y_b)
    kept = sure & (np.abs(q_b - q) < DEPTH_TOLERANCE * q_b) & (least_cosine(group, a, b, x, y) > _GRAZING)
    conf = np.sqrt(group.conf[a][y, x] * conf_b)
    xy_a, xy_b = np.stack([x, y], -1).astype(np.float64), np.stack([x_b, y_b], -1)
    return Matches(xy_a[kept], xy_b[kept], conf[kept])
