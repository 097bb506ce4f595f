"""From stored dense scenes, parameters and options to ours, and back to the stored names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from golden_case import Case
from safetensors.torch import load_file
from torch import Tensor

from align.dense.initial.presets import Presets
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters
from align.dense.problem import DenseProblem, DirectedPair

_OPTION_NAMES = {
    "dist": "distance",
    "conf": "conf_transform",
    "min_conf_thr": "min_conf",
    "base_scale": "base_scale",
    "allow_pw_adaptors": "adaptors",
    "pw_break": "adaptor_break",
    "optimize_pp": "free_principal_point",
    "focal_break": "focal_break",
    "focal_brake": "focal_break",
    "fx_and_fy": "separate_focals",
    "niter_PnP": "pnp_iterations",
    "niter": "num_iterations",
    "lr": "learning_rate",
    "lr_min": "least_learning_rate",
    "schedule": "schedule",
    "seed": "seed",
}
_MEANS = {"PointCloudOptimizer": "pixels", "ModularPointCloudOptimizer": "pairs"}
_PARAMETERS = {
    "pw_poses": "pair_poses",
    "pw_adaptors": "pair_adaptors",
    "im_poses": "poses",
    "im_focals": "log_focals",
    "im_pp": "principal_points",
}


def dense_options(stored: Mapping[str, Any]) -> DenseOptions:
    """Return our options for the stored ones of a case."""
    given = {ours: stored[theirs] for theirs, ours in _OPTION_NAMES.items() if theirs in stored}
    if "mode" in stored:
        given["mean"] = _MEANS[stored["mode"]]
    return DenseOptions(**given)


def stored_scene(case: Case) -> dict[str, Tensor]:
    """Return the arrays of the scene that a case uses."""
    return _load(case.folder.parent / "scenes" / f"{case.description['scene']}.safetensors")


@cache
def _load(path: Path) -> dict[str, Tensor]:
    return load_file(path)


def stored_problem(case: Case) -> DenseProblem:
    """Return the problem of a case's scene. The published aligner takes the data of a directed pair that is
    given twice from its last entry, both times.
    """
    scene = stored_scene(case)
    edges = [(first, second) for first, second in scene["edges"].tolist()]
    last = {edge: k for k, edge in enumerate(edges)}
    names = ("pred_i", "pred_j", "conf_i", "conf_j")
    pairs = [DirectedPair(*(scene[f"{name}.{last[edge]}"] for name in names)) for edge in edges]
    sizes = [(height, width) for height, width in scene["shapes"].tolist()]
    return DenseProblem(tuple(sizes), tuple(edges), pairs)


def stored_presets(case: Case, problem: DenseProblem) -> Presets:
    """Return what is known in a case: values of all views, or of those that it lists."""
    listed = case.options.get("presets", {})

    def by_view(name: str) -> dict[int, Tensor]:
        if name not in case.inputs:
            return {}
        views = listed.get(name)
        return dict(zip(range(problem.num_views) if views is None else views, case.inputs[name]))

    return Presets(by_view("preset_pose"), by_view("preset_focal"), by_view("preset_principal_point"))


def stored_parameters(arrays: Mapping[str, Tensor], dtype: torch.dtype) -> DenseParameters:
    """Return parameters from their stored names."""
    num_views = len(arrays["im_poses"])
    return DenseParameters(
        log_depth=tuple(arrays[f"log_depth.{k}"].to(dtype) for k in range(num_views)),
        **{ours: arrays[theirs].to(dtype) for theirs, ours in _PARAMETERS.items()},
    )


def named_parameters(parameters: DenseParameters, prefix: str = "") -> dict[str, Tensor]:
    """Return parameters under their stored names."""
    named = {f"{prefix}{theirs}": getattr(parameters, ours) for theirs, ours in _PARAMETERS.items()}
    return named | {f"{prefix}log_depth.{k}": depth for k, depth in enumerate(parameters.log_depth)}
