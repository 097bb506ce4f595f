"""From raw channels to depth, points, confidence and poses (docs/vggt.md, "Dense heads")."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Activation = Callable[[Tensor], Tensor]

_LEAST_NORM = 1e-8  # raw vectors shorter than it have no direction


def inv_log(y: Tensor) -> Tensor:
    """Return the odd function whose inverse is a signed logarithm: small values stay, large ones grow
    exponentially.
    """
    # expm1, or coordinates near the axes would be rounded to multiples of 1e-7.
    return y.sign() * torch.expm1(y.abs())


def _norm_exp(y: Tensor) -> Tensor:
    length = y.norm(dim=-1, keepdim=True).clamp(min=_LEAST_NORM)
    return y / length * torch.expm1(length)


def _xy_inv_log(y: Tensor) -> Tensor:
    xy, z = y.split([2, 1], dim=-1)
    z = inv_log(z)
    return torch.cat([xy * z, z], dim=-1)


def _linear(y: Tensor) -> Tensor:
    return y


PREDICTIONS: Mapping[str, Activation] = {
    "exp": torch.exp,
    "inv_log": inv_log,
    "norm_exp": _norm_exp,
    "norm": lambda y: y / y.norm(dim=-1, keepdim=True),
    "xy_inv_log": _xy_inv_log,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "linear": _linear,
}
"""Of depths and points (..., channels)."""

CONFIDENCES: Mapping[str, Activation] = {
    "expp1": lambda c: 1 + c.exp(),
    "expp0": torch.exp,
    "sigmoid": torch.sigmoid,
}
"""Of confidence logits."""

POSE_PARTS: Mapping[str, Activation] = {
    "linear": _linear,
    "inv_log": inv_log,
    "exp": torch.exp,
    "relu": torch.relu,
}
"""Of the parts of a pose encoding."""


def named(table: Mapping[str, Activation], name: str) -> Activation:
    """Return an activation of a table. Raises `ValueError` listing the table for another name."""
    if name not in table:
        raise ValueError(f"activation {name!r} is none of {', '.join(table)}")
    return table[name]


def dense_output(raw: Tensor, prediction: str, conf: str) -> tuple[Tensor, Tensor]:
    """Turn raw channels (N, channels + 1, H, W) into a prediction (N, H, W, channels) and its confidence (N,
    H, W).
    """
    channels_last = raw.permute(0, 2, 3, 1)
    return named(PREDICTIONS, prediction)(channels_last[..., :-1]), named(CONFIDENCES, conf)(
        channels_last[..., -1]
    )


def pose_output(raw: Tensor, translation: str, quaternion: str, field_of_view: str) -> Tensor:
    """Activate the three parts of pose encodings (..., 9)."""
    parts = zip(raw.split([3, 4, 2], dim=-1), (translation, quaternion, field_of_view))
    return torch.cat([named(POSE_PARTS, name)(part) for part, name in parts], dim=-1)
