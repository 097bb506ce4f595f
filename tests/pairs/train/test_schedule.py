from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from masks.errors import UserError
from pairs.train.schedule import Schedule, learning_rate, make_optimizer, parameter_groups

SCHEDULE = Schedule(rate=1e-4, least_rate=1e-6, warmup_epochs=10, epochs=100)


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine():
    assert learning_rate(SCHEDULE, 0) == 0
    assert learning_rate(SCHEDULE, 2.5) == pytest.approx(0.25e-4)
    assert learning_rate(SCHEDULE, 10) == pytest.approx(1e-4)
    assert learning_rate(SCHEDULE, 55) == pytest.approx((1e-4 + 1e-6) / 2)
    assert learning_rate(SCHEDULE, 100) == pytest.approx(1e-6)
    assert learning_rate(SCHEDULE, 130) == pytest.approx(1e-6)
    assert learning_rate(Schedule(warmup_epochs=0), 0) == pytest.approx(1e-4)


@given(epoch=st.floats(10, 200), later=st.floats(0, 50))
def test_after_the_warm_up_the_rate_never_rises(epoch, later):
    assert learning_rate(SCHEDULE, epoch + later) <= learning_rate(SCHEDULE, epoch)


def test_a_warm_up_longer_than_the_training_is_refused():
    with pytest.raises(UserError, match="warm-up"):
        Schedule(warmup_epochs=20, epochs=20)


def test_only_trained_matrices_decay():
    network = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Conv2d(1, 1, 3), nn.Linear(3, 1))
    network[3].requires_grad_(False)
    decayed, others = parameter_groups(network)
    assert [id(p) for p in decayed["params"]] == [id(network[0].weight), id(network[2].weight)]
    assert len(others["params"]) == 4
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.05, 0.0)
    optimizer = make_optimizer(network, SCHEDULE)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.defaults["betas"] == (0.9, 0.95)
