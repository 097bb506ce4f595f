"""Settings of the dense aligner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from align.aligned import Aligned
from align.measurements.gathered import Measurements, ReadingOptions
from align.measurements.known_cameras import Known, PosePrior
from masks.progress import Progress

ConfTransform = Literal["log", "sqrt", "m1", "id", "none"]
Distance = Literal["l1", "l2"]
Schedule = Literal["cosine", "linear"]
Start = Literal["spanning-tree", "random"]


@dataclass(frozen=True, slots=True)
class DenseOptions:
    """As they are: the published defaults. Field names in brackets are the published ones."""

    distance: Distance = "l1"  # dist
    conf_transform: ConfTransform = "log"  # conf
    min_conf: float = 3.0  # min_conf_thr
    base_scale: float = 0.5
    adaptors: bool = False  # allow_pw_adaptors
    adaptor_break: float = 20.0  # pw_break
    free_principal_point: bool = False  # optimize_pp
    focal_break: float = 20.0  # focal_break, focal_brake
    separate_focals: bool = False  # fx_and_fy
    mean: Literal["pixels", "pairs"] = "pixels"
    """Whether losses are divided by the area of all pairs, or averaged pair by pair (the modular variant)."""
    start: Start = "spanning-tree"  # init
    """Where the descent starts unless cameras of all views are known."""
    pnp_iterations: int = 10  # niter_PnP
    solver: Literal["adam", "least-squares"] = "adam"
    num_iterations: int = 300  # niter
    learning_rate: float = 0.01  # lr
    least_learning_rate: float = 1e-6  # lr_min
    schedule: Schedule = "cosine"
    seed: int = 0
    poses: Literal["start", "fixed"] = "start"
    """What is done with poses that are known: they are where the descent starts, or they stay."""
    cut_out_motion: bool = False
    """Where no view has a mask, and an object turns before a still backdrop, align the object alone."""
    mask_sky: bool = False
    """Take all confidence from pixels that look like sky when all is done."""

    @property
    def reading(self) -> ReadingOptions:
        """The pairs' pointmaps tie views together."""
        return ReadingOptions(ties="pointmaps", cut_out_motion=self.cut_out_motion)

    @property
    def pose_prior(self) -> PosePrior:
        """Known poses are a start, or stay: the losses have no place for a belief in between."""
        return PosePrior(fixed=self.poses == "fixed")

    def with_fixed_poses(self) -> DenseOptions:
        """Return the options under which known poses stay."""
        return replace(self, poses="fixed")

    def align(self, measurements: Measurements, known: Known, progress: Progress) -> Aligned:
        """Return where the losses are least; see `dense_align`."""
        # Here, since the options lie below everything that takes them.
        from align.dense.dense_alignment import dense_align

        return dense_align(measurements, self, known, progress)


@dataclass(frozen=True, slots=True)
class TwoViewOptions:
    """The published way of placing two views, without any descent."""

    min_conf: float = 3.0  # min_conf_thr

    @property
    def reading(self) -> ReadingOptions:
        """As for the dense aligner."""
        return DenseOptions().reading

    @property
    def pose_prior(self) -> None:
        """None: one view is placed by the other's pointmap alone."""
        return None

    def with_fixed_poses(self) -> TwoViewOptions:
        """Return the same options: no poses are known to it."""
        return self

    def align(self, measurements: Measurements, known: Known, progress: Progress) -> Aligned:
        """Return both cameras; see `two_view_align`."""
        from align.dense.dense_alignment import two_view_align

        return two_view_align(measurements, self, known)
