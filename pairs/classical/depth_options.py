"""What can be chosen about the dense half of the embedded backend."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DepthOptions:
    """Settings of chapters 9 to 12 of the embedded backend's specification."""

    min_planes: int = 32
    """Fewest planes of a sweep."""
    max_planes: int = 64
    """Most planes of a sweep. Twice as many cost twice the time and gain nothing: the refinement makes up for it."""
    match_step: int = 8
    """Pixels of the grid between matches that depth induces, across and down."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes at work; the result does not depend on it."""

    def __post_init__(self) -> None:
        if not 3 <= self.min_planes <= self.max_planes or self.match_step < 1 or self.workers < 1:
            raise ValueError(
                f"not depth options: {self.min_planes} to {self.max_planes} planes (at least 3), match step {self.match_step}, {self.workers} workers"
            )

    def fingerprint(self) -> dict[str, int]:
        """Return what can change the result: everything but the number of workers."""
        return {"min_planes": self.min_planes, "max_planes": self.max_planes, "match_step": self.match_step}
