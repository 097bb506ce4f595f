"""Losses kept from running away: values bounded, outliers dropped (VGGT's specification, chapters 16 and 16.3)."""

from __future__ import annotations

import torch
from torch import Tensor

MOST = 100.0
"""No distance, and no loss of a pixel, counts for more."""

_LEAST_KEPT = 1000
_MOST_RANKED = 100_000_000
_RANKED = 1_000_000


def bounded(values: Tensor, most: float = MOST) -> Tensor:
    """Return values between -most and most; what is not finite becomes 0, without gradient."""
    return torch.where(values.isfinite(), values, 0).clamp(-most, most)


def nearest_rank(values: Tensor, share: float) -> Tensor:
    """Return the value () below which a share of all values (N,) lies: one of them, the rank rounded half to even."""
    if len(values) > _MOST_RANKED:
        # Every so manieth stands for a draw at random: the same input then gives the same loss.
        values = values[:: len(values) // _RANKED]
    return values.kthvalue(round(share * (len(values) - 1)) + 1).values


def without_outliers(values: Tensor, share: float) -> Tensor:
    """Return the values (N,) strictly below the one that a share of them lies below.

    Up to 1000 values come back as they are. Of more, none counts for more than 100; when dropping would leave 1000 or fewer, all stay.
    """
    if len(values) <= _LEAST_KEPT:
        return values
    values = values.clamp(max=MOST)
    kept = values[values < nearest_rank(values.detach(), share)]
    return kept if len(kept) > _LEAST_KEPT else values
