"""Single steps of the sparse aligner: focals, canonical views, anchors, trees, robust functions, low-rank
bases.
"""

from __future__ import annotations

import math

import pytest
import torch
from golden_case import Case, Comparison
from torch import Tensor

from align.initial.spanning_tree import build_tree
from align.measurements.anchors import anchored_ratio
from align.measurements.canonical import average_points, relative_depth
from align.measurements.focal import estimate_focal
from align.solver.adam import learning_rate
from align.sparse.low_rank import LowRank, affinity, anchor_positions, depth_basis, graph_spectrum
from align.sparse.robust import Gamma, SquareRoot, robust_value
from masks.errors import GraphError, SolverError

FAMILY = "sparse"


def compute_dtype(case: Case) -> torch.dtype:
    return getattr(torch, case.options.get("compute_dtype", "float64"))


def focal(case: Case) -> dict[str, Tensor]:
    result = {}
    for item in case.options["items"]:
        points = case.inputs[f"{item['id']}/pts3d"].to(compute_dtype(case))
        upper = math.inf if item["max_focal"] is None else item["max_focal"]
        pp = case.inputs[f"{item['id']}/pp"]
        expected = case.outputs[f"{item['id']}/focal"]
        value = estimate_focal(
            points.reshape(-1, *points.shape[-3:]), pp, item["focal_mode"], (item["min_focal"], upper)
        )
        result[f"{item['id']}/focal"] = value.reshape(expected.shape)
    return result


def canonical(case: Case) -> dict[str, Tensor]:
    points, confs = (case.inputs[name].to(compute_dtype(case)) for name in ("ptmaps", "confs"))
    canon, conf = average_points(points, confs)
    canon2 = relative_depth(points, confs, case.options["subsample"], case.options["mode"])
    return {"canon": canon, "canon2": canon2, "confs": conf}


def anchors(case: Case) -> dict[str, Tensor]:
    result = {}
    for item in case.options["items"]:
        canon2 = case.inputs[f"{item['id']}/canon2"].to(compute_dtype(case))
        for name in item["sets"]:
            key = f"{item['id']}/{name}"
            if "raises" in item:
                with pytest.raises(SolverError):
                    anchored_ratio(canon2, case.inputs[f"{key}/pixels"], item["subsample"])
                continue
            result[f"{key}/idx"], result[f"{key}/off"] = anchored_ratio(
                canon2, case.inputs[f"{key}/pixels"], item["subsample"]
            )
    return result


def lossfn(case: Case) -> dict[str, Tensor]:
    distance = (case.inputs["x"] - case.inputs["y"]).norm(dim=-1)
    result = {"l05": robust_value(SquareRoot(), distance)}
    for item in case.options["items"]:
        clip = math.inf if item["clip"] is None else item["clip"]
        result[str(item["id"])] = robust_value(
            Gamma(item["gamma"], item["mul"], item["offset"], clip), distance
        )
    for alpha in case.options["meta_alphas"]:
        result[f"meta/{alpha}"] = robust_value(Gamma(alpha), distance)
    rows = [
        [learning_rate(schedule, rate, final, alpha) for schedule in ("linear", "cosine")]
        for alpha in case.options["schedule_alphas"]
        for rate, final in case.options["schedule_lr"]
    ]
    result["schedule"] = torch.tensor(rows, dtype=torch.float64)
    return result


def tree(case: Case) -> dict[str, Tensor]:
    result = {}
    for item in case.options["items"]:
        scores, sizes = (case.inputs[f"{item['id']}/{name}"].numpy() for name in ("scores", "imsizes"))
        arguments = (scores, sizes, item["mode"], case.options.get("subsample", 8))
        if "raises" in item:
            with pytest.raises((GraphError, ValueError)):
                build_tree(*arguments)
            continue
        built = build_tree(*arguments)
        key = f"{item['id']}/{item['mode']}"
        result[f"{key}/root"] = torch.tensor([built.root])
        result[f"{key}/edges"] = torch.tensor(built.edges).reshape(-1, 2)
    return result


def lora(case: Case) -> Comparison:
    options = case.options
    K, depth = case.inputs["K"], case.inputs["depth"]
    low_rank = LowRank(options["k"], options["gamma"], options["min_norm"], options["normalized_cuts"])
    xyz = anchor_positions(K, depth, options["subsample"])
    similarity = affinity(xyz, low_rank.sharpness)
    weights = similarity.clone().fill_diagonal_(0)
    basis = depth_basis(K, depth, options["subsample"], low_rank)
    actual = {
        "xyz": xyz,
        "similarity": similarity,
        "eigenvalues": graph_spectrum(weights, low_rank.normalized_cuts)[0],
        "recon": basis.columns @ basis.coefficients,
        "proj_gram": basis.columns @ basis.columns.T,
        "col_norms": basis.columns.norm(dim=0),
        "coeffs_abs": basis.coefficients.abs(),
    }
    return Comparison(actual, case.outputs)


HANDLERS = {
    "focal": focal,
    "canonical": canonical,
    "anchors": anchors,
    "lossfn": lossfn,
    "tree": tree,
    "lora": lora,
}
