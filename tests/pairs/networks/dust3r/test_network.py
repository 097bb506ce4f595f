"""The whole network on tiny weights: what may and what may not change its answers."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from tiny_networks import random_images, tiny_network
from torch.testing import assert_close

from masks.errors import ImageError
from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.network import Encoded, join, select

HEADS = ("linear", "dpt", "catmlp+dpt")
FLOAT = {"atol": 2e-5, "rtol": 2e-5}


def assert_same(actual: HeadOutput, expected: HeadOutput, **tolerance: float) -> None:
    for field in fields(HeadOutput):
        a, b = getattr(actual, field.name), getattr(expected, field.name)
        assert (a is None) == (b is None)
        if a is not None:
            assert_close(a, b, **(tolerance or FLOAT))


def at(output: HeadOutput, k: slice) -> HeadOutput:
    return HeadOutput(
        *(None if (one := getattr(output, f.name)) is None else one[k] for f in fields(HeadOutput))
    )


@pytest.mark.parametrize("head", HEADS)
def test_outputs_have_a_pixel_for_each_pixel(head):
    network = tiny_network(head)
    one, two = network(random_images(2, (32, 48)), random_images(2, (48, 32), seed=1))
    assert one.points.shape == (2, 32, 48, 3)
    assert two.conf.shape == (2, 48, 32)
    assert (one.desc is None) == (head != "catmlp+dpt")
    if one.desc is not None and two.desc_conf is not None:
        assert one.desc.shape == (2, 32, 48, 8)
        assert two.desc_conf.shape == (2, 48, 32)
    assert all(
        getattr(two, f.name).is_contiguous() for f in fields(HeadOutput) if getattr(two, f.name) is not None
    )


@pytest.mark.parametrize("head", HEADS)
def test_a_pair_does_not_depend_on_its_batch(head):
    network = tiny_network(head)
    encoded = network.encode(random_images(4, (32, 48)))
    together = network.decode(
        select(encoded, torch.tensor([0, 1, 2])), select(encoded, torch.tensor([3, 2, 0]))
    )
    for k, (a, b) in enumerate(((0, 3), (1, 2), (2, 0))):
        alone = network.decode(select(encoded, slice(a, a + 1)), select(encoded, slice(b, b + 1)))
        for side in (0, 1):
            assert_same(at(together[side], slice(k, k + 1)), alone[side])


def test_both_orders_of_a_pair_are_one_batch():
    network = tiny_network()
    a, b = (network.encode(random_images(1, (32, 32), seed)) for seed in (1, 2))
    one, two = network.decode(join([a, b]), join([b, a]))
    for k, (first, second) in enumerate(((a, b), (b, a))):
        alone = network.decode(first, second)
        assert_same(at(one, slice(k, k + 1)), alone[0])
        assert_same(at(two, slice(k, k + 1)), alone[1])


def test_images_encoded_once_answer_as_in_one_call():
    network = tiny_network()
    first, second = random_images(2, (32, 48)), random_images(2, (32, 48), seed=1)
    whole = network(first, second)
    parts = network.decode(network.encode(first), network.encode(second))
    for side in (0, 1):
        assert_same(whole[side], parts[side])


def test_equal_calls_give_equal_bytes():
    network, images = tiny_network(), random_images(2, (32, 48))
    one, again = network(images, images.flip(0)), network(images, images.flip(0))
    assert_same(one[0], again[0], atol=0, rtol=0)
    assert_same(one[1], again[1], atol=0, rtol=0)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_reduced_precision_changes_little_and_never_the_type_of_what_comes_out(precision):
    network, images = tiny_network(), random_images(2, (32, 48))
    exact = network(images, images.flip(0))
    network.precision = precision
    encoded = network.encode(images)
    assert encoded.tokens.dtype == torch.float32
    reduced = network(images, images.flip(0))
    for full, other in zip(exact, reduced):
        assert {getattr(other, f.name).dtype for f in fields(HeadOutput)} == {torch.float32}
        # 8 bits of mantissa through six blocks.
        assert_close(other.conf, full.conf, atol=0.1, rtol=0.1)
        assert not torch.equal(other.conf, full.conf)


def test_an_outer_autocast_changes_nothing():
    network, images = tiny_network(), random_images(2, (32, 48))
    plain = network(images, images.flip(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = network(images, images.flip(0))
    assert_same(inside[0], plain[0], atol=0, rtol=0)


def test_gradients_reach_every_weight_that_takes_part():
    network = tiny_network().requires_grad_(True)
    one, two = network(random_images(1, (32, 32)), random_images(1, (32, 32), seed=1))
    sum(getattr(side, f.name).sum() for side in (one, two) for f in fields(HeadOutput)).backward()
    without = {name for name, weight in network.named_parameters() if weight.grad is None}
    assert {name.split(".")[-3] for name in without if name != "mask_token"} == {"resConfUnit1"}
    assert all("refinenet4" in name for name in without if name != "mask_token")


def test_sizes_that_are_no_whole_patches_are_refused():
    with pytest.raises(ImageError, match="100x90"):
        tiny_network()(torch.zeros(1, 3, 90, 100), torch.zeros(1, 3, 96, 96))


def test_a_batch_has_as_many_first_as_second_images():
    network = tiny_network("linear")
    with pytest.raises(ValueError, match="2 and 3"):
        network.decode(network.encode(random_images(2, (32, 32))), network.encode(random_images(3, (32, 32))))


def test_only_images_of_one_size_make_a_batch():
    network = tiny_network("linear")
    with pytest.raises(ValueError, match="one size"):
        join([network.encode(random_images(1, size)) for size in ((32, 32), (32, 48))])


def test_tokens_and_positions_belong_together():
    with pytest.raises(ValueError, match="positions"):
        Encoded(torch.zeros(1, 4, 8), torch.zeros(1, 3, 2), (32, 32))
