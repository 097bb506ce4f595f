"""How well a track's features agree with the images around where it is believed to be (VGGT's specification, chapter 11.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Outside = Literal["zeros", "border"]
"""What is read outside a map: nothing, or the nearest pixel."""

_MOST_GATHERED = 1 << 26
"""Numbers of features that are read at once: 256 MiB."""
_MOST_GATHERED_CPU = 1 << 22  # what stays in the caches of a CPU is read twice as fast


def pyramid(features: Tensor, levels: int) -> list[Tensor]:
    """Return feature maps (F, C, h, w) at full, half, quarter ... size, each as (F, h, w, C); odd last rows and columns are dropped on the way.

    Raises `ValueError` when the smallest map would have no pixel.
    """
    if min(features.shape[-2:]) >> (levels - 1) == 0:
        raise ValueError(f"a map of {tuple(features.shape[-2:])} pixels cannot be halved {levels - 1} times")
    maps = [features]
    for _ in range(levels - 1):
        maps.append(functional.avg_pool2d(maps[-1], 2))
    # Neighbourhoods are read pixel by pixel: with the channels last, each is one run of memory.
    return [level.permute(0, 2, 3, 1).contiguous() for level in maps]


def correlation(levels: Sequence[Tensor], targets: Tensor, xy: Tensor, radius: int, outside: Outside = "zeros") -> Tensor:
    """Return the correlations (F, N, L (2 r + 1)²) of target vectors (F, N, C) with windows around `xy` (F, N, 2), pixels of the finest level.

    Values are sampled bilinearly, one window a level, of maps (F, h, w, C). Within a window x is the slow index and y the fast one: the transposed
    window is what the weights were trained with. Only the features inside the windows are ever multiplied.
    """
    num_frames, num_tracks, channels = targets.shape
    most = _MOST_GATHERED_CPU if targets.device.type == "cpu" else _MOST_GATHERED
    frames_at_once = max(1, most // (num_tracks * channels * (2 * radius + 2) ** 2 or 1))
    parts = []
    for start in range(0, num_frames, frames_at_once):
        frames = slice(start, start + frames_at_once)
        windows = [_window(level[frames], targets[frames], xy[frames] / 2**k, radius, outside) for k, level in enumerate(levels)]
        parts.append(torch.cat(windows, dim=-1))
    return torch.cat(parts) / math.sqrt(channels)


def _window(maps: Tensor, targets: Tensor, xy: Tensor, radius: int, outside: Outside) -> Tensor:
    """Return the products (F, N, (2 r + 1)²) of one level."""
    num_frames, h, w, _ = maps.shape
    (x, share_x, inside_x), (y, share_y, inside_y) = (_axis(xy[..., axis].detach(), side, radius) for axis, side in ((0, w), (1, h)))
    # All samples of a window lie equally far between pixels: products with the pixels come first, and are interpolated afterwards.
    index = (y[..., None, :] * w + x[..., :, None]).flatten(2)  # (F, N, (2 r + 2)²), x slow
    frame = torch.arange(num_frames, device=xy.device)[:, None, None]
    products = torch.einsum("fnkc,fnc->fnk", maps.flatten(1, 2)[frame, index], targets).unflatten(-1, (x.shape[-1], y.shape[-1]))
    if outside == "zeros":
        products = torch.where(inside_x[..., :, None] & inside_y[..., None, :], products, 0)
    along_x = products[..., :-1, :] * (1 - share_x) + products[..., 1:, :] * share_x
    return (along_x[..., :-1] * (1 - share_y) + along_x[..., 1:] * share_y).flatten(2)


def _axis(at: Tensor, side: int, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels (F, N, 2 r + 2) of windows along one axis, how far between two of them samples lie (F, N, 1, 1), and which are inside."""
    low = at.floor()
    pixel = low.clamp(-radius - 2, side + radius).long()[..., None] + torch.arange(-radius, radius + 2, device=at.device)
    if side == 1:
        # Positions are shares of the way from the first to the last pixel (chapter 11.5): all of them fall on an only pixel.
        return torch.zeros_like(pixel), torch.zeros_like(at)[..., None, None], torch.ones_like(pixel, dtype=torch.bool)
    return pixel.clamp(0, side - 1), (at - low)[..., None, None], (pixel >= 0) & (pixel < side)


def sample(maps: Tensor, xy: Tensor) -> Tensor:
    """Return the vectors (B, N, C) of maps (B, C, h, w) at pixels (B, N, 2), bilinearly; outside, the nearest pixel counts (chapter 11.5)."""
    size = xy.new_tensor([max(maps.shape[-1] - 1, 1), max(maps.shape[-2] - 1, 1)])
    at = (2 * xy.detach() / size - 1)[:, :, None]  # (B, N, 1, 2)
    return functional.grid_sample(maps, at, mode="bilinear", padding_mode="border", align_corners=True)[..., 0].mT
