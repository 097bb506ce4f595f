"""Options of the sparse aligner as data, and the reference's sets of them
(docs/sparse_alignment.md, "Two stages of Adam").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from align.aligned import Aligned
from align.measurements.canonical import AverageMode
from align.measurements.gathered import Measurements, ReadingOptions
from align.measurements.known_cameras import Known
from align.sparse.low_rank import LowRank
from align.sparse.robust import Gamma, Schedule
from masks.progress import Progress


@dataclass(frozen=True, slots=True)
class DepthModel:
    """How a view's depths follow from its parameters (docs/sparse_alignment.md, "Camera parametrisation")."""

    combine: Literal["add", "mul"] = "add"
    """Whether the deviations are added to the pivot's depth or multiply it."""
    exponential: bool = False
    """Parameters are logarithms of the deviations, which keeps them positive."""
    low_rank: LowRank | None = None
    """Deviations in a smooth basis instead of one number an anchor."""


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """What the fine stage may do to focals and principal points."""

    free_focal: bool = True
    free_principal_point: bool = True
    share: Literal["none", "all"] = "none"
    """`all`: one focal and one principal point for every view."""
    limited: bool = True
    """Keep focals between a quarter and ten times the image diagonal; switched off where K is known."""
    steps_per_view: bool = False
    """Move shared intrinsics once a view in every iteration, as the reference does by accident."""


@dataclass(frozen=True, slots=True)
class Priors:
    """Soft ties to the start, as negative log likelihoods beside that of the matches; none by default.

    A term counts as much as one match: the loss is a mean over matches, so priors are divided by their
    number.
    """

    log_focal_sigma: float | None = None
    """Standard deviation of the logarithm of every focal."""
    rotation_sigma_rad: float | None = None
    """Standard deviation of every view's rotation."""
    centre_sigma: float | None = None
    """Standard deviation of every camera centre along each axis, in scene units."""

    @property
    def any(self) -> bool:
        """Whether there is a prior at all."""
        return not (
            self.log_focal_sigma is None and self.rotation_sigma_rad is None and self.centre_sigma is None
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """One descent with Adam."""

    rate: float
    """Learning rate at the start."""
    steps: int
    robust: Schedule
    """Function of the distance between what should coincide: scene units in the coarse stage, pixels in the
    fine one."""
    schedule: Literal["cosine", "linear"] = "cosine"
    """How the rate falls to `final_rate`."""
    final_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class SparseOptions:
    """The reference's problem, its two stages, and what minimises them."""

    solver: Literal["adam", "least-squares"] = "adam"
    """Adam as in the reference, or damped least squares on the same losses, which end by convergence: of a
    stage they know the function alone."""
    coarse: Stage = field(default_factory=lambda: Stage(0.07, 300, Gamma(1.5)))
    """Poses and scales, by distances between matched points in space."""
    fine: Stage = field(default_factory=lambda: Stage(0.01, 300, Gamma(0.5)))
    """Everything, by distances between matched pixels."""
    fallback: Gamma = field(default_factory=lambda: Gamma(1.1))
    """Function of the distance to a cross pointmap, for pairs without a good match."""
    fallback_weight: float = 0.01
    good_conf: float = 5.0
    """A pair is good when its most confident match exceeds this."""
    tree: str = "hclust-ward"
    """`mst`, or `hclust-` and a linkage."""
    depth: DepthModel = field(default_factory=DepthModel)
    free_depth: bool = True
    intrinsics: Intrinsics = field(default_factory=Intrinsics)
    priors: Priors = field(default_factory=Priors)
    fix_root: bool = True
    """Hold the root's pose. The losses don't depend on it, and Adam would turn its rounding noise into a
    drift."""
    average: AverageMode | Literal["object"] = "avg-angle"
    """How a view's own maps are averaged: as the reference does, or over the object's pixels alone, which
    then also gives the pivots."""
    subsample: int = 8
    """Pixels from anchor to anchor."""

    @property
    def reading(self) -> ReadingOptions:
        """Matches are rounded to pixels and doubles dropped, as MASt3R hands them on. As published, nothing
        is cut out that no mask says.
        """
        cut_out = self.average == "object"
        return ReadingOptions(self.average, self.subsample, whole_pixels=True, cut_out_motion=cut_out)

    @property
    def pose_prior(self) -> None:
        """None: as published it starts from pairs alone."""
        return None

    def with_fixed_poses(self) -> SparseOptions:
        """Return the same options: no poses are known to it."""
        return self

    def align(self, measurements: Measurements, known: Known, progress: Progress) -> Aligned:
        """Return where the published descent ends; see `sparse_align`."""
        # Here, since the options lie below everything that takes them.
        from align.sparse.sparse_alignment import sparse_align

        return sparse_align(measurements, self, known, progress)


ALIGNER_FUNCTION = SparseOptions()
"""Defaults of the reference's aligner function."""

MAST3R = SparseOptions(good_conf=0.0)
"""The reference's interactive demo at its level "refine+depth"."""

MAST3R_2024 = SparseOptions(
    coarse=Stage(0.2, 500, Gamma(1.1)),
    fine=Stage(0.02, 500, Gamma(0.4)),
    fallback=Gamma(1.1),
    good_conf=5.0,
    tree="mst",
)
"""The first public version, July 2024."""
