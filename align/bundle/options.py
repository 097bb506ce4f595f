"""Options of the bundle aligner."""

from __future__ import annotations

from dataclasses import dataclass, field

from align.solver.least_squares import Control


@dataclass(frozen=True, slots=True)
class GaussNewton:
    """Options of the default aligner."""

    cuts_px: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0)
    """Errors at which a match's weight has fallen to a half, one after the other."""
    early: Control = field(default_factory=lambda: Control(max_steps=3, least_gain=0.03))
    """At all cuts but the last."""
    last: Control = field(default_factory=Control)
    offset_sigma: float = 0.02
    """Of a block's log depth about the canonical one."""
    log_focal_sigma: float = 0.005
    """About the pointmaps' own focals: matches alone draw the focal down."""
    frozen_log_focal_sigma: float = 0.001
    """The same where all poses are frozen: small errors of theirs would end in the focal."""
    rotation_sigma_deg: float = 3.0
    """About the start, each axis, of a view without matches: unseen where there are some, it holds a view
    without."""
    place_sigma: float = 0.05
    """Of a camera about the start, each axis, in units of the object's distance."""
    log_size_sigma: float = 0.1
    """About the start: for the same views."""
    principal_point_sigma: float | None = None
    """Of free principal points about the stated ones, else the pictures' middle, as a share of the focal;
    none: they stay, as an object in the
    middle of its pictures demands, since a shift of them is nearly a turn of the camera."""
    freeze_given: bool = False
    """Given poses stay as they are; else they are believed as far as the next two say."""
    given_rotation_sigma_deg: float = 1.0
    """About given poses, over all axes."""
    given_place_sigma: float = 0.01
    """Of a given camera, over all axes, in units of the object's distance."""
