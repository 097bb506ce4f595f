"""How the dense aligner starts: registrations, focals, cameras by perspective-n-point, trees, known poses
(arXiv:2312.14132, sections 3.3 and 3.4).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from dense_scene import dense_options, stored_presets, stored_problem
from golden_case import Case
from torch import Tensor

from align.dense.initial.known_poses import start_from_known_poses
from align.dense.initial.pnp import place_camera
from align.dense.initial.presets import with_presets
from align.dense.initial.registration import median_spacing, register_cameras, register_points
from align.dense.initial.spanning_tree import complete_world, grow_world, pair_scores
from align.dense.initial.start import DenseStart, start_from_tree
from align.dense.objective import loss
from align.dense.poses import (
    focals,
    middles,
    pair_scales,
    pair_similarities,
    principal_points,
    random_parameters,
    scale_is_normalised,
    view_poses,
)
from align.dense.problem import view_confidences
from align.dense.terms import gather_terms
from align.dense.two_views import place_two_views
from align.measurements.focal import estimate_focal
from align.pinhole import backproject
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
    assert found is not None
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


def mst_init(case: Case) -> dict[str, Tensor]:
    """Compare the tree's world before, and the parameters after, known cameras have their say."""
    problem, options = stored_problem(case), dense_options(case.options)
    scores = pair_scores(problem)
    centres = middles(problem.sizes, torch.empty(0))
    world = complete_world(grow_world(problem, scores, centres), problem, scores, centres, options)
    result = {
        "scores": scores,
        "tree": torch.tensor([problem.edges[edge] for edge in world.order]),
        "tree_focals": torch.tensor([math.nan if each is None else each for each in world.focals]),
        "tree_poses": torch.stack([torch.eye(4) if each is None else each for each in world.world_from_cam]),
    }
    result |= {f"tree_pts3d.{view}": placed.points for view, placed in enumerate(world.maps)}
    return result | _state(case, start_from_tree)


def known_poses_init(case: Case) -> dict[str, Tensor]:
    return _state(case, start_from_known_poses)


def _state(case: Case, start: Callable[..., DenseStart]) -> dict[str, Tensor]:
    """Return what a start leads to, by the stored names."""
    problem, options = stored_problem(case), dense_options(case.options)
    presets = stored_presets(case, problem)
    given = with_presets(
        random_parameters(problem.sizes, len(problem.edges), options), presets, problem, options
    )
    parameters = start(problem, options, given, presets.frozen).parameters
    normalised = scale_is_normalised(presets.frozen)
    terms = gather_terms(problem, options, torch.float32)
    result = {
        "loss": torch.tensor(loss(terms, parameters, presets.frozen), dtype=torch.float64),
        "im_poses": view_poses(parameters.poses),
        "focals": focals(parameters.log_focals, options),
        "pp": principal_points(parameters.principal_points, problem.sizes),
        "pw_poses": pair_similarities(parameters.pair_poses, options, normalised),
        "pw_scale": pair_scales(parameters.pair_poses, options, normalised),
    }
    return result | {f"depth.{view}": depth.exp() for view, depth in enumerate(parameters.log_depth)}


def pair_viewer(case: Case) -> dict[str, Tensor]:
    problem, options = stored_problem(case), dense_options(case.options)
    scene = place_two_views(problem, options, {})
    result = {
        "im_poses": scene.world_from_cam,
        "focals": scene.K[:, 0, 0],
        "pp": scene.K[:, :2, 2],
        "intrinsics": scene.K,
        "edge_conf": scene.scores,
    }
    for view, conf in enumerate(view_confidences(problem)):
        points = backproject(scene.depth[view], scene.K[view], scene.world_from_cam[view])
        result |= {
            f"depth.{view}": scene.depth[view],
            f"pts3d.{view}": points,
            f"mask.{view}": conf > options.min_conf,
        }
    return result


HANDLERS = {
    "registration": registration,
    "align_poses": align_poses,
    "focal": focal,
    "pnp": pnp,
    "mst_init": mst_init,
    "known_poses_init": known_poses_init,
    "pair_viewer": pair_viewer,
}
