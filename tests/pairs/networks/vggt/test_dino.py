"""DINOv2 with registers."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from masks.errors import ImageError
from pairs.networks.vggt.config import DinoConfig
from pairs.networks.vggt.dino import Dino, resized_positions

CONFIG = DinoConfig(dim=8, depth=1, heads=2, registers=2, stored_side=3)


def dino() -> Dino:
    torch.manual_seed(0)
    network = Dino(CONFIG).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network


def test_registers_stand_between_the_class_token_and_the_patches_and_have_no_position():
    network = dino()
    network.blocks = torch.nn.ModuleList()
    raw = network(torch.rand(1, 3, 42, 42)).raw
    assert raw.shape == (1, 1 + 2 + 9, 8)
    assert torch.equal(raw[:, 1:3], network.register_tokens)
    assert torch.equal(raw[:, 0], network.cls_token[:, 0] + network.pos_embed[:, 0])


def test_hidden_patches_do_not_matter():
    network, images = dino(), torch.rand(2, 3, 28, 42, generator=torch.Generator().manual_seed(1))
    hidden = torch.zeros(2, 6, dtype=torch.bool)
    hidden[:, 4] = True
    changed = images.clone()
    changed[:, :, 14:, 14:28] = 0
    assert torch.equal(network(images, hidden).patches, network(changed, hidden).patches)
    assert not torch.equal(network(images).patches, network(changed).patches)


def test_the_stored_grid_is_taken_as_it_is_and_the_class_entry_always():
    stored = torch.randn(1, 10, 8)
    assert resized_positions(stored, (3, 3), CONFIG) is stored
    resized = resized_positions(stored, (2, 5), CONFIG)
    assert resized.shape == (1, 11, 8)
    assert torch.equal(resized[:, 0], stored[:, 0])


def test_a_constant_embedding_stays_constant():
    stored = torch.full((1, 10, 8), 2.5)
    assert_close(resized_positions(stored, (5, 2), CONFIG), torch.full((1, 11, 8), 2.5))


def test_an_offset_that_gives_another_grid_is_refused():
    with pytest.raises(ValueError, match="offset"):
        resized_positions(torch.randn(1, 10, 8), (4, 4), DinoConfig(dim=8, stored_side=3, offset=1.0))


def test_images_of_no_whole_patches_are_refused():
    with pytest.raises(ImageError, match="multiples of 14"):
        dino()(torch.rand(1, 3, 42, 43))
