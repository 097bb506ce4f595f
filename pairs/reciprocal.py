"""Matches of two descriptor maps: nearest neighbours that agree in both directions (the sparse aligner's specification, chapter 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ROUNDS = 10
_BLOCK = 1 << 24  # similarities held at once: bounds the memory


@dataclass(frozen=True, slots=True)
class DescriptorMatches:
    """Matched pixels of a pair (a, b)."""

    xy_a: Tensor  # (M, 2) int
    xy_b: Tensor  # (M, 2) int
    conf: Tensor  # (M,)


def pair_matches(
    desc_a: tuple[Tensor, Tensor],  # (H, W, D) twice: of a when a is decoded first, and when b is
    conf_a: tuple[Tensor, Tensor],  # (H, W) twice
    desc_b: tuple[Tensor, Tensor],
    conf_b: tuple[Tensor, Tensor],
    subsample: int = 8,
) -> DescriptorMatches:
    """Return the matches of a pair from both orders of decoding, searched from both sides, one entry for equal pixels.

    A match found in both orders has the confidence of the first one. The result is sorted by pixel of a, then of b.
    """
    found, weights = [], []
    for order in range(2):
        to_b = reciprocal_search(desc_a[order], desc_b[order], subsample)
        to_a = reciprocal_search(desc_b[order], desc_a[order], subsample)
        both = torch.cat([to_b, to_a.flip(1)])
        found.append(both)
        weights.append(conf_a[order].flatten()[both[:, 0]] * conf_b[order].flatten()[both[:, 1]])
    pixel, weight = torch.cat(found), torch.cat(weights)
    width_a, width_b = desc_a[0].shape[1], desc_b[0].shape[1]
    key = pixel[:, 0] * desc_b[0].shape[:2].numel() + pixel[:, 1]
    order = torch.argsort(key, stable=True)
    first = torch.ones_like(order, dtype=torch.bool)
    first[1:] = key[order][1:] != key[order][:-1]
    keep = order[first]
    return DescriptorMatches(_xy(pixel[keep, 0], width_a), _xy(pixel[keep, 1], width_b), weight[keep].sqrt())


def reciprocal_search(desc_a: Tensor, desc_b: Tensor, subsample: int = 8) -> Tensor:
    """Return flat pixels (M, 2) of a and b that are each other's nearest neighbours, sorted and distinct.

    The search starts on a grid of a and walks from nearest neighbour to nearest neighbour until it returns to where it was, for at most
    ten rounds; what hasn't settled by then is dropped. Likeness is the dot product; maps are (H, W, D).
    """
    a, b = desc_a.flatten(0, 1), desc_b.flatten(0, 1)
    p = _grid(desc_a.shape[0], desc_a.shape[1], subsample, desc_a.device)
    q = torch.full_like(p, -1)
    active = torch.ones_like(p, dtype=torch.bool)
    for _ in range(_ROUNDS):
        p_before, q_before = p.clone(), q.clone()
        q[active] = _nearest(a[p[active]], b)
        active &= q != q_before
        p[active] = _nearest(b[q[active]], a)
        active &= p != p_before
        if not bool(active.any()):
            break
    return torch.unique(torch.stack([p, q], 1)[~active], dim=0)


def _grid(height: int, width: int, subsample: int, device: torch.device) -> Tensor:
    """Return the flat pixels in the middle of all blocks that fit, ascending."""
    half = subsample // 2
    rows = torch.arange(half, height, subsample, device=device)
    return (rows[:, None] * width + torch.arange(half, width, subsample, device=device)[None]).flatten()


def _nearest(asked: Tensor, among: Tensor) -> Tensor:
    """Return for descriptors (N, D) the index of the likest one of (K, D), the first on ties."""
    rows = max(1, _BLOCK // len(among))
    parts = [(part @ among.T).max(dim=1).indices for part in asked.split(rows)] if len(asked) else []
    return torch.cat(parts) if parts else asked.new_zeros(0, dtype=torch.int64)


def _xy(pixel: Tensor, width: int) -> Tensor:
    return torch.stack([pixel % width, pixel // width], 1)
