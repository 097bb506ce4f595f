"""A ring from masks, a step and the order of the photos alone: no feature, no pose, no focal.

Four numbers stand for the camera (focal, tilt, roll, pan; radius 1 and height 0 are free gauges) and one for
the step; the principal point is taken in the middle. Tangency proposes, silhouette coherence decides between
what tangents leave open, and what nothing decides is refused (P. R. S. Mendonca, K.-Y. K. Wong, R. Cipolla,
Epipolar geometry from profiles under circular motion, PAMI 23, 2001, for the geometry).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from pairs.rings.coherence import coherence, coherence_cost
from pairs.rings.outline import Outline
from pairs.rings.ring import Ring, axis_poses, wrapped
from pairs.rings.tangency import Hulls, Tangency, all_pairs, drawn_pairs, hulls_of, tangency
from pairs.views.cameras import Cameras

LEAST_VIEWS = 8
"""Arcs of 8 come out within half a degree, of 3 to 6 up to ten degrees off."""
_GOOD_PX, _CLOSE_PX = 1.5, 0.5
"""Largest median tangency: ragged masks have 1, a shuffled order has 6 to 14."""
_RIVAL_RATIO, _RIVAL_FLOOR = 0.4, 0.1
"""A minimum is a rival when its cost is below the best one's over the ratio, or below the floor in px^2: for
exact outlines make 0.001 of a wrong mug and 0.005 of the right one."""
_ONE_SIDED_RATIO = 0.2
"""Half of the evidence must be twice as clear."""
_COHERENT_RATIO = 0.4
_FLAT_COHERENCE = 0.02
_APART_RAD = np.deg2rad(9.0)
_FOCALS, _LEAST_FOCAL, _LARGEST_FOCAL = (1.2, 4.0), 0.3, 10.0
_TILTS_DEG, _ROLLS_DEG = (-60, -35, -15, 5, 15, 35, 60), (0, 90)
"""Rolls of 180 and 270 degrees are the other direction."""
_TURNED_RAD = np.deg2rad((2.0, 140.0))
"""Pairs that look at each other from a low height lose their tangents, and a search climbs no wall of lost
ones; a side that was taken twice has none."""
_SOFT_PX = 2.0
_FIRST_STEPS, _LAST_STEPS, _KEPT_STARTS = 6, 25, 6
_SEARCH_PAIRS, _FINAL_PAIRS = 300, 1000
_LEAST_NOISE_PX = 0.15
_LOOSE_RAD = np.deg2rad(3.0)
_POOR_COST = 10.0
"""px^2: masks ragged by 2 px have 3."""
_FOCAL_SIGMA, _PAN_SIGMA = 1.0, 0.2
_LEVEL = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
"""A camera at (1, 0, 0) that looks at the axis, upright."""
_UP = np.array([0.0, 0, 1])


class Refusal(Enum):
    """Why outlines do not give a ring."""

    FEW_VIEWS = "fewer than 8 views"
    FRAME = "the frame cuts the object in most tangents"
    POOR_FIT = "no ring fits the outlines"
    BODY_OF_REVOLUTION = "the outline does not tell the sides apart"
    LOOSE = "the outlines hardly change as the object turns"
    AMBIGUOUS = "several rings fit the outlines"


class Side(Enum):
    """Which tangents speak, along the axis."""

    BOTH = "both"
    LOWER = "lower"
    UPPER = "upper"


@dataclass(frozen=True, slots=True)
class OutlineRing:
    """The ring that fits outlines best, to be believed unless it is refused."""

    ring: Ring
    """Of radius 1 in a world that is its own axis frame; its views count the outlines."""
    K: np.ndarray  # (V, 3, 3)
    step: float
    """Radians a photo, signed about the ring's axis."""
    cost: float
    """Mean soft-L1 in px^2 of the tangents that the best ring has."""
    rival_cost: float
    """The same of the best other minimum; infinite where there is none."""
    tangency: float
    """Median over tangents in pixels."""
    view_tangency: np.ndarray  # (V,) median over the tangents of a view; exchanged photos stand out
    sigma: float
    """Radians by which the outlines leave rotations between views unsure, one standard deviation."""
    side: Side
    refusal: Refusal | None


class _Problem(NamedTuple):
    hulls: Hulls
    outlines: Sequence[Outline]
    K: np.ndarray  # (V, 3, 3), focal one long side unless it is known
    focal_known: bool
    places: np.ndarray  # (V,), in steps
    pairs: np.ndarray  # (E, 2)
    near: np.ndarray  # (F, 2), pairs for the search
    side: Side


class _Minimum(NamedTuple):
    x: np.ndarray  # (5,): log focal over K's, tilt, roll, pan, step
    cost: float
    sigma: float
    """Radians by which rotations between views are unsure."""


def ring_from_outlines(
    outlines: Sequence[Outline],
    step: float,
    places: np.ndarray | None = None,
    K: np.ndarray | None = None,
    seed: int = 0,
) -> OutlineRing:
    """Find the ring of photos in equal steps of about `step` radians; its sign does not matter.

    `places` (V,) int says which step each photo is, by default its number. `K` (V, 3, 3) keeps known focals
    and principal points. The step may be 3 degrees off at 24, 4 at 30. Where both tangents of every pair
    together fit no ring, those on one side of the axis are tried alone: a foot that is cut off or glued to
    the table is the commonest fault of masks. CPU seconds: 1 for 12 views, 4 for 36; above 45 views 1000
    pairs are drawn.
    """
    whole = _solved(_problem(outlines, abs(step), places, K, Side.BOTH, seed), abs(step))
    if whole.refusal not in (Refusal.POOR_FIT, Refusal.AMBIGUOUS):
        return whole
    halves = [
        _solved(_problem(outlines, abs(step), places, K, side, seed), abs(step))
        for side in (Side.LOWER, Side.UPPER)
    ]
    clear = [half for half in halves if half.cost < _ONE_SIDED_RATIO * half.rival_cost]
    right = [half for half in clear if half.refusal is None]
    # Half of the evidence may fit well and still leave the focal open: known focals help then.
    loose = [h for h in clear if h.refusal is Refusal.LOOSE and h.tangency < _CLOSE_PX]
    return min(right or loose or [whole], key=lambda half: half.cost)


def best_ring(
    outlines: Sequence[Outline],
    steps: Sequence[float],
    places: np.ndarray | None = None,
    K: np.ndarray | None = None,
    seed: int = 0,
) -> OutlineRing:
    """Return of the rings of several steps the one that fits best."""
    tried = [ring_from_outlines(outlines, step, places, K, seed) for step in steps]
    return min(tried, key=lambda found: (found.refusal is not None, found.cost))


def full_turn_steps(num_photos: int) -> tuple[float, float]:
    """Return the steps in radians of photos that go round once: they may end one step before the first, or
    repeat it.
    """
    return 2 * np.pi / num_photos, 2 * np.pi / max(num_photos - 1, 1)


def _problem(
    outlines: Sequence[Outline],
    step: float,
    places: np.ndarray | None,
    K: np.ndarray | None,
    side: Side,
    seed: int,
) -> _Problem:
    size = np.array([outline.size for outline in outlines], float)
    if K is None:
        middle = np.tile(np.eye(3), (len(outlines), 1, 1))
        middle[:, 0, 0] = middle[:, 1, 1] = size.max(1)
        middle[:, :2, 2] = (size - 1) / 2
    where = np.arange(len(outlines)) if places is None else np.asarray(places)
    pairs = all_pairs(len(outlines))
    turned = np.abs(wrapped(step * (where[pairs[:, 1]] - where[pairs[:, 0]])))
    near = pairs[(turned > _TURNED_RAD[0]) & (turned < _TURNED_RAD[1])]
    return _Problem(
        hulls_of(outlines),
        outlines,
        middle if K is None else K,
        K is not None,
        where,
        drawn_pairs(pairs, _FINAL_PAIRS, seed),
        drawn_pairs(near, _SEARCH_PAIRS, seed),
        side,
    )


def _solved(problem: _Problem, step: float) -> OutlineRing:
    few = problem._replace(pairs=problem.near)
    found = [_descended(few, x, _FIRST_STEPS, False) for x in _starts(problem, step)]
    found = sorted((m for m in found if _possible(problem, m)), key=lambda m: m.cost)
    if not found:
        found = [_Minimum(_starts(problem, step)[0], np.inf, np.inf)]
    # Of each direction and tilt one: six copies of the best would leave no rival to be seen.
    distinct = _distinct(found)[:_KEPT_STARTS]
    ended = [_finished(problem, _descended(few, m.x, _LAST_STEPS, False).x) for m in distinct]
    ended = _distinct(sorted((m for m in ended if _possible(problem, m)), key=lambda m: m.cost)) or distinct
    return _judged(problem, ended)


def _finished(problem: _Problem, x: np.ndarray) -> _Minimum:
    """Return the minimum with the step free, by all pairs that have their tangents near it."""
    usable = _tangency(problem, x).usable.all(1)
    a, b = problem.pairs.T
    turned = np.abs(wrapped(x[4] * (problem.places[b] - problem.places[a])))
    kept = usable | ((turned > _TURNED_RAD[0]) & (turned < _TURNED_RAD[1]))
    return _descended(problem._replace(pairs=problem.pairs[kept]), x, _LAST_STEPS, True)


def _starts(problem: _Problem, step: float) -> list[np.ndarray]:
    """Return cameras all around, panned so that the mean centroid lies on the axis."""
    centroid = np.append(np.mean([outline.centroid for outline in problem.outlines], axis=0), 1.0)
    starts = []
    for focal in (1.0,) if problem.focal_known else _FOCALS:
        for tilt in np.deg2rad(_TILTS_DEG):
            for roll in np.deg2rad(_ROLLS_DEG):
                K = problem.K[0] * np.array([[focal, focal, 1], [focal, focal, 1], [1, 1, 1]])
                x = np.array([np.log(focal), tilt, roll, 0.0, step])
                ray = _camera(x).T @ np.linalg.inv(K) @ centroid
                x[3] = wrapped(np.arctan2(ray[1], ray[0]) - np.pi)
                starts += [x, np.append(x[:4], -step)]
    return starts


def _camera(x: np.ndarray) -> np.ndarray:
    """Return `cam_from_axis`: roll, tilt and pan of a level camera."""
    turn = Rotation.from_euler("zx", [x[2], x[1]]).as_matrix()
    return turn @ _LEVEL @ Rotation.from_euler("z", x[3]).as_matrix()


def _cameras(problem: _Problem, x: np.ndarray) -> Cameras:
    K = problem.K.copy()
    K[:, [0, 1], [0, 1]] *= np.exp(x[0])
    return Cameras(K, axis_poses(_camera(x), 1.0, x[4] * problem.places))


def _tangency(problem: _Problem, x: np.ndarray) -> Tangency:
    return tangency(_cameras(problem, x), problem.hulls, problem.pairs, _UP)


def _spoken(side: Side, columns: np.ndarray) -> np.ndarray:
    match side:
        case Side.LOWER:
            return columns[:, :1]
        case Side.UPPER:
            return columns[:, 1:]
        case Side.BOTH:
            return columns


def _descended(problem: _Problem, start: np.ndarray, steps: int, free_step: bool) -> _Minimum:
    """Return the minimum below a start; weak priors keep focal and pan from running away."""
    free = np.array([not problem.focal_known, True, True, True, free_step])

    def full(y: np.ndarray) -> np.ndarray:
        x = start.copy()
        x[free] += y
        return x

    def residuals(y: np.ndarray) -> np.ndarray:
        x = full(y)
        x[0] = np.clip(x[0], -5, 5)
        pixels = _spoken(problem.side, _tangency(problem, x).residual).ravel() / problem.hulls.scale
        return np.concatenate([pixels, [(x[0] - start[0]) / _FOCAL_SIGMA, (x[3] - start[3]) / _PAN_SIGMA]])

    found = least_squares(
        residuals, np.zeros(free.sum()), loss="soft_l1", f_scale=_SOFT_PX, max_nfev=steps, x_scale=0.1
    )
    x = full(found.x)
    return _Minimum(x, _cost(problem, x), _unsure(problem, x, free, found.jac))


def _unsure(problem: _Problem, x: np.ndarray, free: np.ndarray, jacobian: np.ndarray) -> float:
    """Return the standard deviation in radians of a rotation between two views, of outlines that are off
    independently view by view; infinite where they leave a direction open.
    """
    found = _tangency(problem, x)
    pixels = np.abs(_spoken(problem.side, found.residual))[_spoken(problem.side, found.usable)]
    noise = max(
        1.4826 * float(np.median(pixels)) / problem.hulls.scale if len(pixels) else 0, _LEAST_NOISE_PX
    )
    # V outlines have fewer errors than their pairs have tangents.
    shared = len(jacobian) / (2 * len(problem.places))
    curvature = jacobian.T @ jacobian
    if not np.isfinite(curvature).all() or np.linalg.cond(curvature) > 1e14:
        return np.inf
    variance = np.zeros(5)
    variance[free] = shared * noise**2 * np.diag(np.linalg.inv(curvature))
    # An axis that is off turns views half a turn apart by twice as much; a step adds up.
    return float(np.sqrt(4 * (variance[1] + variance[2]) + variance[4] * np.ptp(problem.places) ** 2))


def _cost(problem: _Problem, x: np.ndarray) -> float:
    """Return the mean soft-L1 in px^2; lost tangents count in full."""
    return _soft(_spoken(problem.side, _tangency(problem, x).residual) / problem.hulls.scale)


def _soft(pixels: np.ndarray) -> float:
    return float(np.mean(2 * _SOFT_PX**2 * (np.sqrt(1 + (pixels / _SOFT_PX) ** 2) - 1)))


def _possible(problem: _Problem, minimum: _Minimum) -> bool:
    if problem.focal_known:
        return True
    return bool(_LEAST_FOCAL < np.exp(minimum.x[0]) < _LARGEST_FOCAL)


def _signed_axis(x: np.ndarray) -> np.ndarray:
    """Return the axis in the camera about which azimuths grow: one for every direction and tilt."""
    return np.sign(x[4]) * _camera(x)[:, 2]


def _distinct(minima: Sequence[_Minimum]) -> list[_Minimum]:
    """Return minima, sorted by cost, without those near in direction and tilt to a better one."""
    kept: list[_Minimum] = []
    for minimum in minima:
        axis = _signed_axis(minimum.x)
        if all(axis @ _signed_axis(other.x) < np.cos(_APART_RAD) for other in kept):
            kept.append(minimum)
    return kept


def _judged(problem: _Problem, minima: Sequence[_Minimum]) -> OutlineRing:
    """Return the best minimum with what speaks against it; rivals are told apart by coherence."""
    costs = _compared(problem, minima)
    limit = max(costs[0] / _RIVAL_RATIO, _RIVAL_FLOOR)
    rivals = [minimum for minimum, cost in zip(minima, costs) if cost <= limit]
    best, refusal = minima[0], None
    if len(rivals) > 1:
        coherent = np.array(
            [coherence_cost(coherence(_cameras(problem, m.x), problem.outlines)) for m in rivals]
        )
        order = np.argsort(coherent, kind="stable")
        best = rivals[order[0]]
        if coherent[order[1]] < _FLAT_COHERENCE:
            refusal = Refusal.BODY_OF_REVOLUTION
        elif coherent[order[0]] > _COHERENT_RATIO * coherent[order[1]]:
            refusal = Refusal.AMBIGUOUS
    cost = next(cost for minimum, cost in zip(minima, costs) if minimum is best)
    others = [cost for minimum, cost in zip(minima, costs) if minimum is not best]
    found = _tangency(problem, best.x)
    usable, size = (_spoken(problem.side, array) for array in (found.usable, np.abs(found.residual)))
    median = float(np.median(size[usable])) if usable.any() else np.inf
    if len(problem.places) < LEAST_VIEWS:
        refusal = Refusal.FEW_VIEWS
    elif usable.mean() < 0.5:
        cut = np.mean([outline.cut for outline in problem.outlines])
        refusal = Refusal.FRAME if cut > 0.5 else Refusal.POOR_FIT
    elif median > _GOOD_PX * problem.hulls.scale or cost > _POOR_COST:
        refusal = Refusal.POOR_FIT
    elif refusal is None and best.sigma > _LOOSE_RAD:
        refusal = Refusal.LOOSE
    nothing = np.zeros(len(problem.places))
    azimuth = wrapped(best.x[4] * problem.places)
    ring = Ring(
        np.eye(4), 1.0, _camera(best.x), np.arange(len(problem.places)), azimuth, nothing, nothing.copy()
    )
    return OutlineRing(
        ring=ring,
        K=_cameras(problem, best.x).K,
        step=float(best.x[4]),
        cost=cost,
        sigma=best.sigma,
        rival_cost=min(others, default=np.inf),
        tangency=median,
        view_tangency=_by_view(problem, size, usable),
        side=problem.side,
        refusal=refusal,
    )


def _compared(problem: _Problem, minima: Sequence[_Minimum]) -> list[float]:
    """Return the costs of minima over the tangents that the best one has.

    Opposite views have none, and what they count in a search would make all minima alike.
    """
    kept = _spoken(problem.side, _tangency(problem, minima[0].x).usable)
    if not kept.any():
        return [minimum.cost for minimum in minima]
    return [
        _soft(_spoken(problem.side, _tangency(problem, m.x).residual)[kept] / problem.hulls.scale)
        for m in minima
    ]


def _by_view(problem: _Problem, size: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return each view's median over its usable tangents, infinite where it has none."""
    medians = np.full(len(problem.places), np.inf)
    for view in range(len(medians)):
        own = (problem.pairs == view).any(1)
        seen = size[own][usable[own]]
        medians[view] = np.median(seen) if len(seen) else np.inf
    return medians
