"""Rings of a scene whose views came by features, pieces or outlines, and what views say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.rings.outline import Outline
from pairs.rings.placing import Placement
from pairs.rings.refinement import PairMatches
from pairs.rings.ring import Ring


@dataclass(frozen=True, slots=True)
class RingEvidence:
    """What views say of a ring: all by the numbers of the scene's views, in working pixels."""

    outlines: Mapping[int, Outline]
    """Of the views whose mask shows something."""
    K: Mapping[int, np.ndarray]  # (3, 3), to begin with; of the views that may be placed
    pairs: Mapping[Pair, VerifiedPair]
    xy: Sequence[np.ndarray]  # per view (N, 2)
    focal_known: bool
    seed: int
    step: float | None = None
    """Radians a photo in file order, where the user states it."""


@dataclass(frozen=True, slots=True)
class GrownRing:
    """A ring, or several of one axis, with cameras, and how each view that features did not place came to
    it.
    """

    ring: Ring
    K: np.ndarray  # (n, 3, 3)
    placed: Mapping[int, Placement]
    """Views that were placed by their outlines."""
    joined: tuple[tuple[int, ...], ...] = ()
    """Views of the pieces that were joined to it."""
    unclear: Mapping[int, Placement] | None = None
    """Views that stay out, with the azimuths that fit."""
    tangency: float = np.inf
    """Median in working pixels."""
    beside: tuple[Ring, ...] = ()
    """Rings at other heights of the same axis."""

    @property
    def rings(self) -> tuple[Ring, ...]:
        """All of them, the one first that gives the others their scale and place."""
        return (self.ring, *self.beside)

    @property
    def views(self) -> tuple[int, ...]:
        """The views of all rings, ascending: those of `K`."""
        return tuple(sorted(int(view) for ring in self.rings for view in ring.views))

    def cam_from_world(self) -> np.ndarray:
        """(n, 4, 4) poses of all views."""
        poses = np.concatenate([ring.cam_from_world() for ring in self.rings])
        return poses[np.argsort(np.concatenate([ring.views for ring in self.rings]), kind="stable")]


def azimuth_of(grown_ring: GrownRing, view: int) -> float:
    """Return a placed view's azimuth in radians."""
    ring = next(ring for ring in grown_ring.rings if view in ring.views)
    return float(ring.azimuth[np.flatnonzero(ring.views == view)[0]])


def intrinsics_of(found: GrownRing, views: Sequence[int], evidence: RingEvidence) -> np.ndarray:
    """Return intrinsics (m, 3, 3) of views at the focal that the ring has been refined to."""
    before = [evidence.K[view] for view in found.views]
    intrinsics = []
    for view in views:
        own = evidence.K[view].copy()
        # Copied, not computed, where a view of the same camera is there: to the bit one camera has one focal.
        same = [K for K, old in zip(found.K, before) if np.array_equal(old, own)]
        own[[0, 1], [0, 1]] *= found.K[0, 0, 0] / before[0][0, 0]
        intrinsics.append(same[0] if same else own)
    return np.stack(intrinsics)


def matches_between(
    views: Sequence[int], pairs: Mapping[Pair, VerifiedPair], xy: Sequence[np.ndarray]
) -> list[PairMatches]:
    """Return the verified matches between some views, whose places are those in `views`."""
    place = {int(view): k for k, view in enumerate(views)}
    return [
        PairMatches(
            place[a],
            place[b],
            xy[a][pair.indices[:, 0]].astype(np.float64),
            xy[b][pair.indices[:, 1]].astype(np.float64),
        )
        for (a, b), pair in pairs.items()
        if a in place and b in place
    ]
