"""How VGGT is fine-tuned, and where a training begins."""

from __future__ import annotations

import pytest
import torch

from masks.errors import UserError
from pairs.networks.vggt.config import (
    AggregatorConfig,
    CameraHeadConfig,
    DenseHeadConfig,
    DenseOutput,
    DinoConfig,
    TrackerConfig,
    TrackHeadConfig,
    VggtConfig,
)
from pairs.networks.vggt.network import Vggt
from pairs.train.vggt_schedule import FineTuning, clip_parts, initialise, learning_rate, make_optimizer

TRAINING = FineTuning()
IMAGES = torch.rand((2, 3, 28, 28), generator=torch.Generator().manual_seed(0))


def small_network() -> Vggt:
    """Return a network of one block of each kind, as torch draws it."""

    def dense(output: DenseOutput | None, down_ratio: int = 1) -> DenseHeadConfig:
        return DenseHeadConfig(
            output, dim=32, layers=(0, 0, 0, 0), widths=(4, 4, 4, 4), features=8, down_ratio=down_ratio
        )

    tracker = TrackerConfig(levels=2, radius=1, latent=8, hidden=16, depth=1, heads=2)
    config = VggtConfig(
        aggregator=AggregatorConfig(
            dim=16, depth=1, heads=2, dino=DinoConfig(dim=16, depth=1, heads=2, stored_side=2)
        ),
        camera=CameraHeadConfig(dim=32, depth=1, heads=2),
        depth=dense(DenseOutput(1, "exp")),
        points=None,
        track=TrackHeadConfig(dense(None, down_ratio=2), tracker),
    )
    return Vggt(config).eval()


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine():
    assert learning_rate(TRAINING, 0) == pytest.approx(1e-8)
    assert learning_rate(TRAINING, 0.025) == pytest.approx(2.5e-5, rel=1e-3)
    assert learning_rate(TRAINING, 0.05) == pytest.approx(5e-5)
    assert learning_rate(TRAINING, 0.525) == pytest.approx(2.5e-5, rel=1e-3)
    assert learning_rate(TRAINING, 1) == learning_rate(TRAINING, 2) == pytest.approx(1e-8)


def test_a_warm_up_of_everything_is_refused():
    with pytest.raises(UserError, match="warm-up"):
        FineTuning(warmup_share=1.0)


def test_each_part_is_clipped_by_itself_and_frozen_parts_are_not_trained():
    network = small_network()
    network.aggregator.requires_grad_(False)
    assert len(make_optimizer(network, TRAINING).param_groups[0]["params"]) == sum(
        p.requires_grad for p in network.parameters()
    )
    output = network(IMAGES)
    (1000 * output.depth.values.sum() + output.encodings[-1].sum()).backward()
    norms = clip_parts(network, TRAINING)
    assert set(norms) == {"camera_head", "depth_head"}
    assert norms["depth_head"] > 1
    after = torch.stack([p.grad.norm() for p in network.depth_head.parameters()]).norm()
    assert float(after) == pytest.approx(1, rel=1e-4)


def test_the_same_seed_draws_the_same_weights_whatever_was_drawn_before():
    states = []
    for seed in (7, 7, 8):
        network = small_network()
        initialise(network, seed)
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_tracks_begin_by_standing_still():
    network = small_network()
    initialise(network, seed=0)
    queries = torch.tensor([[20.0, 20.0]])
    step = (network(IMAGES, queries).tracks.iterations[0].detach() - queries).abs()
    assert step.max() < 0.5
