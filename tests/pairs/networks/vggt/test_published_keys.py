"""The published network, built without memory, has exactly the published tensors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pairs.networks.vggt.config import VGGT_1B, VGGT_TRACKER_FIXED, with_heads
from pairs.networks.vggt.network import Vggt

LIST = Path(__file__).parents[3] / "published_keys" / "vggt_1b.json"


def shapes(config) -> dict[str, list[int]]:
    with torch.device("meta"):
        return {name: list(tensor.shape) for name, tensor in Vggt(config).state_dict().items()}


@pytest.fixture
def published() -> dict:
    return json.loads(LIST.read_text())


@pytest.mark.parametrize("config", [VGGT_1B, VGGT_TRACKER_FIXED])
def test_the_published_network_has_the_published_tensors_in_their_order(published, config):
    own = shapes(config)
    assert own == published["keys"]
    assert list(own) == list(published["keys"])


def test_a_head_that_is_switched_off_has_no_tensors(published):
    own = shapes(with_heads(VGGT_1B, frozenset({"depth"})))
    assert own == {
        name: shape
        for name, shape in published["keys"].items()
        if name.startswith(("aggregator.", "depth_head."))
    }
