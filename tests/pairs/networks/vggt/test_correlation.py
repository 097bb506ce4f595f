"""Correlations read from windows only, against the whole correlation map sampled plainly."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from pairs.networks.vggt import tracker as module
from pairs.networks.vggt.tracker import correlation, pyramid, sample


def plain_correlation(
    features: Tensor, num_levels: int, targets: Tensor, xy: Tensor, radius: int, outside: str
) -> Tensor:
    """Return the same by multiplying with every pixel first and sampling the product maps."""
    steps = torch.arange(-radius, radius + 1.0)
    window = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)  # x slow
    found = []
    for level in range(num_levels):
        features = functional.avg_pool2d(features, 2) if level else features
        maps = torch.einsum("fchw,fnc->fnhw", features, targets) / math.sqrt(features.shape[1])
        h, w = maps.shape[-2:]
        at = (xy / 2**level)[:, :, None] + window  # (F, N, K, 2)
        at = 2 * at / torch.tensor([max(w - 1, 1), max(h - 1, 1)]) - 1
        values = functional.grid_sample(
            maps.flatten(0, 1)[:, None], at.flatten(0, 1)[:, None], padding_mode=outside, align_corners=True
        )
        found.append(values.reshape(*xy.shape[:2], -1))
    return torch.cat(found, -1)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from(["zeros", "border"]), st.sampled_from([(8, 9), (16, 8), (11, 14)])
)
def test_windows_are_those_of_the_whole_map(seed, outside, size):
    generator = torch.Generator().manual_seed(seed)
    features, targets = (
        torch.randn(2, 4, *size, generator=generator),
        torch.randn(2, 5, 4, generator=generator),
    )
    xy = torch.randn(2, 5, 2, generator=generator) * 8 + 4  # some far outside
    found = correlation(pyramid(features, 4), targets, xy, 2, outside)
    assert_close(found, plain_correlation(features, 4, targets, xy, 2, outside), atol=1e-4, rtol=1e-4)


def test_frames_read_at_once_change_nothing(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    levels, targets = (
        pyramid(torch.randn(3, 4, 8, 8, generator=generator), 2),
        torch.randn(3, 5, 4, generator=generator),
    )
    xy = torch.rand(3, 5, 2, generator=generator) * 8
    whole = correlation(levels, targets, xy, 2)
    monkeypatch.setattr(module, "_MOST_GATHERED_CPU", 1)
    assert torch.equal(correlation(levels, targets, xy, 2), whole)


def test_positions_carry_no_gradient_and_targets_do():
    levels = pyramid(torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)), 2)
    targets, xy = torch.ones(1, 2, 4, requires_grad=True), torch.full((1, 2, 2), 3.3, requires_grad=True)
    correlation(levels, targets, xy, 1).sum().backward()
    assert xy.grad is None
    assert targets.grad.abs().sum() > 0


def test_a_pyramid_that_would_end_in_nothing_is_refused():
    with pytest.raises(ValueError, match="cannot be halved"):
        pyramid(torch.zeros(1, 4, 7, 16), 4)


def test_samples_between_pixels_are_interpolated_and_outside_those_of_the_border():
    maps = torch.arange(12.0).reshape(1, 1, 3, 4)
    xy = torch.tensor([[[0.0, 0.0], [1.5, 0.5], [-3.0, 1.0], [9.0, 9.0]]])
    assert_close(sample(maps, xy)[0, :, 0], torch.tensor([0.0, 3.5, 4.0, 11.0]))
