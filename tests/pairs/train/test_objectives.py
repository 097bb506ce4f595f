from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from train_batches import batch_of

from pairs.networks.dust3r.config import DptWidths, NetworkConfig, OutputModes, StackConfig
from pairs.networks.dust3r.network import PairNetwork
from pairs.train.batch import PairTruth, ViewTruth
from pairs.train.objectives import PUBLISHED
from pairs.train.schedule import make_optimizer


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_objective_is_a_finite_number(name):
    batch = batch_of(1)
    for loss in (PUBLISHED[name].train_loss, PUBLISHED[name].test_loss):
        found = loss.evaluate(batch, np.random.default_rng(0))
        assert found.value.shape == ()
        assert found.value.isfinite()
        assert all(np.isfinite(value) for value in found.details.values())


def tiny_network() -> PairNetwork:
    outputs = OutputModes(desc_dim=4, desc_conf=("exp", 0.0, float("inf")))
    widths = DptWidths((8, 8, 8, 8), 8, 8)
    return PairNetwork(
        NetworkConfig("mast3r", StackConfig(24, 1, 2), StackConfig(24, 4, 2), "catmlp+dpt", outputs, widths)
    )


def test_a_few_steps_of_the_published_training_lower_its_loss():
    with torch.random.fork_rng():  # torch's layers draw their weights from the global generator
        torch.random.manual_seed(0)
        network = tiny_network().train()
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 2, 3, 32, 32, generator=generator) * 2 - 1
    truth = [
        ViewTruth(
            torch.eye(4).repeat(2, 1, 1),
            torch.rand(2, 32, 32, 3, generator=generator) + 1,
            torch.ones(2, 32, 32, dtype=torch.bool),
        )
        for _ in range(2)
    ]
    template = batch_of(2)
    training = PUBLISHED["mast3r"]
    optimizer = make_optimizer(network, replace(training.schedule, rate=1e-3))
    values = []
    for _ in range(5):
        a, b = network(images[0], images[1])
        batch = replace(template, a=a, b=b, truth=PairTruth(truth[0], truth[1], torch.tensor([True, False])))
        value = training.train_loss.evaluate(batch, np.random.default_rng(0)).value
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert values[-1] < values[0]
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in network.parameters())
