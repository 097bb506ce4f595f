"""Heads and what is made of their raw channels."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from pairs.networks.dust3r.config import DptWidths, OutputModes
from pairs.networks.dust3r.heads import Dpt, Fusion, dpt_hooks, head_output, unfold_patches

SEEDED = torch.Generator().manual_seed(0)


def test_pixels_of_a_patch_lie_where_the_formula_says():
    P, channels, (h, w) = 4, 3, (2, 3)
    tokens = torch.randn(1, h * w, channels * P * P, generator=SEEDED)
    pixels = unfold_patches(tokens, P, (h * P, w * P))
    for c, i, j, r, s in ((0, 0, 0, 0, 0), (1, 0, 2, 3, 1), (2, 1, 1, 2, 3)):
        assert pixels[0, P * i + r, P * j + s, c] == tokens[0, i * w + j, c * P * P + r * P + s]


@pytest.mark.parametrize("grid", [(2, 3), (3, 2), (1, 1), (5, 7)])
def test_a_dpt_gives_a_pixel_for_every_pixel_of_even_and_odd_grids(grid):
    dpt = Dpt((6, 5, 5, 5), DptWidths((2, 3, 4, 5), 4, 3), 4)
    layers = [torch.randn(2, grid[0] * grid[1], dim, generator=SEEDED) for dim in (6, 5, 5, 5)]
    assert dpt(layers, grid).shape == (2, 4, 16 * grid[0], 16 * grid[1])


def test_convolving_before_doubling_is_convolving_after_it():
    fusion = Fusion(6).requires_grad_(False)
    coarse, fine = (torch.randn(1, 6, 5, 3, generator=SEEDED) for _ in range(2))
    merged = fusion.resConfUnit2(coarse + fusion.resConfUnit1(fine))
    as_published = fusion.out_conv(
        functional.interpolate(merged, scale_factor=2, mode="bilinear", align_corners=True)
    )
    assert_close(fusion(coarse, fine), as_published, atol=1e-5, rtol=1e-5)


def test_fusing_leaves_its_inputs_as_they_are():
    fusion = Fusion(4).requires_grad_(False)
    coarse, fine = (torch.randn(1, 4, 3, 3, generator=SEEDED) for _ in range(2))
    before = coarse.clone(), fine.clone()
    fusion(coarse, fine)
    assert torch.equal(coarse, before[0])
    assert torch.equal(fine, before[1])


def test_the_published_decoder_is_read_at_0_6_9_12():
    assert dpt_hooks(12) == (0, 6, 9, 12)
    assert dpt_hooks(4) == (0, 2, 3, 4)


def test_points_lie_at_expm1_of_the_raw_length():
    raw = torch.randn(1, 2, 3, 4, generator=SEEDED)
    raw[0, 0, 0, :3] = 0
    output = head_output(raw, None, OutputModes())
    length = raw[..., :3].norm(dim=-1)
    assert_close(output.points.norm(dim=-1), torch.expm1(length), atol=1e-6, rtol=1e-5)
    assert torch.equal(output.points[0, 0, 0], torch.zeros(3))
    assert_close(output.conf, 1 + raw[..., 3].exp())


def test_descriptors_have_unit_length_and_a_confidence_that_may_fall_below_one():
    local = torch.randn(1, 2, 3, 9, generator=SEEDED)
    output = head_output(
        torch.randn(1, 2, 3, 4, generator=SEEDED),
        local,
        OutputModes(desc_dim=8, desc_conf=("exp", 0.0, math.inf)),
    )
    assert output.desc is not None
    assert output.desc_conf is not None
    assert_close(output.desc.norm(dim=-1), torch.ones(1, 2, 3))
    assert_close(output.desc_conf, local[..., 8].exp())


def test_without_a_confidence_of_their_own_descriptors_share_that_of_the_points():
    output = head_output(
        torch.randn(1, 2, 3, 4, generator=SEEDED),
        torch.randn(1, 2, 3, 8, generator=SEEDED),
        OutputModes(desc_dim=8),
    )
    assert torch.equal(output.desc_conf, output.conf)


def test_a_network_without_confidence_trusts_every_pixel_alike():
    output = head_output(torch.randn(1, 2, 3, 3, generator=SEEDED), None, OutputModes(conf=None))
    assert torch.equal(output.conf, torch.ones(1, 2, 3))


@pytest.mark.parametrize(
    ("mode", "least", "greatest"),
    [(("exp", 1.0, 10.0), 1, 10), (("sigmoid", 1.0, 5.0), 1, 5), (("exp", 0.0, 2.0), 0, 2)],
)
def test_confidence_stays_between_its_bounds(mode, least, greatest):
    raw = torch.linspace(-50, 50, 101)[None, None, :, None].expand(1, 1, 101, 4)
    conf = head_output(raw, None, OutputModes(conf=mode)).conf
    assert conf.min() >= least
    assert conf.max() <= greatest
    assert bool((conf.diff() >= 0).all())
