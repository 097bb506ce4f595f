"""What a backend says about pairs and groups of views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from masks.notice import Notice
from pairs.prediction.tracks import Tracks
from pairs.views.cameras import Cameras
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class PairPrediction:
    """One run of a pair network in the order (a, b): both pointmaps in the camera frame of a, in one unknown
    scale.
    """

    a_in_a: np.ndarray  # (H, W, 3), a's pixels in a's frame
    b_in_a: np.ndarray  # (H, W, 3), b's pixels in a's frame
    a_conf: np.ndarray  # (H, W), >= 1
    b_conf: np.ndarray  # (H, W), >= 1

    def __post_init__(self) -> None:
        for points, conf in ((self.a_in_a, self.a_conf), (self.b_in_a, self.b_conf)):
            if points.shape != (*conf.shape, 3) or conf.ndim != 2:
                raise ValueError(
                    f"a pointmap (H, W, 3) needs a confidence (H, W): got {points.shape} and {conf.shape}"
                )


@dataclass(frozen=True, slots=True)
class Matches:
    """Corresponding pixels of an unordered pair, on the views' grids; positions may lie between pixels."""

    xy_a: np.ndarray  # (M, 2)
    xy_b: np.ndarray  # (M, 2)
    conf: np.ndarray  # (M,), > 0

    def __post_init__(self) -> None:
        n = len(self.conf)
        if self.xy_a.shape != (n, 2) or self.xy_b.shape != (n, 2) or self.conf.shape != (n,):
            raise ValueError(
                f"matches need xy (M, 2) twice and conf (M,): got {self.xy_a.shape}, {self.xy_b.shape}, "
                f"{self.conf.shape}"
            )


@dataclass(frozen=True, slots=True)
class PairEntry:
    """All that is stored of an unordered pair (a, b): up to two runs and the matches."""

    ab: PairPrediction | None
    """The run in the order (a, b): everything in a's frame."""
    ba: PairPrediction | None
    """The reversed run: its `a_in_a` holds b's pixels in b's frame, its `b_in_a` a's pixels in b's frame."""
    matches: Matches | None


@dataclass(frozen=True, slots=True)
class GroupPrediction:
    """Many views at once, in one world and one scale."""

    cameras: Cameras
    """K in grid pixels."""
    depth: tuple[np.ndarray, ...]  # per view (H, W), finite; 0 where nothing is known
    conf: tuple[np.ndarray, ...]  # per view (H, W), >= 1 where something is known


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a backend said about the pairs of a graph. Pairs are streamed: only what `load` returns is in
    memory.
    """

    views: tuple[View, ...]
    """The views that take part: those that the backend could not use are left out and named in the
    notices."""
    edges: tuple[tuple[int, int], ...]
    """Unordered pairs (a, b) as indices into `views`; each pair once, in either order."""
    load: Callable[[int], PairEntry]
    """Return what is known of edge number k."""
    cameras: Cameras | None
    """The backend's own cameras (K in grid pixels, poses in the unit of its pointmaps), a start for the
    aligner; none from pair networks.
    Poses that a user states are in the views."""
    notices: tuple[Notice, ...]
    camera_source: Literal["bundle_adjustment", "network"] = "bundle_adjustment"
    """Whether the backend has fitted its cameras to matches, or a network has estimated them: to a degree or
    two, and a tenth of the focal."""
    group: GroupPrediction | None = None
    """Of all views, from whoever looked at them together. Without edges there is nothing to align; with some
    it is where the dense aligner starts."""
    tracks: Tracks | None = None
    """Points that the backend followed through the photos, where its matches hold more than these."""


NO_MATCHES = Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
"""Of a pair without any."""


def join_matches(parts: Sequence[Matches]) -> Matches:
    """Return several lists of matches of a pair as one, in their order; of no list, the empty one."""
    if not parts:
        return NO_MATCHES
    # Nothing empty is put in front: it would widen matches in single precision to double.
    return Matches(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("xy_a", "xy_b", "conf"))
    )


def select_matches(matches: Matches, which: np.ndarray) -> Matches:
    """Return the matches that the boolean or index array picks."""
    return Matches(matches.xy_a[which], matches.xy_b[which], matches.conf[which])


def swap_matches(matches: Matches) -> Matches:
    """Return the matches of (a, b) as those of (b, a)."""
    return Matches(matches.xy_b, matches.xy_a, matches.conf)
