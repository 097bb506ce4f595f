"""The published loop: batches change nothing but the time."""

from __future__ import annotations

import pytest
import torch
from published_batches import collated, run_pairs
from tiny_networks import tiny_network


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_every_pair_comes_out_once_whatever_the_batches(batch_size):
    network = tiny_network("linear")
    images = [
        torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(k))
        for k, size in enumerate([(32, 48), (32, 48), (48, 32)])
    ]
    pairs = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2)]
    found = {
        number: (first, second) for number, first, second in run_pairs(network, images, pairs, batch_size)
    }
    assert sorted(found) == list(range(5))
    for number, (a, b) in enumerate(pairs):
        with torch.no_grad():
            alone = network(images[a], images[b])
        for ours, own in zip(found[number], alone):
            assert ours.points.shape == own.points.shape
            assert torch.allclose(ours.points, own.points, atol=1e-5)


def test_maps_of_one_size_are_stacked_and_others_listed():
    same = collated([torch.zeros(1, 3, 4), torch.ones(1, 3, 4)])
    assert isinstance(same, torch.Tensor)
    assert same.shape == (2, 3, 4)
    mixed = collated([torch.zeros(1, 3, 4), torch.ones(1, 4, 3)])
    assert [tuple(each.shape) for each in mixed] == [(3, 4), (4, 3)]
