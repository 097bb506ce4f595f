"""Scene points found in a photo by any backend's matches of photo pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.spatial import KDTree

from align.localise.scene_points import Correspondences, MapPhoto
from masks.pixelmap import to_source
from masks.progress import silent
from pairs.backends.protocol import Backend
from pairs.two_views import match_two
from pairs.views.view import View

NEAR_SHARE = 1 / 400
"""A match shows a known point that is at most so far from it, of the map photo's diagonal: 2 pixels at
640 x 480, less than half of what counts as agreeing."""


def match_by_backend(
    backend: Backend, query: View, maps: Iterable[MapPhoto], near_share: float = NEAR_SHARE
) -> Iterator[Correspondences]:
    """Yield for each map photo the matches whose map pixel has a known point beside it, with that point."""
    for each in maps:
        found = match_two(query, each.view, backend, silent)
        here, there = found.views
        xy = to_source(here.pixel_map, found.matches.xy_a)
        xy_map = to_source(there.pixel_map, found.matches.xy_b)
        limit = near_share * float(np.hypot(*each.view.photo_size))
        # Of the tree's answers an infinite distance means that nothing is near enough.
        away, number = KDTree(each.seen.xy).query(xy_map, distance_upper_bound=limit)
        near = np.isfinite(away)
        known = each.seen.points[np.asarray(number)[near]]
        yield Correspondences(known, xy[near], found.matches.conf[near])
