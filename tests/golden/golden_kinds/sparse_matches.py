"""Matches from descriptors."""

from __future__ import annotations

from golden_case import Case, under
from torch import Tensor

from pairs.matching.correspondences import symmetric_matches
from pairs.matching.descriptor_map import DescriptorMap
from pairs.matching.fast_reciprocal import prepare_search, reciprocal_from_grid

FAMILY = "sparse"


def correspondences(case: Case) -> dict[str, Tensor]:
    result = {}
    for item in case.options["items"]:
        data = {name: value.double() for name, value in under(case.inputs, f"{item['id']}/").items()}
        maps = {
            name: DescriptorMap(data[f"desc{name}"], data[f"qonf{name}"]) for name in ("11", "21", "22", "12")
        }
        steps = reciprocal_from_grid(prepare_search(maps["11"], maps["21"]), item["subsample"])
        matches = symmetric_matches([(maps["11"], maps["21"]), (maps["12"], maps["22"])], item["subsample"])
        named = {
            "nn_idx1": steps[:, 0],
            "nn_idx2": steps[:, 1],
            "xy1": matches.xy_a,
            "xy2": matches.xy_b,
            "conf": matches.conf,
        }
        result |= {f"{item['id']}/{name}": value for name, value in named.items()}
    return result


HANDLERS = {"corres": correspondences}
