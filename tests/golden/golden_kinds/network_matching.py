"""Descriptor matching and the windows of coarse to fine
(docs/pair_networks.md, "Fast reciprocal matching").
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from golden_case import Case
from torch import Tensor

from golden_kinds.network_check import check
from pairs.matching.correspondences import DescriptorMatches, single_run_matches, symmetric_matches
from pairs.matching.crops import window_tag
from pairs.matching.descriptor_map import DescriptorMap
from pairs.matching.fast_reciprocal import (
    basins_from_grid,
    prepare_search,
    reciprocal_from_grid,
    reciprocal_from_seeds,
)
from pairs.matching.merge import merge_pairs, pixel_xy
from pairs.matching.nearest import (
    MakeFinder,
    by_distance,
    by_dot_product,
    by_tree,
    closeness,
    dot_products,
    nearest_both_ways,
)
from pairs.matching.windows import (
    WindowOptions,
    choose_windows,
    fit_windows,
    greedy_choice,
    overlapping_grid,
    score_windows,
    start_positions,
)

__all__ = ["FAMILY", "HANDLERS", "check"]

FAMILY = "network"


def fast_nn(case: Case) -> dict[str, Tensor]:
    options = case.options
    if options.get("function") == "bruteforce_reciprocal_nns":
        likeness = {"dot": dot_products, "l2": closeness}[options["dist"]]
        nn_a, nn_b = nearest_both_ways(case.inputs["A"], case.inputs["B"], likeness, options["block_size"])
        return {"nn_A": nn_a, "nn_B": nn_b}
    a, b = (DescriptorMap(case.inputs[name]) for name in ("desc1", "desc2"))
    search = prepare_search(a, b, _finder(case))
    start = options["subsample_or_initxy1"]
    extra = {}
    if options.get("ret_basin"):
        pairs, extra["basin"] = basins_from_grid(search, start)
    elif isinstance(start, int):
        pairs = reciprocal_from_grid(search, start)
    else:
        seeds = case.inputs["init_x"] + a.size[1] * case.inputs["init_y"]
        pairs = reciprocal_from_seeds(search, seeds, options.get("pixel_tol", 0))
    return _written(pairs, a.size, b.size, options.get("ret_xy", True)) | extra


def _finder(case: Case) -> MakeFinder:
    """Return what the published call searches with: brute force where a distance or a block is stated, else a
    tree.
    """
    dist, block = case.options.get("dist"), case.options.get("block_size")
    if dist is None and block is None:
        return by_tree
    return partial({"dot": by_dot_product, "l2": by_distance}[dist or "l2"], block=block)


def _written(
    pairs: Tensor, size_a: tuple[int, int], size_b: tuple[int, int], form: bool | str
) -> dict[str, Tensor]:
    """Return pairs in one of the three published forms."""
    if form is False:
        return {"m1": pairs[:, 0], "m2": pairs[:, 1]}
    xy_a, xy_b = pixel_xy(pairs[:, 0], size_a), pixel_xy(pairs[:, 1], size_b)
    if form is True:
        return {"m1": xy_a, "m2": xy_b}
    return {"y1": xy_a[:, 1], "x1": xy_a[:, 0], "y2": xy_b[:, 1], "x2": xy_b[:, 0]}


def merge_corres(case: Case) -> dict[str, Tensor]:
    pairs, first = merge_pairs(torch.stack([case.inputs["idx1"], case.inputs["idx2"]], 1))
    xy_a, xy_b = (pixel_xy(pairs[:, k], tuple(case.options[f"shape{k + 1}"])) for k in range(2))
    flat = {"flat1": pairs[:, 0], "flat2": pairs[:, 1]}
    return {"xy1": xy_a, "xy2": xy_b, "index": first, "y1": xy_a[:, 1], "x1": xy_a[:, 0]} | flat


def extract_corres(case: Case) -> dict[str, Tensor]:
    inputs, subsample = case.inputs, case.options["subsample"]
    if case.options["function"] == "extract_correspondences_nonsym":
        a, b = (DescriptorMap(inputs[f"feat{k}"], inputs[f"conf{k}"]) for k in (1, 2))
        return _stored(single_run_matches(a, b, subsample, case.options["pixel_tol"]))
    maps = {
        name: DescriptorMap(inputs[f"feat{name}"], inputs[f"qonf{name}"]) for name in ("11", "21", "22", "12")
    }
    return _stored(symmetric_matches([(maps["11"], maps["21"]), (maps["12"], maps["22"])], subsample))


def _stored(found: DescriptorMatches) -> dict[str, Tensor]:
    return {"xy1": found.xy_a, "xy2": found.xy_b, "conf": found.conf}


def c2f(case: Case) -> dict[str, Tensor]:
    options = case.options
    match options["function"]:
        case "start_pos":
            found = [
                start_positions(call["total_size"], call["win_size"], call["overlap"])
                for call in options["calls"]
            ]
            return {f"pos{k}": torch.as_tensor(each) for k, each in enumerate(found)}
        case "make_overlapping_grid":
            found = [
                overlapping_grid((call["H"], call["W"]), call["size"], call["overlap"])
                for call in options["calls"]
            ]
            return {f"grid{k}": torch.as_tensor(each) for k, each in enumerate(found)}
        case "norm_windows":
            windows = fit_windows(
                case.inputs["cell"].numpy(), (options["H2"], options["W2"]), options["forced_resolution"]
            )
            return {"out": torch.as_tensor(windows)}
    return _selected(case)


def _selected(case: Case) -> dict[str, Tensor]:
    options = case.options
    sizes = ((options["H1"], options["W1"]), (options["H2"], options["W2"]))
    forced = options["forced_resolution"]
    forced_a, forced_b = (
        tuple(side) for side in (forced if isinstance(forced[0], list) else [forced, forced])
    )
    window_options = WindowOptions(
        options["maxdim"], options["overlap"], options["min_corres"], options["target"]
    )
    xy_a, xy_b = case.inputs["pos1"].numpy(), case.inputs["pos2"].numpy()
    grid = fit_windows(overlapping_grid(sizes[0], options["maxdim"], options["overlap"]), sizes[0], forced_a)
    scored = score_windows(grid, xy_a, xy_b, sizes[1], forced_b, options["min_corres"])
    chosen = choose_windows((xy_a, xy_b), sizes, (forced_a, forced_b), window_options)
    assert [window_tag(name, windows[-1]) for name, windows in zip("qb", (chosen.a, chosen.b))] == options[
        "tag_example"
    ]
    result = {
        "grid1_normed": grid,
        "score_cell1": scored.a,
        "score_cell2": scored.b,
        "score_weights": scored.weight,
    }
    result |= {
        "greedy_order_first_grid": np.array(greedy_choice(scored.weight, options["target"])),
        "crops1": chosen.a,
        "crops2": chosen.b,
    }
    return {name: torch.as_tensor(array) for name, array in result.items()}


HANDLERS = {"c2f": c2f, "fast_nn": fast_nn, "merge_corres": merge_corres, "extract_corres": extract_corres}
