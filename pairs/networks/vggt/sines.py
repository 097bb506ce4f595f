"""Sines and cosines of positions (docs/vggt.md, "Dense heads")."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_FASTEST = 1000.0
"""Highest frequency of the flow embedding in radians a feature pixel: a millionth of a pixel changes it by a
thousandth."""


def sines(at: Tensor, channels: int, base: float) -> Tensor:
    """Return the embedding (..., channels) float32 of positions (...): sines, then cosines, at frequencies
    from 1 down to 1 / base.
    """
    k = torch.arange(channels // 2, dtype=torch.float64)
    # Made in float64 and rounded once, as the published tables are.
    angle = at.double()[..., None] * base ** (-k / (channels // 2))
    return torch.cat([angle.sin(), angle.cos()], dim=-1).float()


def image_axes(grid: tuple[int, int], aspect: float) -> tuple[Tensor, Tensor]:
    """Return where the columns (w,) and rows (h,) of a grid lie in an image of aspect width / height whose
    half diagonal is 1; float64.
    """
    h, w = grid
    diagonal = math.hypot(aspect, 1)
    u, v = (_span(part / diagonal, count) for part, count in ((aspect, w), (1.0, h)))
    return u, v


def _span(half: float, count: int) -> Tensor:
    end = half * (count - 1) / count
    return torch.linspace(-end, end, count, dtype=torch.float64)


def image_positions(grid: tuple[int, int], channels: int, aspect: float, device: torch.device) -> Tensor:
    """Return the position map (channels, h, w) float32 of a dense head: the first half of the channels tells
    the column, the second the row.
    """
    (h, w), half = grid, channels // 2
    # One table an axis, made on the CPU: they are small, and not every accelerator knows float64.
    columns, rows = (sines(at, half, 100.0).to(device).mT for at in image_axes(grid, aspect))
    return torch.cat([columns[:, None].expand(half, h, w), rows[:, :, None].expand(half, h, w)])


def flow_embedding(flow: Tensor, channels: int) -> Tensor:
    """Return the embedding (..., 2 channels) of flows (..., 2): for x, then for y, sine and cosine in turn at
    frequencies from 0 upwards.

    Everything is float32 whatever the precision around it: the frequencies are too high for less.
    """
    # From 0 to almost 1000 in equal steps, not in octaves as usual: the weights were trained with it.
    frequency = torch.arange(0, channels, 2, dtype=torch.float32, device=flow.device) * (_FASTEST / channels)
    angle = flow.float()[..., None] * frequency  # (..., 2, channels / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-3)


def pixel_positions(xy: Tensor, grid: tuple[int, int], channels: int) -> Tensor:
    """Return the tracker's position code (..., channels) at feature pixels (..., 2) of an (h, w) grid.

    The code is tabulated at whole pixels and interpolated between them; outside the grid it is that of the
    border.
    """
    h, w = grid
    return torch.cat(
        [_interpolated(xy[..., axis], count, channels // 2) for axis, count in ((0, w), (1, h))], dim=-1
    )


def _interpolated(at: Tensor, count: int, channels: int) -> Tensor:
    # The table of two axes is a sum of two tables of one axis each, so that interpolating along one axis is
    # all there is to do.
    table = sines(torch.arange(count), channels, 10000.0).to(at.device)
    inside = at.clamp(0, count - 1)
    low = inside.floor().clamp(max=max(count - 2, 0))
    share = (inside - low)[..., None]
    index = low.long()
    return table[index] * (1 - share) + table[(index + 1).clamp(max=count - 1)] * share
