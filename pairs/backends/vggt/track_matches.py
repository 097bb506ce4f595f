"""Points followed through many photos, and what they say of pairs (docs/vggt.md, "Tracks as matches")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from masks.mask import holds
from pairs.graph.farthest_points import farthest_points
from pairs.graph.scene_graphs import Edges
from pairs.prediction.predictions import GroupPrediction, Matches, join_matches
from pairs.views.cameras import Cameras


@dataclass(frozen=True, slots=True)
class Tracks:
    """N points of one view, followed through S views."""

    views: tuple[int, ...]
    """The S views."""
    query: int
    """Position among them of the view that the points are chosen in."""
    xy: np.ndarray  # (S, N, 2), grid pixels
    visible: np.ndarray  # (S, N), probability that the point is seen
    conf: np.ndarray  # (S, N), probability that the position is right

    def __post_init__(self) -> None:
        shape = self.xy.shape[:2]
        if (
            self.xy.shape != (len(self.views), shape[1], 2)
            or self.visible.shape != shape
            or self.conf.shape != shape
        ):
            raise ValueError(
                f"tracks through {len(self.views)} views: got {self.xy.shape}, {self.visible.shape} and "
                f"{self.conf.shape}"
            )


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """Which points are followed, and which of their places count."""

    query_views: int = 8
    """Views that points are chosen in, spread over all cameras; those that too few points reach come
    on top."""
    points: int = 512
    """At most so many a query view."""
    least_visible: float = 0.05
    """Probability above which a point counts as seen: low, as published for this tracker, since its
    confidence is asked as well."""
    # The published thresholds for this tracker when its tracks feed a bundle adjustment.
    least_conf: float = 0.2
    least_points: int = 64
    """A view that fewer points reach becomes a query view itself."""
    least_matches: int = 8
    """Pairs with fewer points in common are none."""
    partners: int = 12
    """Every view is paired with so many others that share the most points with it."""


def counted(tracks: Tracks, masks: Sequence[np.ndarray], options: TrackOptions) -> np.ndarray:
    """Return which places (S, N) count: believed, and on the object. `masks` (H, W) are those of all
    views.
    """
    believed = (tracks.visible > options.least_visible) & (tracks.conf > options.least_conf)
    # A query is where it was put: there is nothing to doubt.
    believed[tracks.query] = True
    return believed & np.stack([holds(masks[view], xy) for view, xy in zip(tracks.views, tracks.xy)])


def reached(tracks: Sequence[Tracks], masks: Sequence[np.ndarray], options: TrackOptions) -> np.ndarray:
    """Return how many points (V,) of other views reach each view."""
    count = np.zeros(len(masks), int)
    for each in tracks:
        here = counted(each, masks, options)
        others = [k for k in range(len(each.views)) if k != each.query]
        np.add.at(count, np.array(each.views)[others], here[others].sum(1))
    return count


def matches_of_pairs(
    tracks: Sequence[Tracks], group: GroupPrediction, masks: Sequence[np.ndarray], options: TrackOptions
) -> dict[tuple[int, int], Matches]:
    """Return the matches of every pair (a, b), a < b, that shares enough points.

    Confidence: geometric mean of both pixels' depth confidence, which is that of the pointmaps of pair
    networks, and of the tracker's belief.
    """
    parts: dict[tuple[int, int], list[Matches]] = {}
    for each in tracks:
        for pair, matches in _matches(each, group, masks, options):
            parts.setdefault(pair, []).append(matches)
    joined = {pair: join_matches(found) for pair, found in sorted(parts.items())}
    return {pair: matches for pair, matches in joined.items() if len(matches.conf) >= options.least_matches}


def strongest_pairs(matches: dict[tuple[int, int], Matches], num_views: int, partners: int) -> Edges:
    """Return the pairs of every view with those that share the most points with it; of equal ones, the
    nearest in order.
    """
    shared: list[list[tuple[int, int, int]]] = [[] for _ in range(num_views)]
    for (a, b), found in matches.items():
        for view, other in ((a, b), (b, a)):
            shared[view].append((-len(found.conf), abs(a - b), other))
    chosen = {
        (min(view, other), max(view, other))
        for view, others in enumerate(shared)
        for _, _, other in sorted(others)[:partners]
    }
    return tuple(sorted(chosen))


def spread_views(cameras: Cameras, views: Sequence[int], count: int) -> list[int]:
    """Return `count` of some views, or all: the first, then always the one whose camera is farthest from
    those before, of equals the first.

    Cameras are as far apart as they are turned, in radians, plus as they are moved, in units of their mean
    distance from their middle.
    """
    chosen = farthest_points(_apart(cameras, list(views)), count, first=0).views
    return [views[k] for k in chosen]


def nearest_camera(cameras: Cameras, view: int) -> int:
    """Return which other view's camera is nearest to that of a view."""
    apart = _apart(cameras, list(range(len(cameras.K))))[view]
    apart[view] = np.inf
    return int(apart.argmin())


def _apart(cameras: Cameras, views: list[int]) -> np.ndarray:
    """Return how far apart (v, v) the cameras of some views are."""
    R, centre = cameras.cam_from_world[views, :3, :3], cameras.centres[views]
    cosine = (np.einsum("aij,bij->ab", R, R) - 1) / 2
    # Turns are in radians and moves in units of the scene's own size: on a ring around an object the two then
    # weigh about the same.
    spread = np.linalg.norm(centre - centre.mean(0), axis=1).mean()
    moved = np.linalg.norm(centre[:, None] - centre, axis=2)
    return np.arccos(np.clip(cosine, -1, 1)) + (moved / spread if spread > 0 else 0)


def _matches(
    tracks: Tracks, group: GroupPrediction, masks: Sequence[np.ndarray], options: TrackOptions
) -> Iterator[tuple[tuple[int, int], Matches]]:
    here = counted(tracks, masks, options)
    # Both are probabilities, and a place must be seen and be right.
    belief = np.where(here, tracks.visible * tracks.conf, 0.0)
    belief[tracks.query] = here[tracks.query]
    conf = (
        np.stack([_at(group.conf[view], xy) for view, xy in zip(tracks.views, tracks.xy)]) * belief
    )  # (S, N)
    for i, j in combinations(range(len(tracks.views)), 2):
        first, second = (i, j) if tracks.views[i] < tracks.views[j] else (j, i)
        both = here[i] & here[j]
        if both.any():
            matches = Matches(
                tracks.xy[first, both], tracks.xy[second, both], np.sqrt(conf[i, both] * conf[j, both])
            )
            yield (tracks.views[first], tracks.views[second]), matches


def _at(values: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return the values (N,) of the pixels nearest to positions (N, 2); outside, of some pixel."""
    x, y = np.rint(np.nan_to_num(xy).clip(-1, max(values.shape))).astype(int).T
    return values[y.clip(0, values.shape[0] - 1), x.clip(0, values.shape[1] - 1)].astype(float)
