"""Options of the bundle aligner."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from align.aligned import Aligned
from align.measurements.gathered import Measurements, ReadingOptions
from align.measurements.known_cameras import Known, PosePrior
from align.solver.least_squares import LevenbergMarquardtOptions
from masks.progress import Progress


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """Options of the bundle aligner: priors as standard deviations, and the schedule of its descents."""

    kernel_widths_px: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0)
    """Widths of Cauchy's kernel, one after the other: the error at which a match's weight has fallen to a
    half.
    From wide to narrow (graduated non-convexity), since a start that is off by pixels has no right matches
    under the last one."""
    early: LevenbergMarquardtOptions = field(
        default_factory=lambda: LevenbergMarquardtOptions(max_steps=3, relative_tolerance=0.03)
    )
    """Under all kernels but the last: where they end need not be exact."""
    last: LevenbergMarquardtOptions = field(default_factory=LevenbergMarquardtOptions)
    offset_sigma: float = 0.02
    """Of a block's log depth about the canonical one."""
    log_focal_sigma: float = 0.005
    """About the pointmaps' own focals: matches alone draw the focal down."""
    fixed_poses_log_focal_sigma: float = 0.001
    """The same where all poses are fixed: small errors of theirs would end in the focal."""
    rotation_sigma_deg: float = 3.0
    """About the start, each axis, of a view without matches: unseen where there are some, it holds a view
    without."""
    centre_sigma: float = 0.05
    """Of a camera about the start, each axis, in units of the object's distance."""
    log_scale_sigma: float = 0.1
    """About the start: for the same views."""
    principal_point_sigma: float | None = None
    """Of free principal points about the stated ones, else the pictures' middle, as a share of the focal;
    none: they stay, as an object in the
    middle of its pictures demands, since a shift of them is nearly a turn of the camera."""
    turntable: Literal["auto", "off"] = "auto"
    """auto: solved poses that stand on an exact circle are held on it, and in equal steps, as far as the
    matches agree, unless poses are known (docs/turntables.md, "Predictions of networks")."""
    pose_prior: PosePrior = field(default_factory=PosePrior)
    """How far poses that are stated, or that the backend has fitted to matches, are believed."""

    @property
    def reading(self) -> ReadingOptions:
        """Over the object's pixels alone, matches between pixels as they are."""
        return ReadingOptions()

    def with_fixed_poses(self) -> BundleOptions:
        """Return the options under which known poses stay."""
        return replace(self, pose_prior=replace(self.pose_prior, fixed=True))

    def align(self, measurements: Measurements, known: Known, progress: Progress) -> Aligned:
        """Return cameras and depths in which all pairs agree best; see `bundle_align`."""
        # Here, since the options lie below everything that takes them.
        from align.bundle.bundle_alignment import bundle_align

        return bundle_align(measurements, self, known, progress)
