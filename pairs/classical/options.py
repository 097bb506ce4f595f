"""What can be chosen about the scene solve of the embedded backend."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """Settings of chapters 2 to 7 of the embedded backend's specification, corrected by its chapter 19.

    Lengths in pixels are those of the working picture.
    """

    working_longest: int = 1600
    """Longest side of the working picture, on which features are found; photos are never enlarged."""
    features_masked: int = 8000
    """Strongest features kept in a view with a mask."""
    features_unmasked: int = 4000
    """Strongest features kept in a view without a mask, where the background takes its share."""
    mask_inset_px: int = 3
    """Features lie at least this far inside the mask."""
    ratio: float = 0.85
    """Largest ratio of the distances to the best and the second-best descriptor."""
    exhaustive_views: int = 20
    """Up to so many views every pair is matched; beyond, the promising ones."""
    partners: int = 12
    """Partners a view keeps from the pre-matching."""
    static_px: float = 1.5
    """A match that moved less than this stands still with the camera."""
    min_features: int = 50
    """At least one view needs so many features."""
    verify_px: float = 1.0
    """Distance to the epipolar line at which a match counts as verified."""
    min_inliers: int = 15
    """Verified matches that a pair needs."""
    min_share: float = 0.95
    """Smallest mask share of a view at which a scene may be handed on (chapter 19.7)."""
    sure_share: float = 0.98
    """Smallest mask share of a view at which a scene is accepted without a search for a better one."""
    seed: int = 0
    """First of the seeds that the tries vary."""
    workers: int = field(default_factory=usable_cores)
    """Processes at work; the result does not depend on it. One: everything but the mapper runs in this process."""

    def fingerprint(self) -> dict[str, float]:
        """Return what can change the result: everything but the number of workers."""
        return {name: value for name, value in asdict(self).items() if name != "workers"}
