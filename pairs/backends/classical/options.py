"""What can be chosen about the scene solve of the embedded backend."""

from __future__ import annotations

from dataclasses import dataclass

from masks.errors import UserError

_FULL_TURN_DEG = 360.0


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """Settings of everything up to the solved scene (docs/classical_backend.md, "The order of the work").

    Lengths in pixels are those of the working picture.
    """

    working_longest: int = 1600
    """Longest side of the working picture, on which features are found; photos are never enlarged."""
    # Seldom reached: oxford_dino has 1500 a view, the temple 1630, white plaster 390. It bounds the time of
    # large textured photos.
    features_masked: int = 8000
    """Strongest features kept in a view with a mask."""
    features_unmasked: int = 4000
    """Strongest features kept in a view without a mask, where the background takes its share."""
    mask_inset_px: int = 3
    """Features lie at least this far inside the mask."""
    ratio: float = 0.85
    """Largest ratio of the distances to the best and the second-best descriptor."""
    # 190 pairs; all pairs of 16 views are matched in two CPU seconds.
    exhaustive_views: int = 20
    """Up to so many views every pair is matched; beyond, the promising ones."""
    # oxford_dino, 36 views: 230 of 630 pairs are matched, and 167 of the 168 that verify are among them.
    partners: int = 12
    """Partners a view keeps from the pre-matching."""
    # Share of matches below it: 92 % before a loud backdrop, 1.8 % before a plain cloth, 0.1 % where the
    # camera moves (fountain, fox).
    stationary_px: float = 1.5
    """A match that moved less than this stands still with the camera."""
    min_features: int = 50
    """At least one view needs so many features."""
    # At 1.5 px 20 degree turntables end up 3.2 degrees off, at 1.0 px 0.5. No measured set lost a view by it.
    verify_px: float = 1.0
    """Distance to the epipolar line at which a match counts as verified."""
    min_inliers: int = 15
    """Verified matches that a pair needs."""
    # Folded scenes reached 0.25 to 0.86, right ones 0.987 and more, scenes with single views 2 to 5 degrees
    # off 0.954 to 0.975.
    min_share: float = 0.95
    """Smallest mask share of a view at which a scene may be handed on: right ones reached more, folded ones
    less (docs/classical_backend.md, "Acceptance").
    """
    sure_share: float = 0.98
    """Smallest mask share of a view at which a scene is accepted without a search for a better one."""
    seed: int = 0
    """First of the seeds that the tries vary."""
    fixed_poses: bool = True
    """Poses that are stated for views stay as they are; otherwise they are improved by the matches."""
    turntable: str | float = "auto"
    """What outlines may add (docs/turntables.md): "auto", "off", "full" for photos that go round once in
    equal steps, or the degrees between photos that follow each other.
    """

    @property
    def turntable_stated(self) -> bool:
        """Whether the user says how the turntable went."""
        return self.turntable not in ("auto", "off")


def turntable_named(said: str | float) -> str | float:
    """Return what was said of a turntable: a word, or degrees. Raises `UserError` where it is neither."""
    if said in ("auto", "off", "full"):
        return said
    try:
        degrees = float(said)
    except ValueError:
        degrees = 0.0
    if not 0 < abs(degrees) < _FULL_TURN_DEG:
        raise UserError(
            f"`turntable={said}`: takes auto, off, full, or the degrees from photo to photo, not 0 and less "
            "than 360."
        )
    return degrees


@dataclass(frozen=True, slots=True)
class DepthOptions:
    """Settings of depth maps and of the pairs that are cut from them
    (docs/classical_backend.md, "The order of the work").
    """

    min_planes: int = 32
    """Fewest planes of a sweep."""
    max_planes: int = 64
    """Most planes of a sweep. Twice as many cost twice the time and gain nothing: the refinement makes up for
    it."""
    match_step: int = 8
    """Pixels of the grid between matches that depth induces, across and down."""

    def __post_init__(self) -> None:
        if not 3 <= self.min_planes <= self.max_planes or self.match_step < 1:
            raise ValueError(
                f"not depth options: {self.min_planes} to {self.max_planes} planes (at least 3), match "
                f"step {self.match_step}"
            )
