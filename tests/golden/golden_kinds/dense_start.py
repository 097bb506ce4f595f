"""How the dense aligner starts: registrations, focals, cameras by perspective-n-point, trees, known poses
(arXiv:2312.14132, sections 3.3 and 3.4).
"""

from __future__ import annotations

import math

import torch
from golden_case import Case
from torch import Tensor

from align.dense.pnp import place_camera
from align.dense.registration import median_spacing, register_cameras, register_points
from align.measurements.focal import estimate_focal
from golden_kinds.dense_check import check

__all__ = ["FAMILY", "HANDLERS", "check"]

FAMILY = "dense"


def registration(case: Case) -> dict[str, Tensor]:
    result = {}
    for dtype, suffix in ((torch.float64, ""), (torch.float32, "_f32")):
        found = register_points(*(case.inputs[name].to(dtype) for name in ("pts1", "pts2", "conf")))
        assert found is not None
        result |= {f"scale{suffix}": found.scale, f"R{suffix}": found.R, f"T{suffix}": found.t}
    return result


def align_poses(case: Case) -> dict[str, Tensor]:
    found = register_cameras(case.inputs["src"], case.inputs["target"])
    return {
        "scale": found.scale,
        "R": found.R,
        "T": found.t,
        "median_distance_src": torch.tensor(median_spacing(case.inputs["src"]), dtype=torch.float64),
        "median_distance_target": torch.tensor(median_spacing(case.inputs["target"]), dtype=torch.float64),
    }


def focal(case: Case) -> dict[str, Tensor]:
    options = case.options
    low, high = options.get("min_focal"), options.get("max_focal")
    limits = (0.0 if low is None else low, math.inf if high is None else high)
    found = estimate_focal(case.inputs["pts3d"], case.inputs["pp"], options["focal_mode"], limits)
    return {"focal": found}


def pnp(case: Case) -> dict[str, Tensor]:
    points, mask = case.inputs["pts3d"], case.inputs["mask"] > 0
    height, width = mask.shape
    principal_point = case.inputs.get("pp", torch.tensor([width / 2, height / 2]))
    found = place_camera(points, mask, case.options["focal"], principal_point, case.options["niter_PnP"])
    result = {"found": torch.tensor([found is not None])}
    if found is not None:
        result |= {"focal": torch.tensor(found.focal), "pose": found.world_from_cam}
    return result


HANDLERS = {"registration": registration, "align_poses": align_poses, "focal": focal, "pnp": pnp}
