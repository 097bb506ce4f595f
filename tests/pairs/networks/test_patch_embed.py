"""From pixels to tokens."""

from __future__ import annotations

import pytest
import torch
from tiny_networks import random_images
from torch.testing import assert_close

from masks.errors import ImageError
from pairs.networks.layers import PatchEmbed

EMBED = PatchEmbed(16, 8).requires_grad_(False)


def test_a_token_is_a_linear_map_of_its_patch():
    images = random_images(2, (32, 48))
    tokens, positions = EMBED(images)
    for n, (row, column) in enumerate(positions[1].tolist()):
        patch = images[1, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        assert_close(
            tokens[1, n], (EMBED.proj.weight * patch).sum((1, 2, 3)) + EMBED.proj.bias, atol=1e-5, rtol=1e-5
        )
    assert positions[0].tolist() == [[row, column] for row in range(2) for column in range(3)]


@pytest.mark.parametrize("size", [(30, 48), (32, 47), (8, 16), (0, 16)])
def test_images_that_are_no_whole_patches_are_refused_with_both_sides_named(size):
    with pytest.raises(ImageError, match=rf"{size[1]}x{size[0]} pixels .* multiples of 16"):
        EMBED(torch.zeros(1, 3, *size))


def test_images_must_come_channels_first():
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        EMBED(torch.zeros(1, 32, 48, 3))


def test_portrait_images_of_a_mixed_batch_are_embedded_upright():
    stored = random_images(3, (32, 48))
    tokens, positions = EMBED.forward_mixed(stored, torch.tensor([False, True, False]))
    for k, image in enumerate((stored[:1], stored[1:2].transpose(-1, -2), stored[2:])):
        alone, at = EMBED(image)
        assert_close(tokens[k], alone[0], atol=1e-6, rtol=1e-5)
        assert torch.equal(positions[k], at[0])


def test_a_mixed_batch_must_be_stored_in_landscape():
    with pytest.raises(ValueError, match="landscape"):
        EMBED.forward_mixed(random_images(1, (48, 32)), torch.tensor([True]))
