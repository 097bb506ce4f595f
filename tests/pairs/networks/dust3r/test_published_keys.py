"""The published families, built without memory, have exactly the published tensors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from pairs.networks.dust3r.constructor import config_from_string, loaded_form
from pairs.networks.dust3r.network import PairNetwork

FOLDER = Path(__file__).parents[3] / "published_keys"
FAMILIES = ("dust3r_224_linear", "dust3r_512_linear", "dust3r_512_dpt", "mast3r_512_catmlpdpt")


def described(family: str) -> dict:
    return json.loads((FOLDER / f"{family}.json").read_text())


def expanded(templates: list) -> dict[str, tuple[int, ...]]:
    keys = {}
    for template, shape, *span in templates:
        first, last = span[0] if span else (0, 0)
        keys |= {template.replace("{i}", str(i)): tuple(shape) for i in range(first, last + 1)}
    return keys


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_the_published_tensors(family):
    stated = described(family)
    with torch.device("meta"):
        network = PairNetwork(loaded_form(config_from_string(stated["model_string"], family)))
    keys = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert keys == expanded(stated["keys"])
    lines = "\n".join(f"{name} {','.join(map(str, keys[name]))}" for name in sorted(keys))
    assert hashlib.sha256(lines.encode()).hexdigest() == stated["expanded_sha256"]
    assert len(keys) == stated["n_keys"]
    assert sum(parameter.numel() for parameter in network.parameters()) == stated["n_parameters"]


@pytest.mark.parametrize("family", FAMILIES)
def test_tensors_with_two_names_are_one_tensor(family):
    stated = described(family)
    with torch.device("meta"):
        state = dict(
            PairNetwork(loaded_form(config_from_string(stated["model_string"], family))).named_parameters(
                remove_duplicate=False
            )
        )
    assert all(state[one] is state[other] for one, other in stated["aliases"].items())
