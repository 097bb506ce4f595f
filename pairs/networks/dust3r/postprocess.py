"""From raw head channels to points, confidences and descriptors (the pair network's specification, chapter 6.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pairs.networks.dust3r.config import Mode, OutputModes

_LEAST_NORM = 1e-8
"""Raw points shorter than this are scaled as if they had this length: their direction means nothing."""


@dataclass(frozen=True, slots=True)
class HeadOutput:
    """What a pair network says about one view of each pair, float32."""

    points: Tensor  # (B, H, W, 3), in the camera of the pair's first view
    conf: Tensor  # (B, H, W); all 1 from a network that gives none
    desc: Tensor | None = None  # (B, H, W, D), unit length
    desc_conf: Tensor | None = None  # (B, H, W)


def head_output(geometry: Tensor, local: Tensor | None, modes: OutputModes) -> HeadOutput:
    """Turn raw channels into a head's output.

    `geometry` (B, H, W, 3 or 4) holds x, y, z and, where the network gives one, the confidence; `local` (B, H, W, D or D + 1) the descriptor and,
    where it has its own, its confidence.
    """
    points = _points(geometry[..., :3], modes.depth)
    conf = torch.ones_like(geometry[..., 0]) if modes.conf is None else _confidence(geometry[..., 3], modes.conf)
    if local is None:
        return HeadOutput(points, conf)
    desc = local[..., : modes.desc_dim]
    desc = desc / desc.norm(dim=-1, keepdim=True)
    desc_conf = conf if modes.desc_conf is None else _confidence(local[..., modes.desc_dim], modes.desc_conf)
    return HeadOutput(points, conf, desc, desc_conf)


def _points(raw: Tensor, mode: Mode) -> Tensor:
    """Return points (..., 3) in the direction of the raw ones, at the distance that the mode makes of their length."""
    if mode[0] == "linear":
        return raw.clone(memory_format=torch.contiguous_format)
    length = raw.norm(dim=-1, keepdim=True)
    distance = torch.expm1(length) if mode[0] == "exp" else length.square()
    return raw / length.clamp(min=_LEAST_NORM) * distance


def _confidence(raw: Tensor, mode: Mode) -> Tensor:
    name, least, greatest = mode
    if name == "exp":
        return least + raw.exp().clamp(max=greatest - least)
    return least + (greatest - least) * raw.sigmoid()
