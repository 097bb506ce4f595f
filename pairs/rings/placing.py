"""Views and pieces placed on a known ring by their outlines: one unknown azimuth, scanned all round.

A view that features cannot place still has tangents with every placed one. On a ring that is known all but
its azimuth is, too; the same holds for a piece, several views that were solved apart from the rest. Refine
(`pairs.rings.refinement`), place one, refine, place the next: focal and tilt of a short arc are a little
wrong, and all far views would lean on them alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairs.rings.coherence import coherence
from pairs.rings.outline import Outline
from pairs.rings.ring import Ring, flipped, wrapped
from pairs.rings.scanning import bounded_costs, circular_minima
from pairs.rings.tangency import Hulls, hulls_of, pairs_across, rays_of, tangency_of_rays
from pairs.views.cameras import Cameras, camera_centres

CLEAR_RATIO = 0.4
"""A minimum counts when its cost is below this share of the next one's. Right ones have 0.005 to 0.12 beside
a ring that was refined on its own outlines first; before that 0.07 to 0.57, and wrong ones as little."""
_FLAT = 0.02
"""A rival cheaper than this cannot be told from a right one, whatever the ratio: exact outlines of a tower
with four like sides cost 0.001 to 0.003 on all four."""
_SCALE_PX = 4.0
MOST_COST = 0.36
"""What costs more fits nowhere, whatever costs still more: as much as every tangent off by 3 px. Right views
have up to 0.21 with masks ragged by 2 px, those that turned about another axis 0.37 to 0.8."""
_SCAN = 360
_FINE_RAD = np.deg2rad(np.arange(-10, 11) / 10)
_APART_RAD = np.deg2rad(8.0)
_MOST_PAIRS = 8000
"""Pairs measured at once: memory of some 50 MB."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where on a ring the outlines put a view, or the azimuth to add to all of a piece's."""

    azimuth: float
    """Radians, of the least cost."""
    cost: float
    """Mean of r^2 / (r^2 + 16) over tangents, 0 to 1."""
    next_cost: float
    """Cost of the best other minimum, at least 8 degrees away."""
    rivals: tuple[float, ...]
    """Azimuths of all minima that cost does not rule out, the cheapest first: one where the place is
    clear."""
    rival_costs: tuple[float, ...]
    flat: bool
    """Whether every azimuth fits: the outline does not tell the sides apart."""

    @property
    def ratio(self) -> float:
        """Cost over that of the best other minimum: the smaller, the surer."""
        return self.cost / max(self.next_cost, 1e-12)

    @property
    def clear(self) -> bool:
        """Whether one azimuth fits and no other."""
        return self.fits and self.ratio <= CLEAR_RATIO and self.next_cost >= _FLAT

    @property
    def fits(self) -> bool:
        """Whether any azimuth fits."""
        return self.cost <= MOST_COST


def place_view(
    ring: Ring, K: np.ndarray, outlines: Sequence[Outline], new_K: np.ndarray, new: Outline
) -> Placement:
    """Scan the azimuth of one view against all views of a ring.

    `K` (n, 3, 3) and `outlines` are those of `ring.views` in their order. 12 placed views take 0.02 s.
    """
    return place_beside(ring, Cameras(K, ring.cam_from_world()), outlines, new_K, new)


def place_beside(
    ring: Ring, placed: Cameras, outlines: Sequence[Outline], new_K: np.ndarray, new: Outline
) -> Placement:
    """Scan the azimuth of one view on a ring against `placed` views (n,) with `outlines`, whether they stand
    on that ring or on others.
    """
    return _scanned(ring, placed, outlines, np.zeros(1), new_K[None], [new])


def join_pieces(
    ring: Ring,
    K: np.ndarray,
    outlines: Sequence[Outline],
    piece: Ring,
    piece_K: np.ndarray,
    piece_outlines: Sequence[Outline],
) -> Placement:
    """Scan the one azimuth that joins a piece, a ring of its own with other views, to a ring.

    The piece takes the ring's radius, height and attitude, which is its scale; of its own it keeps the
    azimuths (`aligned_piece`). Whose axis points the other way in the pictures is flipped.
    """
    own = aligned_piece(ring, piece).azimuth
    placed = Cameras(K, ring.cam_from_world())
    return _scanned(ring, placed, outlines, own, piece_K, piece_outlines)


def aligned_piece(ring: Ring, piece: Ring) -> Ring:
    """Return a piece with its axis pointing as the ring's does in the pictures."""
    return flipped(piece) if piece.axis_in_camera @ ring.axis_in_camera < 0 else piece


def with_views(ring: Ring, views: np.ndarray, azimuth: np.ndarray) -> Ring:
    """Return a ring with more views (m,) at azimuths (m,); being placed on it they have no residual."""
    order = np.argsort(np.concatenate([ring.views, views]), kind="stable")

    def merged(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return np.concatenate([old, new])[order]

    nothing = np.zeros(len(views))
    return replace(
        ring,
        views=merged(ring.views, views),
        azimuth=merged(ring.azimuth, wrapped(azimuth)),
        rotation_residual=merged(ring.rotation_residual, nothing),
        place_residual=merged(ring.place_residual, nothing),
    )


def without_view(ring: Ring, view: int) -> Ring:
    """Return a ring without a view; as it is where that is not on it."""
    return _some_of(ring, ring.views != view)


def rivals_among(best: Placement, others: Sequence[Placement]) -> Placement:
    """Return the best of several placements of one view, on different rings, with those of the others as its
    rivals.
    """
    next_cost = min([best.next_cost, *(other.cost for other in others)])
    limit = max(best.cost / CLEAR_RATIO, _FLAT)
    alike = [other for other in others if other.cost < limit]
    return replace(
        best,
        next_cost=next_cost,
        rivals=(*best.rivals, *(other.azimuth for other in alike)),
        rival_costs=(*best.rival_costs, *(other.cost for other in alike)),
    )


def scanned_again(ring: Ring, K: np.ndarray, outlines: Sequence[Outline]) -> list[Placement]:
    """Scan every view of a ring against all others: the last word on views that were placed one by one. A
    right one stays where it is, to a degree, and is clear.
    """
    found = []
    for k in range(len(ring.views)):
        rest = np.arange(len(ring.views)) != k
        others = [outline for outline, kept in zip(outlines, rest) if kept]
        found.append(place_view(_some_of(ring, rest), K[rest], others, K[k], outlines[k]))
    return found


def coherence_of_rivals(
    ring: Ring,
    K: np.ndarray,
    outlines: Sequence[Outline],
    new_K: np.ndarray,
    new: Outline,
    rivals: Sequence[float],
) -> np.ndarray:
    """Return what each azimuth (radians) of a new view adds to the ring's incoherence, at least 0: the sum of
    ln(1 + r^2) over rays of all views with the new one, less that without it, a ray.

    The smallest by far is the right one where tangents leave several: a handle shows here.
    """
    before = np.log1p(coherence(Cameras(K, ring.cam_from_world()), outlines) ** 2)
    added = []
    for azimuth in rivals:
        poses = ring.cam_from_world(np.append(ring.azimuth, azimuth))
        cost = np.log1p(coherence(Cameras(np.concatenate([K, new_K[None]]), poses), [*outlines, new]) ** 2)
        added.append(np.nansum(cost) - np.nansum(before))
    return np.maximum(np.array(added), 0) / before.shape[1]


def _some_of(ring: Ring, kept: np.ndarray) -> Ring:
    return replace(
        ring,
        views=ring.views[kept],
        azimuth=ring.azimuth[kept],
        rotation_residual=ring.rotation_residual[kept],
        place_residual=ring.place_residual[kept],
    )


def _scanned(
    ring: Ring,
    placed: Cameras,
    outlines: Sequence[Outline],
    own: np.ndarray,
    new_K: np.ndarray,
    new: Sequence[Outline],
) -> Placement:
    """Scan the turn of views at azimuths `own` (m,) on a ring against views that are placed."""
    hulls = hulls_of([*outlines, *new])
    coarse = np.arange(_SCAN) * 2 * np.pi / _SCAN
    cost = _costs(ring, placed, own, new_K, hulls, coarse)
    lowest = circular_minima(cost)
    # Minima much above the best need no finer place.
    lowest = lowest[cost[lowest] <= max(10 * cost[lowest[0]], 0.2)]
    fine = coarse[lowest, None] + _FINE_RAD
    fine_cost = _costs(ring, placed, own, new_K, hulls, fine.ravel()).reshape(fine.shape)
    at = fine_cost.argmin(1)
    rows = np.arange(len(lowest))
    minima, costs = fine[rows, at], fine_cost[rows, at]
    minima, costs = _distinct(minima, costs)
    beside = cost[np.abs(wrapped(coarse - minima[0])) > _APART_RAD]
    next_cost = float(costs[1]) if len(costs) > 1 else float(beside.min())
    kept = costs < max(costs[0] / CLEAR_RATIO, _FLAT)
    kept[0] = True
    return Placement(
        azimuth=float(wrapped(minima[0])),
        cost=float(costs[0]),
        next_cost=next_cost,
        rivals=tuple(map(float, wrapped(minima[kept]))),
        rival_costs=tuple(map(float, costs[kept])),
        flat=bool(np.quantile(cost, 0.9) < _FLAT),
    )


def _distinct(minima: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return minima in the order of their costs without those near to a better one."""
    kept: list[int] = []
    for k in np.argsort(costs, kind="stable"):
        if all(abs(wrapped(minima[k] - minima[other])) > _APART_RAD for other in kept):
            kept.append(int(k))
    return minima[kept], costs[kept]


def _costs(
    ring: Ring, placed: Cameras, own: np.ndarray, new_K: np.ndarray, hulls: Hulls, turns: np.ndarray
) -> np.ndarray:
    """Return the costs (T,) of turning the new views, the last ones of `hulls`, by azimuths (T,)."""
    num_placed, num_new = len(placed.K), len(own)
    block = max(1, _MOST_PAIRS // (num_placed * num_new))
    placed_rays = rays_of(placed.K, placed.cam_from_world[:, :3, :3], hulls.points[:num_placed])
    placed_centres = placed.centres
    costs = []
    for start in range(0, len(turns), block):
        part = turns[start : start + block]
        which = np.tile(np.arange(num_new), len(part))
        poses = ring.cam_from_world((part[:, None] + own).ravel())
        rays = rays_of(new_K[which], poses[:, :3, :3], hulls.points[num_placed + which])
        all_K = np.concatenate([placed.K, new_K[which]])
        packed = replace(hulls, on_frame=hulls.on_frame[np.append(np.arange(num_placed), num_placed + which)])
        found = tangency_of_rays(
            np.concatenate([placed_rays, rays]),
            np.concatenate([placed_centres, camera_centres(poses)]),
            np.sqrt(all_K[:, 0, 0] * all_K[:, 1, 1]),
            packed,
            pairs_across(num_placed, len(which)),
        )
        share = bounded_costs(found.residual, hulls, _SCALE_PX)
        costs.append(share.reshape(num_placed, len(part), -1).mean((0, 2)))
    return np.concatenate(costs)
