"""Matches from descriptors."""

from __future__ import annotations

from golden_case import Case, under
from torch import Tensor

from pairs.reciprocal import pair_matches, reciprocal_search

FAMILY = "sparse"


def correspondences(case: Case) -> dict[str, Tensor]:
    result = {}
    for item in case.options["items"]:
        data = {name: value.double() for name, value in under(case.inputs, f"{item['id']}/").items()}
        steps = reciprocal_search(data["desc11"], data["desc21"], item["subsample"])
        matches = pair_matches(
            (data["desc11"], data["desc12"]),
            (data["qonf11"], data["qonf12"]),
            (data["desc21"], data["desc22"]),
            (data["qonf21"], data["qonf22"]),
            item["subsample"],
        )
        named = {"nn_idx1": steps[:, 0], "nn_idx2": steps[:, 1], "xy1": matches.xy_a, "xy2": matches.xy_b, "conf": matches.conf}
        result |= {f"{item['id']}/{name}": value for name, value in named.items()}
    return result


HANDLERS = {"corres": correspondences}
