"""Refinement of a ring that stays a ring: its focal, its camera's attitude and the azimuths, from tangents
and matches.

The ring is a hard constraint or none: poses set free follow the noise of matches along 30 degrees, and of
outlines even more (six degrees of freedom a view sink the residual to 0.2 px with views 20 degrees off).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from pairs.rings.outline import Outline
from pairs.rings.ring import Ring, axis_poses, wrapped
from pairs.rings.tangency import all_pairs, drawn_pairs, hulls_of, tangency
from pairs.views.cameras import Cameras

_TANGENT_PX = 0.7
_MATCH_PX = 0.5
_MOST_MATCHES = 150
"""A pair: a quarter of guided matches is wrong, and more of them do not make the rest surer."""
_MOST_PAIRS = 1000
_STEP_RAD = np.deg2rad(0.1)
"""By so much steps of a regular pattern may differ."""
_STEPS = 12
_LOOSE = 0.01
"""How much the logarithm of a free focal holds to its start: where outlines of few views do not determine it,
rounding alone would lead it 15 % away; where they do, it moves by a hundred thousandth of its way."""
_OF_RING = 5
"""Numbers of a ring beside its azimuths: attitude (3), radius, height."""
_GAUGE = slice(4, 7)
"""The first ring's radius and height, and the azimuth of its first view, after the focal and its attitude."""


@dataclass(frozen=True, slots=True)
class PairMatches:
    """Matching points of two views of a ring."""

    first: int
    second: int
    """Places in `ring.views`."""
    xy_first: np.ndarray  # (N, 2) pixels
    xy_second: np.ndarray  # (N, 2)


@dataclass(frozen=True, slots=True)
class Refined:
    """A ring refined."""

    ring: Ring
    K: np.ndarray  # (n, 3, 3)
    tangency: float
    """Median of the tangents' residuals in pixels."""


@dataclass(frozen=True, slots=True)
class RefinedRings:
    """Rings of one axis refined together."""

    rings: tuple[Ring, ...]
    K: np.ndarray  # (n, 3, 3), in the ascending order of all views
    tangency: float
    """Median of the tangents' residuals in pixels."""


def refine_ring(
    ring: Ring,
    K: np.ndarray,
    outlines: Sequence[Outline],
    matches: Sequence[PairMatches] = (),
    *,
    free_focal: bool = True,
    steps: np.ndarray | None = None,
    seed: int = 0,
) -> Refined:
    """Refine focal, attitude and azimuths of a ring; axis, radius, principal points and the ratios of focals
    stay.

    `K` (n, 3, 3), `outlines` and the numbers in `matches` are in the order of `ring.views`. `steps` (n,): the
    place of every view in steps of the turntable where the pattern is regular
    (`pairs.rings.steps.StepPattern`), which are then held equal to 0.1 degrees. 12 to 16 views take 0.1 to
    0.3 s; above 45 views 1000 pairs are drawn.
    """
    pairs = drawn_pairs(all_pairs(len(K)), _MOST_PAIRS, seed)
    hulls = hulls_of(outlines)
    taken = _packed(matches, seed)
    # A view that is a degree off would be an outlier to the steps, and stay one.
    begun = ring.azimuth if steps is None else _evened(ring.azimuth, steps)
    start = np.zeros(4 + len(K))

    def unpacked(x: np.ndarray) -> tuple[Ring, np.ndarray]:
        scaled = K.copy()
        scaled[:, [0, 1], [0, 1]] *= np.exp(x[0]) if free_focal else 1.0
        camera = Rotation.from_rotvec(x[1:4]).as_matrix() @ ring.cam_from_axis
        return replace(ring, cam_from_axis=camera, azimuth=begun + x[4:] - x[4]), scaled

    def residuals(x: np.ndarray) -> np.ndarray:
        moved, scaled = unpacked(x)
        # In the frame of the axis, where numbers are the same for every world.
        cameras = Cameras(scaled, axis_poses(moved.cam_from_axis, 1.0, moved.azimuth))
        parts = [tangency(cameras, hulls, pairs).residual.ravel() / (_TANGENT_PX * hulls.scale)]
        if taken is not None:
            parts.append(_sampson(cameras, taken) / (_MATCH_PX * hulls.scale))
        if steps is not None:
            parts.append(_uneven(moved.azimuth, steps) / _STEP_RAD)
        # Scale and first azimuth are free gauges, and a focal that is held must not wander.
        parts.append(np.array([x[4], (_LOOSE if free_focal else 1.0) * x[0]]))
        return np.concatenate(parts)

    x = least_squares(residuals, start, loss="cauchy", max_nfev=_STEPS, x_scale=0.1).x
    found, scaled = unpacked(x)
    cameras = Cameras(scaled, axis_poses(found.cam_from_axis, 1.0, found.azimuth))
    return Refined(
        replace(found, azimuth=wrapped(found.azimuth)), scaled, tangency(cameras, hulls, pairs).median
    )


def _turns(azimuth: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of views by `steps` (n,) and the turns (n - 1,) in radians between those that follow
    each other, counted past half a turn where that is what the nearest ones say.
    """
    order = np.argsort(steps, kind="stable")
    distance, turn = np.diff(steps[order]), np.diff(azimuth[order])
    least = distance[distance > 0].min()  # a side that was taken twice is no step
    near = turn[distance == least]
    each = wrapped(near[0] + np.median(wrapped(near - near[0]))) / least
    return order, each * distance + wrapped(turn - each * distance)


def _evened(azimuth: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return azimuths in equal steps (n,), the first one where it was."""
    order, turn = _turns(azimuth, steps)
    distance = np.diff(steps[order])
    apart = distance > 0
    return azimuth[0] + np.median(turn[apart] / distance[apart]) * (steps - steps[0])


def _uneven(azimuth: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return by how many radians the turns between neighbours in `steps` (n,) differ from equal steps."""
    order, turn = _turns(azimuth, steps)
    distance = np.diff(steps[order])
    # A sum of d steps, each off by as much, is off by the root of d.
    return (turn - turn.sum() / distance.sum() * distance) / np.sqrt(np.maximum(distance, 1))


@dataclass(frozen=True, slots=True)
class _Packed:
    """Matches of all pairs in one list."""

    first: np.ndarray  # (N,) int
    second: np.ndarray  # (N,) int
    xy_first: np.ndarray  # (N, 3) homogeneous
    xy_second: np.ndarray  # (N, 3)


def _packed(matches: Sequence[PairMatches], seed: int) -> _Packed | None:
    rng = np.random.default_rng(seed)
    parts = []
    for pair in matches:
        size = len(pair.xy_first)
        kept = (
            np.sort(rng.choice(size, _MOST_MATCHES, replace=False))
            if size > _MOST_MATCHES
            else np.arange(size)
        )
        parts.append(_ends(pair, kept))
    return _Packed(*(np.concatenate(part) for part in zip(*parts))) if parts else None


def _ends(pair: PairMatches, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return views and homogeneous points of some matches, as they are packed."""
    ones = np.ones((len(kept), 1))
    return (
        np.full(len(kept), pair.first),
        np.full(len(kept), pair.second),
        np.hstack([pair.xy_first[kept], ones]),
        np.hstack([pair.xy_second[kept], ones]),
    )


def sampson(cameras: Cameras, matches: Sequence[PairMatches]) -> np.ndarray:
    """Return the signed Sampson distances (N,) in pixels of all matches, one pair after the other, between
    cameras whose places are `PairMatches.first` and `second`.
    """
    parts = [_ends(pair, np.arange(len(pair.xy_first))) for pair in matches]
    return _sampson(cameras, _Packed(*(np.concatenate(part) for part in zip(*parts))))


def _sampson(cameras: Cameras, matches: _Packed) -> np.ndarray:
    """Return the signed Sampson distances (N,) of matches in pixels."""
    a, b = matches.first, matches.second
    pairs, which = np.unique(a * len(cameras.K) + b, return_inverse=True)
    first, second = np.divmod(pairs, len(cameras.K))
    pose = cameras.cam_from_world
    R = pose[second, :3, :3] @ pose[first, :3, :3].transpose(0, 2, 1)
    t = pose[second, :3, 3] - np.einsum("eij,ej->ei", R, pose[first, :3, 3])
    cross = np.zeros((len(pairs), 3, 3))
    cross[:, [0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]] = np.stack(
        [-t[:, 2], t[:, 1], t[:, 2], -t[:, 0], -t[:, 1], t[:, 0]], 1
    )
    inverse = np.linalg.inv(cameras.K)
    F = inverse[second].transpose(0, 2, 1) @ cross @ R @ inverse[first]
    line_b = np.einsum("nij,nj->ni", F[which], matches.xy_first)
    line_a = np.einsum("nji,nj->ni", F[which], matches.xy_second)
    slope = np.sqrt((line_a[:, :2] ** 2).sum(1) + (line_b[:, :2] ** 2).sum(1))
    return (matches.xy_second * line_b).sum(1) / np.maximum(slope, 1e-12)


def refine_rings(
    rings: Sequence[Ring],
    K: np.ndarray,
    outlines: Sequence[Outline],
    matches: Sequence[PairMatches] = (),
    *,
    free_focal: bool = True,
    seed: int = 0,
) -> RefinedRings:
    """Refine rings of one axis together: one focal, every ring's attitude, radius, height and azimuths.

    `K` (n, 3, 3), `outlines` and the numbers in `matches` are in the ascending order of all rings' views. The
    first ring keeps its radius and height, which are the scale and the place of the world. 24 views take 1 s.
    """
    order = np.argsort(np.concatenate([ring.views for ring in rings]), kind="stable")
    pairs, hulls, taken = (
        drawn_pairs(all_pairs(len(K)), _MOST_PAIRS, seed),
        hulls_of(outlines),
        _packed(matches, seed),
    )
    sizes = [_OF_RING + len(ring.views) for ring in rings]

    def unpacked(x: np.ndarray) -> tuple[list[Ring], np.ndarray]:
        scaled = K.copy()
        scaled[:, [0, 1], [0, 1]] *= np.exp(x[0]) if free_focal else 1.0
        held = x.copy()
        held[_GAUGE] = 0
        parts = np.split(held[1:], np.cumsum(sizes)[:-1])
        return [_moved_ring(ring, part, rings[0].radius) for ring, part in zip(rings, parts)], scaled

    def residuals(x: np.ndarray) -> np.ndarray:
        moved, scaled = unpacked(x)
        cameras = Cameras(scaled, np.concatenate([ring.cam_from_world() for ring in moved])[order])
        parts = [tangency(cameras, hulls, pairs).residual.ravel() / (_TANGENT_PX * hulls.scale)]
        if taken is not None:
            parts.append(_sampson(cameras, taken) / (_MATCH_PX * hulls.scale))
        # What is held must not wander.
        parts.append(np.append(x[_GAUGE], (_LOOSE if free_focal else 1.0) * x[0]))
        return np.concatenate(parts)

    x = least_squares(residuals, np.zeros(1 + sum(sizes)), loss="cauchy", max_nfev=_STEPS, x_scale=0.1).x
    found, scaled = unpacked(x)
    cameras = Cameras(scaled, np.concatenate([ring.cam_from_world() for ring in found])[order])
    return RefinedRings(tuple(found), scaled, tangency(cameras, hulls, pairs).median)


def _moved_ring(ring: Ring, x: np.ndarray, unit: float) -> Ring:
    """Return a ring turned (3), stretched, lifted (in units), and with azimuths changed."""
    lifted = ring.axis_from_world.copy()
    lifted[2, 3] -= unit * x[4]
    return replace(
        ring,
        axis_from_world=lifted,
        radius=float(ring.radius * np.exp(np.clip(x[3], -1, 1))),
        cam_from_axis=Rotation.from_rotvec(x[:3]).as_matrix() @ ring.cam_from_axis,
        azimuth=wrapped(ring.azimuth + x[_OF_RING:]),
    )
