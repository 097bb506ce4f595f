"""Points of a scene with the pixels that show them: tracks (docs/exports.md, "Tracks").

From the tracks of the backend, which its features gave, else from the matches that were aligned: each pixel
of a view with its matches in later views is one track. Longer chains are not followed: dense matches, each
half a pixel off, would join whole surfaces. Either way the points are triangulated with the final cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from align.measurements.gathered import PairRecord
from align.scene import TrackedPoints
from pairs.prediction.predictions import Predictions
from pairs.views.cameras import Cameras

_MOST_ERROR_PX = 2.0
"""An observation farther from its point's projection is wrong, as in `MatchedDepth`."""
_LEAST_ANGLE_DEG = 1.0
"""Rays that meet at less say nothing of the depth."""
_MOST_POINTS = 50_000
"""Dense matches give millions; those that most views see are kept."""
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class _Observed:
    """Observations, ascending by point."""

    view: np.ndarray  # (O,)
    point: np.ndarray  # (O,)
    xy: np.ndarray  # (O, 2), grid pixels

    def __getitem__(self, which: np.ndarray) -> _Observed:
        return _Observed(self.view[which], self.point[which], self.xy[which])

    def renumbered(self) -> _Observed:
        """Return the same with points 0, 1, 2 ..."""
        return replace(self, point=np.unique(self.point, return_inverse=True)[1])


def tracked_points(
    predictions: Predictions, records: Sequence[PairRecord], cameras: Cameras
) -> TrackedPoints | None:
    """Return the points that two views at least see, with the final cameras (K in grid pixels) of the
    predictions' views; none where there are none.
    """
    seen = _of_backend(predictions) if predictions.tracks is not None else _of_matches(records)
    seen = _longest(_seen_twice(seen))
    if not len(seen.view):
        return None
    for last in (False, False, True):
        error = _errors_px(seen, _triangulated(seen, cameras), cameras)
        wrong = error > _MOST_ERROR_PX
        # A wrong observation pulls the point away from the right ones: first the worst goes alone.
        worst = error == np.maximum.reduceat(error, _starts(seen))[seen.point]
        seen = _seen_twice(seen[~wrong if last else ~(wrong & worst)])
        if not len(seen.view):
            return None
    points = _triangulated(seen, cameras)
    sure = np.isfinite(points).all(1) & (_angles_deg(seen, points, cameras) >= _LEAST_ANGLE_DEG)
    kept = seen[sure[seen.point]].renumbered()
    if not sure.any():
        return None
    order = np.lexsort((kept.point, kept.view))
    view, point = (array[order].astype(np.int32) for array in (kept.view, kept.point))
    return TrackedPoints(points[sure], view, point, kept.xy[order])


def _of_backend(predictions: Predictions) -> _Observed:
    tracks = predictions.tracks
    if tracks is None:
        raise ValueError("these predictions have no tracks")
    index = {view.name: k for k, view in enumerate(predictions.views)}
    view = np.array([index.get(name, -1) for name in tracks.names], int)[tracks.view]
    order = np.argsort(tracks.point, kind="stable")
    return _Observed(view, tracks.point, tracks.xy)[order[view[order] >= 0]]


def _of_matches(records: Sequence[PairRecord]) -> _Observed:
    """Return the tracks that begin at pixels of a view and lead into the views after it."""
    parts = [_ends(record) for record in records if len(record.conf)]
    if not parts:
        return _Observed(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)))
    first, later, xy_first, xy_later, conf = (np.concatenate(column) for column in zip(*parts))
    pixel = np.rint(xy_first).astype(np.int64)
    place = np.stack([first, pixel[:, 1], pixel[:, 0]], 1)
    start, track = np.unique(place, axis=0, return_inverse=True)
    # Of several matches that lead from one pixel into one view the surest counts.
    order = np.lexsort((-conf, later, track.ravel()))
    track, later = track.ravel()[order], later[order]
    once = np.r_[True, (np.diff(track) != 0) | (np.diff(later) != 0)]
    track, later, xy_first, xy_later = track[once], later[once], xy_first[order][once], xy_later[order][once]
    begins = np.r_[True, np.diff(track) != 0]
    view = np.concatenate([start[track[begins], 0], later])
    point = np.concatenate([track[begins], track])
    xy = np.concatenate([xy_first[begins], xy_later])
    return _Observed(view, point, xy)[np.argsort(point, kind="stable")]


def _ends(record: PairRecord) -> tuple[np.ndarray, ...]:
    """Return the earlier view, the later one, and the pixels and confidences of the matches."""
    a, b = record.xy_a.numpy(), record.xy_b.numpy()
    first, later, xy_first, xy_later = record.a, record.b, a, b
    if record.a > record.b:
        first, later, xy_first, xy_later = record.b, record.a, b, a
    count = len(record.conf)
    return np.full(count, first), np.full(count, later), xy_first, xy_later, record.conf.numpy()


def _seen_twice(seen: _Observed) -> _Observed:
    """Return the points that two different views show, numbered anew; of a view that shows one twice the
    first observation counts.
    """
    order = np.lexsort((np.arange(len(seen.view)), seen.view, seen.point))
    seen = seen[order]
    again = np.r_[False, (np.diff(seen.point) == 0) & (np.diff(seen.view) == 0)][: len(seen.view)]
    seen = seen[~again].renumbered()
    return seen[np.bincount(seen.point, minlength=1)[seen.point] >= 2].renumbered()


def _longest(seen: _Observed) -> _Observed:
    lengths = np.bincount(seen.point)
    if len(lengths) <= _MOST_POINTS:
        return seen
    kept = np.zeros(len(lengths), bool)
    kept[np.argsort(-lengths, kind="stable")[:_MOST_POINTS]] = True
    return seen[kept[seen.point]].renumbered()


def _triangulated(seen: _Observed, cameras: Cameras) -> np.ndarray:
    """Return the points (P, 3) with the least squared reprojection errors; NaN where rays are parallel."""
    R, t, K = cameras.cam_from_world[:, :3, :3], cameras.cam_from_world[:, :3, 3], cameras.K
    starts = _starts(seen)
    homogeneous = np.concatenate([seen.xy, np.ones((len(seen.xy), 1))], 1)
    rays = np.einsum("oji,ojk,ok->oi", R[seen.view], np.linalg.inv(K)[seen.view], homogeneous)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    # Start: the point nearest to all rays. Then Gauss-Newton on the pixels.
    across = np.eye(3) - rays[:, :, None] * rays[:, None]
    left = np.add.reduceat(across, starts)
    right = np.add.reduceat(np.einsum("oij,oj->oi", across, cameras.centres[seen.view]), starts)
    points = _solved(left, right)
    for _ in range(_ROUNDS):
        at = np.einsum("oij,oj->oi", R[seen.view], points[seen.point]) + t[seen.view]
        pixel = np.einsum("oij,oj->oi", K[seen.view], at)
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = pixel[:, :2] / pixel[:, 2:]
            by_pixel = (K[seen.view][:, :2] - xy[:, :, None] * K[seen.view][:, 2:]) / at[:, 2, None, None]
        jacobian = by_pixel @ R[seen.view]  # (O, 2, 3)
        normal = np.add.reduceat(np.einsum("ori,orj->oij", jacobian, jacobian), starts)
        gradient = np.add.reduceat(np.einsum("ori,or->oi", jacobian, seen.xy - xy), starts)
        points = points + _solved(normal, gradient)
    return points


def _solved(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return x (P, 3) of left x = right; NaN where the matrix is singular or not finite."""
    with np.errstate(all="ignore"):
        usable = np.isfinite(left).all((1, 2)) & (np.abs(np.linalg.det(left)) > 0)
    found = np.full(right.shape, np.nan)
    found[usable] = np.linalg.solve(left[usable], right[usable, :, None])[..., 0]
    return found


def _errors_px(seen: _Observed, points: np.ndarray, cameras: Cameras) -> np.ndarray:
    """Return how far observations (O,) lie from their point's projection; infinite behind the camera."""
    pose = cameras.cam_from_world[seen.view]
    at = np.einsum("oij,oj->oi", pose[:, :3, :3], points[seen.point]) + pose[:, :3, 3]
    pixel = np.einsum("oij,oj->oi", cameras.K[seen.view], at)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.linalg.norm(pixel[:, :2] / pixel[:, 2:] - seen.xy, axis=1)
    return np.where((at[:, 2] > 0) & np.isfinite(error), error, np.inf)


def _starts(seen: _Observed) -> np.ndarray:
    """Return where the observations of each point begin."""
    return np.flatnonzero(np.r_[True, np.diff(seen.point) != 0])


def _angles_deg(seen: _Observed, points: np.ndarray, cameras: Cameras) -> np.ndarray:
    """Return the angle (P,) between each point's first ray and the one farthest from it."""
    rays = points[seen.point] - cameras.centres[seen.view]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    starts = _starts(seen)
    chord = np.linalg.norm(rays - rays[starts][seen.point], axis=1)
    return np.degrees(2 * np.arcsin(np.minimum(np.maximum.reduceat(chord, starts) / 2, 1)))
