from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from align.presets import PRESETS
from align.sparse.robust import Gamma, Sharpening, SquareRoot, at_progress, robust_slope, robust_value
from align.sparse.tiles import TILE, tiling, to_tiles

FUNCTIONS = [
    Gamma(1.5),
    Gamma(0.5),
    Gamma(1.1),
    Gamma(2.0),
    Gamma(1.0),
    Gamma(1.0, offset=0.5),
    Gamma(0.5, factor=2),
    Gamma(1.5, clip=3.0),
    SquareRoot(),
]


@pytest.mark.parametrize("robust", FUNCTIONS)
def test_slope_is_the_derivative(robust):
    distance = torch.linspace(0.05, 6, 50, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(robust_value(robust, distance).sum(), distance)
    torch.testing.assert_close(robust_slope(robust, distance.detach()), expected)


@pytest.mark.parametrize("robust", [f for f in FUNCTIONS if isinstance(f, Gamma) and f.offset is None])
def test_gamma_functions_are_zero_with_their_factor_as_slope_at_zero(robust):
    zero = torch.zeros(1, dtype=torch.float64)
    assert abs(robust_value(robust, zero)) < 1e-15
    assert abs(robust_slope(robust, zero) - robust.factor) < 1e-12


def test_sharpening_starts_at_the_distance_itself_and_never_reaches_zero():
    assert at_progress(Sharpening(), 0.0) == Gamma(1.0)
    assert at_progress(Sharpening(), 299 / 300).gamma > 0
    assert at_progress(Gamma(0.5), 0.7) == Gamma(0.5)


def test_nothing_lies_beyond_the_clip():
    value = robust_value(Gamma(1.5, clip=3.0), torch.tensor([3.0, 4.0, math.inf]))
    assert (value == value[0]).all()


@given(st.lists(st.integers(0, 3 * TILE), min_size=1, max_size=6))
def test_tiles_hold_every_entry_once_beside_padding_and_no_two_groups(lengths):
    tiles = tiling(torch.tensor(lengths))
    entries = torch.arange(1, sum(lengths) + 1)
    held = to_tiles(tiles, entries)
    assert torch.equal(held[held > 0], entries)
    assert held.numel() - len(entries) < len(lengths) * TILE
    group = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    inside = to_tiles(tiles, group, fill=-1)
    for tile, own in zip(inside, tiles.group):
        assert set(tile.tolist()) <= {int(own), -1}


def test_presets_differ_where_the_reference_says_so():
    demo, function, first = (PRESETS[name].aligner for name in ("mast3r", "mast3r-function", "mast3r-2024"))
    assert (demo.good_conf, function.good_conf) == (0, 5)
    assert (demo.coarse, demo.fine) == (function.coarse, function.fine)
    assert (first.tree, first.coarse.steps, first.fine.robust) == ("mst", 500, Gamma(0.4))
