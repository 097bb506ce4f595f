"""Scene points as matches: the evidence that does not come from depth maps
(docs/classical_backend.md, "Pairs cut from the scene").

Depth maps are made with the solved cameras, so matches that they induce repeat the cameras' errors; features
were found without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from masks.mask import holds
from masks.pixelmap import to_target
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.prediction.predictions import Matches
from pairs.prediction.tracks import Tracks
from pairs.views.view import View, grid_mask

# On the scale of depth confidences (at most 12.9): a track of six views counts a little more than depth that
# four neighbours confirm.
_MOST_CONF = 16.0


@dataclass(frozen=True, slots=True)
class FeatureTracks:
    """Where every placed view sees which scene points, on its grid and inside its mask."""

    point: tuple[np.ndarray, ...]  # per view (N_v,) int, ascending and distinct
    xy: tuple[np.ndarray, ...]  # per view (N_v, 2)
    length: np.ndarray  # (N,) int, observations of every scene point


def feature_tracks(views: Sequence[View], solve: SceneSolve) -> FeatureTracks:
    """Bring the observations of the scene points to the grids of the placed `views`."""
    points, places = [], []
    for position, view in enumerate(views):
        mine = solve.observed_by == position
        # A view may observe a point twice, by two key points that the mapper joined; the first counts.
        point, first = np.unique(solve.observed_point[mine], return_index=True)
        xy = to_target(view.grid_from_photo, solve.observed_xy[mine][first])
        inside = holds(grid_mask(view), xy)
        points.append(point[inside])
        places.append(xy[inside])
    return FeatureTracks(
        tuple(points), tuple(places), np.bincount(solve.observed_point, minlength=len(solve.points))
    )


def as_tracks(views: Sequence[View], tracks: FeatureTracks) -> Tracks:
    """Return the same as predictions hand it on."""
    counts = [len(point) for point in tracks.point]
    return Tracks(
        tuple(view.name for view in views),
        np.repeat(np.arange(len(views)), counts),
        np.concatenate(tracks.point),
        np.concatenate(tracks.xy),
    )


def feature_matches(tracks: FeatureTracks, a: int, b: int) -> Matches:
    """Return the scene points that both views see, sub-pixel on both sides; confidence grows with the track's
    length, up to 16.
    """
    point, in_a, in_b = np.intersect1d(
        tracks.point[a], tracks.point[b], assume_unique=True, return_indices=True
    )
    conf = np.minimum(_MOST_CONF, 4.0 + 2.0 * tracks.length[point])
    return Matches(tracks.xy[a][in_a], tracks.xy[b][in_b], conf)
