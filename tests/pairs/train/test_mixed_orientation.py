"""Batches as published training forms them."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import random_images, tiny_network
from torch.testing import assert_close

from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.network import PairNetwork
from pairs.train.mixed_orientation import ImageBatch, encode_sides, interleave, is_symmetrised, predict_batch

FLOAT = {"atol": 2e-5, "rtol": 2e-5}


def sides(
    images_a: torch.Tensor, images_b: torch.Tensor, names: tuple[tuple[str, ...], tuple[str, ...]]
) -> tuple[ImageBatch, ImageBatch]:
    size = torch.tensor(images_a.shape[-2:]).expand(len(images_a), 2)
    return ImageBatch(images_a, size, names[0]), ImageBatch(images_b, size, names[1])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=6))
def test_symmetrised_is_what_interleaving_makes(pairs):
    first = [name for a, b in pairs for name in (a, b)]
    second = [name for a, b in pairs for name in (b, a)]
    assert is_symmetrised(first, second) == bool(pairs)
    assert not is_symmetrised(first[1:], second[1:]) or len(first) == 1


@pytest.mark.parametrize(
    ("first", "second"), [(["a"], ["a"]), (["a", "b", "c"], ["b", "a", "c"]), (["a", "b"], ["c", "a"])]
)
def test_single_odd_and_other_batches_are_not_symmetrised(first, second):
    assert not is_symmetrised(first, second)


def test_a_symmetrised_batch_encodes_each_image_once_with_the_same_result():
    network = tiny_network("linear")
    a, b = random_images(2, (32, 32)), random_images(2, (32, 32), seed=1)
    first, second = sides(interleave(a, b), interleave(b, a), (("0", "1", "2", "3"), ("1", "0", "3", "2")))
    counted: list[int] = []
    network.enc_norm.register_forward_pre_hook(lambda module, given: counted.append(len(given[0])))
    encoded = encode_sides(network, first, second)
    assert sum(counted) == 4
    for one, images in zip(encoded, (first.images, second.images)):
        assert_close(one.tokens, network.encode(images).tokens, **FLOAT)


def test_portrait_images_of_a_landscape_batch_answer_as_upright_ones_transposed():
    upright = tiny_network()
    stored = PairNetwork(replace(upright.config, mixed_orientation=True, landscape_outputs=True))
    stored.load_state_dict(upright.state_dict())
    images = random_images(3, (32, 48)), random_images(3, (32, 48), seed=1)
    true_size = torch.tensor([[32, 48], [48, 32], [32, 48]])
    first, second = (
        ImageBatch(side, true_size, (f"{k}0", f"{k}1", f"{k}2")) for k, side in enumerate(images)
    )
    with torch.inference_mode():
        together = predict_batch(stored.eval(), first, second)
        for k in range(3):
            turned = k == 1
            pair = [side[k : k + 1].transpose(-1, -2) if turned else side[k : k + 1] for side in images]
            for whole, alone in zip(together, upright(*pair)):
                for field in fields(HeadOutput):
                    expected = getattr(alone, field.name)[0]
                    assert_close(
                        getattr(whole, field.name)[k],
                        expected.transpose(0, 1) if turned else expected,
                        **FLOAT,
                    )


def test_without_landscape_outputs_a_side_has_one_size():
    batch = ImageBatch(random_images(2, (32, 32)), torch.tensor([[32, 32], [32, 48]]), ("a", "b"))
    with pytest.raises(ValueError, match="one size"):
        predict_batch(tiny_network("linear"), batch, batch)


def test_a_batch_needs_a_size_and_a_name_for_every_image():
    with pytest.raises(ValueError, match="2 images"):
        ImageBatch(random_images(2, (32, 32)), torch.tensor([[32, 32]]), ("a", "b"))
