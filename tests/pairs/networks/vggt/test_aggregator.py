"""Alternating attention: who sees whom, and what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_vggt import random_scene, small_config, small_vggt
from torch.testing import assert_close

from masks.errors import ImageError
from pairs.networks.vggt.aggregator import Aggregator
from pairs.networks.vggt.config import AggregatorConfig

AGGREGATOR = small_vggt().aggregator


def test_only_the_layers_asked_for_are_kept_and_the_camera_tokens_always():
    images = random_scene(2)
    whole, some = AGGREGATOR(images), AGGREGATOR(images, keep=(1,))
    assert list(whole.layers) == [0, 1, 2]
    assert list(some.layers) == [1]
    assert torch.equal(some.layers[1], whole.layers[1])
    assert torch.equal(some.camera, whole.layers[2][:, :, 0])


def test_frames_after_the_first_may_come_in_any_order():
    images, order = random_scene(4), [0, 3, 1, 2]
    layer, shuffled = AGGREGATOR(images).layers[2], AGGREGATOR(images[:, order]).layers[2]
    assert_close(shuffled, layer[:, order], atol=1e-5, rtol=1e-5)


def test_the_first_frame_is_told_apart():
    images = random_scene(1).expand(-1, 3, -1, -1, -1)
    layer = AGGREGATOR(images).layers[2]
    assert_close(layer[:, 1], layer[:, 2])
    assert (layer[:, 0] - layer[:, 1]).abs().max() > 1e-3


def test_frame_attention_does_not_look_at_other_frames():
    images = random_scene(3)
    other = images.clone()
    other[:, 2] = 0
    dim = AGGREGATOR.config.dim
    frame, changed = AGGREGATOR(images).layers[0][..., :dim], AGGREGATOR(other).layers[0][..., :dim]
    assert_close(frame[:, :2], changed[:, :2])


def test_scenes_of_a_batch_do_not_see_each_other():
    one, two = random_scene(2, seed=1), random_scene(2, seed=2)
    both = AGGREGATOR(torch.cat([one, two])).layers[2]
    assert_close(both[1:], AGGREGATOR(two).layers[2], atol=1e-5, rtol=1e-5)


def test_blocks_in_a_row_and_the_order_of_kinds_change_the_result():
    torch.manual_seed(0)
    config = replace(small_config().aggregator, depth=4)
    images, weights = random_scene(2), Aggregator(config).state_dict()
    found = []
    for changed in (config, replace(config, consecutive=2), replace(config, order=("global", "frame"))):
        aggregator = Aggregator(changed).eval()
        aggregator.load_state_dict(
            {name: value + 0.1 * torch.ones_like(value) for name, value in weights.items()}
        )
        found.append(aggregator(images).layers[3])
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


@pytest.mark.parametrize("shape", [(1, 2, 4, 28, 28), (2, 3, 28, 28), (1, 0, 3, 28, 28)])
def test_other_channels_or_axes_are_refused(shape):
    with pytest.raises(ValueError, match="images are"):
        AGGREGATOR(torch.zeros(shape))


def test_sizes_that_are_no_whole_patches_are_refused():
    with pytest.raises(ImageError, match="multiples of 14"):
        AGGREGATOR(torch.zeros(1, 1, 3, 28, 30))


@pytest.mark.parametrize(
    "changed", [{"depth": 5, "consecutive": 2}, {"order": ("frame", "frame")}, {"dim": 512}]
)
def test_configurations_that_make_no_sense_are_refused(changed):
    with pytest.raises(ValueError, match=r"divisor|alternate|do not fit"):
        AggregatorConfig(**changed)


def test_training_makes_activations_again_and_gives_the_same_gradients():
    gradients = []
    for training in (False, True):
        aggregator = (
            small_vggt(config=small_config(dino=False)).aggregator.requires_grad_(True).train(training)
        )
        aggregator(random_scene(2)).layers[2].square().sum().backward()
        gradients.append(aggregator.frame_blocks[0].attn.qkv.weight.grad)
    assert_close(gradients[0], gradients[1])
