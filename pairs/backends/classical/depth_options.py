"""What can be chosen about the dense half of the embedded backend."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DepthOptions:
    """Settings of chapters 9 to 12 of the embedded backend's specification."""

    min_planes: int = 32
    """Fewest planes of a sweep."""
    max_planes: int = 64
    """Most planes of a sweep. Twice as many cost twice the time and gain nothing: the refinement makes up for it."""
    match_step: int = 8
    """Pixels of the grid between matches that depth induces, across and down."""

    def __post_init__(self) -> None:
        if not 3 <= self.min_planes <= self.max_planes or self.match_step < 1:
            raise ValueError(f"not depth options: {self.min_planes} to {self.max_planes} planes (at least 3), match step {self.match_step}")
