"""Views of the small scene at their true cameras, as sources of depth take them; depths may be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from small_predictions import DEPTHS, ENTRIES, NUM_VIEWS, POSES
from small_scene import HEIGHT, WIDTH, intrinsics
from torch import Tensor

from align.depth_maps.dense_view import DenseView
from align.depth_maps.source import Posed
from align.pinhole import backproject

K = intrinsics().repeat(NUM_VIEWS, 1, 1)
MASK = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
MASK[3:28, 6:40] = True


def posed(depths: Sequence[Tensor] = DEPTHS, scale: float = 1.0, mask: Tensor | None = None) -> Posed:
    """Return the views with these depths, NaN off the mask, in a world of another scale."""
    poses = POSES.clone()
    poses[:, :3, 3] *= scale
    held = torch.ones(HEIGHT, WIDTH, dtype=torch.bool) if mask is None else mask
    views = []
    for k, depth in enumerate(depths):
        seen = torch.where(held, depth * scale, torch.nan)
        conf = 3 + torch.rand(HEIGHT, WIDTH, generator=torch.Generator().manual_seed(k)).double()
        views.append(DenseView(backproject(seen, K[k], torch.linalg.inv(poses[k])), seen, conf))
    matches = {edge: entry.matches for edge, entry in ENTRIES.items() if entry.matches is not None}
    return Posed(tuple(f"{k}.jpg" for k in range(NUM_VIEWS)), tuple(views), K, poses, matches)


def noisy(share: float = 0.004, seed: int = 0) -> list[Tensor]:
    """Return the true depths with independent errors, a standard deviation of a share of the depth."""
    generator = torch.Generator().manual_seed(seed)
    return [depth * (1 + share * torch.randn(depth.shape, generator=generator)) for depth in DEPTHS]
