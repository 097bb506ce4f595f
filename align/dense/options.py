"""Settings of the dense aligner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ConfTransform = Literal["log", "sqrt", "m1", "id", "none"]
Distance = Literal["l1", "l2"]
Schedule = Literal["cosine", "linear"]
Start = Literal["spanning-tree", "known-poses", "random"]


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
    pnp_iterations: int = 10  # niter_PnP
    solver: Literal["adam", "least-squares"] = "adam"
    num_iterations: int = 300  # niter
    learning_rate: float = 0.01  # lr
    least_learning_rate: float = 1e-6  # lr_min
    schedule: Schedule = "cosine"
    seed: int = 0
