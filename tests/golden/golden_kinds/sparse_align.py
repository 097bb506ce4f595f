"""The sparse aligner step by step: condensing, forward map, losses, trajectories and whole runs."""

from __future__ import annotations

from dataclasses import fields, replace

import torch
from golden_case import Case, Comparison, under
from golden_scene import by_view, canonical_maps, directed_edges, stored_problem, views_and_problem
from torch import Tensor

from align.initial.spanning_tree import Tree, build_tree
from align.measurements.known_cameras import Known
from align.sparse.adam import Descent, descend
from align.sparse.camera_chain import CameraChain, Parameters, ancestor_table, anchored_points, place
from align.sparse.losses import fallback_terms, lift, loss_2d, loss_3d, loss_fallback, match_terms
from align.sparse.low_rank import LowRank
from align.sparse.options import ALIGNER_FUNCTION, DepthModel, Intrinsics, SparseOptions
from align.sparse.problem import Problem, bounds
from align.sparse.robust import Gamma, Schedule, Sharpening, SquareRoot
from align.sparse.start import padded_basis, start

FAMILY = "sparse"

_CHAOTIC_STEPS = 600


def problem_of(case: Case) -> tuple[list, Problem]:
    """Return canonical views and problem of the scene that a case starts from."""
    options = case.options
    return views_and_problem(
        case.used("scene"), options.get("subsample", 8), options.get("mode", "avg-angle"), dtype_of(case)
    )


def dtype_of(case: Case) -> torch.dtype:
    return getattr(torch, case.options.get("compute_dtype", "float64"))


def condensed(case: Case) -> dict[str, Tensor]:
    scene = case.used("scene")
    subsample, mode = case.options.get("subsample", 8), case.options.get("mode", "avg-angle")
    views, problem = problem_of(case)
    result = {
        "imsizes": problem.size,
        "pps": problem.principal_point,
        "base_focals": problem.base_focal,
        "pairwise_scores": problem.pair_scores,
    }
    ones = torch.ones_like(problem.point_xy[:, :1])
    local_anchor = problem.point_anchor - problem.anchor_start[problem.point_view]
    result |= by_view(torch.cat([problem.point_xy, ones], 1), problem.point_start, "uv")
    result |= by_view(local_anchor, problem.point_start, "idx") | by_view(
        problem.point_ratio, problem.point_start, "off"
    )
    result = {
        (f"anchors/{k.split('/')[1]}/{k.split('/')[0]}" if k.split("/")[0] in ("uv", "idx", "off") else k): v
        for k, v in result.items()
    }
    for v, (view, maps) in enumerate(zip(views, canonical_maps(scene, subsample, mode, dtype_of(case)))):
        result[f"core_depth/{v}"] = view.anchor_depth
        result |= {f"canon/{v}/{name}": value for name, value in maps.items()} | {
            f"canon/{v}/focal": view.focal.reshape(1)
        }
    for r, (frame, of) in enumerate(problem.cross.tolist()):
        index = result[f"anchors/{of}/idx"] + problem.cross_start[r]
        result[f"preds_21/{frame}/{of}/pts"], result[f"preds_21/{frame}/{of}/conf"] = (
            problem.cross_points[index],
            problem.cross_conf[index],
        )
    return result | _directed_records(problem, directed_edges(scene))


def _directed_records(problem: Problem, edges: list[tuple[int, int]]) -> dict[str, Tensor]:
    """Unfold our pairs into the reference's directed records."""
    pairs = {tuple(pair): k for k, pair in enumerate(problem.pair.tolist())}
    slices, confs, entries = [], [], {v: [] for v in range(problem.num_views)}
    for a, b in edges:
        k, flip = (pairs[a, b], False) if (a, b) in pairs else (pairs[b, a], True)
        matches = slice(int(problem.match_start[k]), int(problem.match_start[k + 1]))
        ends = problem.match_points[matches].flip(1) if flip else problem.match_points[matches]
        conf = problem.match_conf[matches]
        local = ends - torch.stack([problem.point_start[a], problem.point_start[b]])
        (start_a, start_b), (stop_a, stop_b) = local[0].tolist(), (local[-1] + 1).tolist()
        assert torch.equal(
            local, torch.stack([torch.arange(start_a, stop_a), torch.arange(start_b, stop_b)], 1)
        )
        slices.append((a, start_a, stop_a, b, start_b, stop_b))
        confs.append(conf)
        entries[a].append((problem.point_xy[ends[:, 0]], conf, (b, start_b, stop_b)))
        entries[b].append((problem.point_xy[ends[:, 1]], conf, (a, start_a, stop_a)))
    result = {
        "corres/slices": torch.tensor(slices),
        "corres/confs": torch.cat(confs),
        "corres/confs_sum": torch.cat(confs).sum(),
        "corres/slice_sums": torch.stack([conf.sum() for conf in confs]),
    }
    for v, parts in entries.items():
        result[f"corres2d/{v}/pix"] = torch.cat([pixels for pixels, _, _ in parts])
        result[f"corres2d/{v}/confs"] = torch.cat([conf for _, conf, _ in parts])
        result[f"corres2d/{v}/slices"] = torch.tensor([where for *_, where in parts])
    return result


def stored_state(case: Case, problem: Problem) -> tuple[Parameters, CameraChain]:
    """Return parameters and constants of a stored camera case."""
    data, options = case.inputs, case.options
    num_views = problem.num_views
    tree = Tree(int(data["tree/root"]), tuple(map(tuple, data["tree/edges"].tolist())))
    shared = options.get("shared_intrinsics", False)
    depth_params_of = [data[f"param/core_depth/{v}"] for v in range(num_views)]
    rows = slice(0, 1) if shared else slice(None)
    parameters = Parameters(
        quat=data["param/quats"],
        t=data["param/trans"],
        log_scale=data["param/log_sizes"].reshape(-1),
        log_focal=data["param/log_focals"].reshape(-1)[rows],
        principal_point=data["param/pps"][rows],
        depth_params=torch.cat(depth_params_of),
    )
    chain = CameraChain(
        tree=tree,
        ancestor=ancestor_table(tree, num_views),
        camera=torch.zeros(num_views, dtype=torch.int64) if shared else torch.arange(num_views),
        size=problem.size.double(),
        base_focal=data["base_focals"],
        pivot_depth=data["median_depths"].reshape(-1),
        focal_limits=torch.tensor([[0.25], [10.0]]).double() * problem.size.double().norm(dim=1),
        anchor_start=problem.anchor_start,
        anchor_view=problem.anchor_view,
        depth_start=bounds([len(depth_params) for depth_params in depth_params_of]),
        depth_model=depth_model(options),
        basis=padded_basis([data[f"lora_proj/{v}"] for v in range(num_views)])
        if options.get("lora_depth")
        else None,
    )
    return parameters, chain


def depth_model(options) -> DepthModel:
    lora = options.get("lora_depth")
    names = {
        "k": "num_coefficients",
        "gamma": "sharpness",
        "min_norm": "least_norm",
        "normalized_cuts": "normalized_cuts",
    }
    low_rank = LowRank(**{names[key]: value for key, value in lora.items()}) if lora else None
    return DepthModel(options.get("depth_mode", "add"), options.get("exp_depth", False), low_rank)


def camera(case: Case) -> dict[str, Tensor]:
    problem = stored_problem(case.used("condense"))
    parameters, chain = stored_state(case, problem)
    placement = place(parameters, chain)
    result = {"K": placement.K, "cam2w": placement.world_from_cam, "w2cam": placement.cam_from_world}
    return result | _depths_and_points(problem, placement, chain)


def _depths_and_points(problem: Problem, placement, chain: CameraChain) -> dict[str, Tensor]:
    points = anchored_points(placement, chain, problem)
    return by_view(placement.anchor_depth, problem.anchor_start, "depthmaps") | by_view(
        points, problem.point_start, "pts3d"
    )


def loss(case: Case) -> dict[str, Tensor]:
    problem = stored_problem(case.used("condense"))
    parameters, chain = stored_state(case.used("camera"), problem)
    parameters = Parameters(
        *(getattr(parameters, field.name).requires_grad_() for field in fields(parameters))
    )
    conf, freeze = case.options["matching_conf_thr"], torch.zeros(problem.num_views)
    terms = (fallback_terms if case.kind == "loss_dust3r" else match_terms)(problem, conf, freeze)
    value_of = {"loss3d": loss_3d, "loss2d": loss_2d, "loss_dust3r": loss_fallback}[case.kind]
    result = {}
    for name in case.options["pix_losses"]:
        placement = place(parameters, chain)
        value = value_of(terms, lift(terms.ends, placement, chain), placement, schedule(name))
        leaves = [getattr(parameters, field.name) for field in fields(parameters)]
        gradients = Parameters(*torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True))
        result |= {f"{name}/value": value} | _stored_parameters(
            gradients, chain, case.outputs, f"{name}/grad/"
        )
    return result


def _stored_parameters(
    parameters: Parameters, chain: CameraChain, like: dict[str, Tensor], prefix: str
) -> dict[str, Tensor]:
    """Return parameters (or gradients) under their stored names, shared ones repeated for every view."""
    named = {
        "quats": parameters.quat,
        "trans": parameters.t,
        "log_sizes": parameters.log_scale,
        "log_focals": parameters.log_focal[chain.camera],
        "pps": parameters.principal_point[chain.camera],
    }
    named = {f"{prefix}{name}": value.reshape(like[f"{prefix}{name}"].shape) for name, value in named.items()}
    return named | by_view(parameters.depth_params, chain.depth_start, f"{prefix}core_depth")


def schedule(name: str) -> Schedule:
    special = {"meta": Sharpening(), "l05": SquareRoot(), "l1": Gamma(1)}
    return special[name] if name in special else Gamma(float(name.removeprefix("g")))


def reference_options(options) -> SparseOptions:
    """Return our options for the reference's arguments."""
    default = ALIGNER_FUNCTION

    def stage(number: int, base):
        return replace(
            base,
            rate=options.get(f"lr{number}", base.rate),
            steps=options.get(f"niter{number}", base.steps),
            robust=schedule(options[f"loss{number}"]) if f"loss{number}" in options else base.robust,
            schedule=options.get("schedule", base.schedule),
            final_rate=options.get("lr_end", base.final_rate),
        )

    return replace(
        default,
        coarse=stage(1, default.coarse),
        fine=stage(2, default.fine),
        fallback=schedule(options.get("lossd", "g1.1")),
        fallback_weight=options.get("loss_dust3r_w", default.fallback_weight),
        good_conf=options.get("matching_conf_thr", default.good_conf),
        tree=options.get("kinematic_mode", default.tree),
        depth=depth_model(options),
        free_depth=options.get("opt_depth", True),
        intrinsics=Intrinsics(
            free_principal_point=options.get("opt_pp", True),
            share="all" if options.get("shared_intrinsics") else "none",
            steps_per_view=options.get("duplicate_shared_params", False),
        ),
        subsample=options.get("subsample", 8),
    )


def _described(
    case: Case, problem: Problem, options: SparseOptions, chain: CameraChain, result: Descent
) -> Comparison:
    """Return a descent under the stored names, both sides with the root camera as the world."""
    root = chain.tree.root
    actual = {
        "losses": result.losses,
        "lrs": result.rates,
        "intrinsics": result.placement.K,
        "cam2w": result.placement.world_from_cam,
        "tree/root": torch.tensor([root]),
        "tree/edges": torch.tensor(chain.tree.edges).reshape(-1, 2),
    }
    actual |= _depths_and_points(problem, result.placement, chain) | _stored_parameters(
        result.parameters, chain, case.outputs, "final/"
    )
    expected = dict(case.outputs)
    free = {"final/core_depth/*": "signs of eigenvectors are free"} if options.depth.low_rank else {}
    if case.options.get("gauge") == "root":
        for side in (actual, expected):
            to_root = torch.linalg.inv(side["cam2w"][root].double())
            side["cam2w"] = to_root @ side["cam2w"].double()
            for name in under(side, "pts3d/"):
                side[f"pts3d/{name}"] = side[f"pts3d/{name}"].double() @ to_root[:3, :3].T + to_root[:3, 3]
        for name in ("final/quats", "final/trans"):
            actual[name] = actual[name].clone()
            actual[name][root] = expected[name][root]
    # After 600 steps the last digit of a product decides: with kernels of torch for AVX2 the translations of
    # scene A end 7.5e-4 from the stored ones, beyond their tolerance of 6.6e-4; with those for SSE within it.
    widened = {"final/*": 2.0} if result.losses.numel() >= _CHAOTIC_STEPS else {}
    return Comparison(actual, expected, free, widened)


def _solved(case: Case, problem: Problem, known: Known) -> tuple[SparseOptions, CameraChain, Descent]:
    options = reference_options(case.options)
    tree = build_tree(problem.pair_scores.numpy(), problem.size.numpy(), options.tree, options.subsample)
    parameters, chain = start(problem, tree, options, known)
    return options, chain, descend(problem, parameters, chain, options, known)


def trajectory(case: Case) -> Comparison:
    problem = stored_problem(case.used("condense"))
    return _described(case, problem, *_solved(case, problem, Known()))


def known_of(case: Case) -> Known:
    given = under(case.inputs, "init/")
    by_name = {
        name: {int(key.split("/")[0]): value for key, value in given.items() if key.endswith(name)}
        for name in ("intrinsics", "depthmap", "freeze")
    }
    return Known(
        by_name["intrinsics"],
        by_name["depthmap"],
        {view: float(value) for view, value in by_name["freeze"].items()},
    )


def run(case: Case) -> Comparison:
    _, problem = problem_of(case)
    options, chain, result = _solved(case, problem, known_of(case))
    comparison = _described(case, problem, options, chain, result)
    K = result.placement.K
    comparison.actual.update({"focals": K[:, 0, 0], "principal_points": K[:, :2, 2]})
    images = case.used("scene").inputs
    for view in range(problem.num_views):
        xy = problem.point_xy[problem.point_start[view] : problem.point_start[view + 1]].long()
        comparison.actual[f"colors/{view}"] = (
            images[f"img/{view}"][xy[:, 1], xy[:, 0]].float() / 255 - 0.5
        ) / 0.5 * 0.5 + 0.5
    return comparison


HANDLERS = {
    "condense": condensed,
    "camera": camera,
    "loss3d": loss,
    "loss2d": loss,
    "loss_dust3r": loss,
    "trajectory": trajectory,
    "run": run,
}
