"""The reference's pair lists."""

from __future__ import annotations

from collections import Counter

import pytest
from golden_case import Case
from torch import Tensor

from masks.errors import GraphError
from pairs.graph.reference_pairs import reference_pairs

FAMILY = "sparse"


def pairs(case: Case) -> dict[str, Tensor]:
    """Compare here: the expected lists stand in the case's description."""
    assert case.options["items"]
    for item in case.options["items"]:
        similarity = case.inputs[item["sim_key"]].numpy() if item.get("sim_key") else None
        arguments = (
            item["scene_graph"],
            item["n"],
            item["symmetrize"],
            item["prefilter"],
            similarity,
            item.get("first_anchor", 0),
        )
        if "raises" in item:
            with pytest.raises(GraphError):
                reference_pairs(*arguments)
            continue
        actual, expected = reference_pairs(*arguments), [tuple(pair) for pair in item["pairs"]]
        if item["ordered"]:
            assert actual == expected, item["scene_graph"]
        else:
            assert Counter(actual) == Counter(expected), item["scene_graph"]
    return {}


HANDLERS = {"pairs": pairs}
