"""What follows the sparse aligner: dense points, cleaning, signed distances, triangulation."""

from __future__ import annotations

import torch
from golden_case import Case, load_case
from torch import Tensor

from align.depth_maps.clean import CleanOptions, clean
from align.depth_maps.dense_view import DenseView
from align.depth_maps.triangulation import matches_to_depth, triangulate
from align.depth_maps.tsdf import Field, query, refine_depths
from align.measurements.anchors import at_anchors
from align.measurements.canonical import CanonicalView
from align.sparse.densify import densify_view

FAMILY = "sparse"


def _stored_view(condensed: Case, view: int, subsample: int) -> CanonicalView:
    data = {name: condensed.outputs[f"canon/{view}/{name}"].double() for name in ("canon", "canon2", "conf")}
    blocks = (
        at_anchors(data["canon2"], subsample).repeat_interleave(subsample, 0).repeat_interleave(subsample, 1)
    )
    return CanonicalView(
        depth=data["canon"][..., 2],
        conf=data["conf"],
        focal=condensed.outputs[f"canon/{view}/focal"].reshape(()),
        anchor_depth=condensed.outputs[f"core_depth/{view}"],
        depth_ratio=data["canon2"] / blocks,
        valid=torch.ones_like(data["conf"], dtype=torch.bool),
        subsample=subsample,
    )


def _dense(run: Case, condensed: Case, subsample: int) -> tuple[list[DenseView], Tensor, Tensor]:
    K, world_from_cam = run.outputs["intrinsics"], run.outputs["cam2w"]
    dense = []
    for v in range(len(K)):
        view = _stored_view(condensed, v, subsample)
        dense.append(densify_view(view, K[v], world_from_cam[v], run.outputs[f"depthmaps/{v}"], view.focal))
    return dense, K, torch.linalg.inv(world_from_cam)


def _named(dense: list[DenseView]) -> dict[str, Tensor]:
    result = {}
    for v, view in enumerate(dense):
        result |= {
            f"pts3d/{v}": view.points.reshape(-1, 3),
            f"depth/{v}": view.depth.flatten(),
            f"conf/{v}": view.conf,
        }
    return result


def densified(case: Case) -> dict[str, Tensor]:
    dense, K, cam_from_world = _dense(case.used("run"), case.used("condense"), case.options["subsample"])
    cleaned = clean(dense, K, cam_from_world, CleanOptions(case.options["clean_tol"]))
    return _named(dense) | {f"conf_clean/{v}": view.conf for v, view in enumerate(cleaned)}


def cleaned(case: Case) -> dict[str, Tensor]:
    data = {name: value.double() for name, value in case.inputs.items()}
    dense = []
    for v in range(len(data["K"])):
        shape = data[f"conf/{v}"].shape
        dense.append(
            DenseView(
                data[f"pts3d/{v}"].reshape(*shape, 3), data[f"depth/{v}"].reshape(shape), data[f"conf/{v}"]
            )
        )
    result = clean(
        dense, data["K"], data["w2cam"], CleanOptions(case.options["tol"], case.options["bad_conf"])
    )
    return {f"conf/{v}": view.conf for v, view in enumerate(result)}


def tsdf(case: Case) -> dict[str, Tensor]:
    run, densified_case, options = case.used("run"), case.used("densify"), case.options
    condensed = load_case(case.folder.parent / run.used("condense").folder.name)
    dense, K, cam_from_world = _dense(run, condensed, densified_case.options["subsample"])
    field = Field(dense, K, cam_from_world, options["TSDF_thresh"])
    value, valid = query(field, case.inputs["query"])
    noise = [case.inputs[f"noise/{v}"] for v in range(len(dense))]
    refined = refine_depths(field, lambda view, row: noise[view][row], options["niter"])
    return _named(refined) | {"query_value": value, "query_valid": valid}


def triangulated(case: Case) -> dict[str, Tensor]:
    if "proj_mats" in case.inputs:
        return {"points": triangulate(case.inputs["proj_mats"], case.inputs["pts2d"])}
    arrays = (case.inputs[name] for name in ("intrinsics", "extrinsics", "matches"))
    result = matches_to_depth(*arrays, case.options.get("min_num_valids_ratio", 0.3))
    return {"points": result.points, "depths": result.depth, "confs": result.conf}


HANDLERS = {"densify": densified, "clean": cleaned, "tsdf": tsdf, "triangulate": triangulated}
