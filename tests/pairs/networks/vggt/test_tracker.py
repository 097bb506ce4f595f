"""The tracker."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vggt import random_scene, small_vggt
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from masks.errors import ImageError
from pairs.networks.vggt import tracker as module
from pairs.networks.vggt.config import TrackerConfig
from pairs.networks.vggt.sines import flow_embedding, pixel_positions
from pairs.networks.vggt.tracker import Tracker, correlation, pyramid, sample

NETWORK = small_vggt()
QUERIES = torch.tensor([[5.0, 7.0], [30.5, 20.25], [50.0, 40.0]])


def test_tracks_begin_at_their_queries_and_stay_there_in_the_first_frame():
    tracks = NETWORK(random_scene(3), QUERIES).tracks
    assert len(tracks.iterations) == 4
    assert all(torch.equal(xy[0, 0], QUERIES) for xy in tracks.iterations)
    assert tracks.xy.shape == (1, 3, 3, 2)
    assert bool(((tracks.visible > 0) & (tracks.visible < 1)).all())
    assert tracks.conf.shape == tracks.visible.shape


def test_the_order_of_queries_does_not_matter():
    aggregated, order = NETWORK.aggregate(random_scene(2)), [2, 0, 1]
    one, other = (
        NETWORK.track(aggregated, QUERIES).iterations[0],
        NETWORK.track(aggregated, QUERIES[order]).iterations[0],
    )
    assert_close(other, one[:, :, order], atol=1e-4, rtol=1e-5)


def test_an_iteration_carries_gradient_through_its_own_step_only():
    tracker = small_vggt().track_head.tracker.requires_grad_(True)
    features = torch.randn(1, 2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    first, second = tracker(features, torch.tensor([[[4.0, 4.0]]]), 2).iterations
    (gradient,) = torch.autograd.grad(second.sum(), first, allow_unused=True)
    assert gradient is None


def test_images_too_small_for_the_pyramid_are_named():
    with pytest.raises(ImageError, match=r"6x14 pixels.* at least 8"):
        NETWORK.track_head.tracker(torch.zeros(1, 2, 16, 7, 3), torch.zeros(1, 1, 2), 1)


def test_without_virtual_tracks_there_is_no_attention_across_tracks():
    config = TrackerConfig(
        levels=2, radius=1, latent=8, hidden=16, depth=1, heads=2, virtual_tracks=0, conf=False
    )
    tracker = Tracker(config).eval().requires_grad_(False)
    assert not [
        name for name in tracker.state_dict() if "space" in name or "virual" in name or "conf" in name
    ]
    features, queries = torch.rand(1, 2, 8, 6, 6), torch.tensor([[[3.0, 3.0], [8.0, 5.0]]])
    both, one = tracker(features, queries, 1), tracker(features, queries[:, :1], 1)
    assert_close(both.xy[:, :, :1], one.xy)
    assert both.conf is None


def test_no_queries_give_no_tracks():
    tracks = NETWORK(random_scene(2), torch.zeros(0, 2)).tracks
    assert tracks.xy.shape == (1, 2, 0, 2)
    assert tracks.conf.shape == (1, 2, 0)


def plain_positions(xy: Tensor, grid: tuple[int, int], channels: int) -> Tensor:
    """Return the position code from the whole table, sampled bilinearly."""
    h, w = grid
    omega = 10000.0 ** (-torch.arange(channels // 4, dtype=torch.float64) / (channels // 4))
    table = torch.zeros(channels, h, w, dtype=torch.float64)
    for y in range(h):
        for x in range(w):
            table[:, y, x] = torch.cat(
                [(x * omega).sin(), (x * omega).cos(), (y * omega).sin(), (y * omega).cos()]
            )
    at = 2 * xy.double() / torch.tensor([max(w - 1, 1), max(h - 1, 1)]) - 1
    sampled = functional.grid_sample(table[None], at[None, None], padding_mode="border", align_corners=True)
    return sampled[0, :, 0].T.float()


@pytest.mark.parametrize("grid", [(5, 7), (2, 3)])
def test_the_position_code_is_that_of_the_whole_table(grid):
    xy = torch.rand(20, 2, generator=torch.Generator().manual_seed(0)) * 12 - 3
    assert_close(pixel_positions(xy, grid, 12), plain_positions(xy, grid, 12), atol=1e-5, rtol=1e-5)


def test_the_flow_embedding_alternates_sines_and_cosines():
    embedded = flow_embedding(torch.tensor([0.001, 0.0]), 4)
    angle = torch.tensor(0.5)  # 500 radians a pixel
    assert_close(
        embedded,
        torch.stack(
            [
                torch.tensor(0.0),
                torch.tensor(1.0),
                angle.sin(),
                angle.cos(),
                *torch.tensor([0.0, 1.0, 0.0, 1.0]),
            ]
        ),
    )


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


@settings(max_examples=30)
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
