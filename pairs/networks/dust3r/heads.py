"""Heads: from the decoder's layers to raw channels (the pair network's specification, chapters 6.1 to 6.3).

Every head takes the list of layers (B, N, ·) of one view and the image's (height, width), and returns the raw channels of points and confidence
(B, H, W, 3 or 4) and those of the descriptors (B, H, W, D or D + 1), or none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pairs.networks.dust3r.config import DptWidths, NetworkConfig
from pairs.networks.dust3r.dpt import Dpt, dpt_hooks
from pairs.networks.layers import Mlp

Size = tuple[int, int]
"""(height, width)"""


class LinearHead(nn.Module):
    """A linear map from the last tokens to the pixels of their patches."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.proj = nn.Linear(config.decoder.dim, config.outputs.geometry_channels * config.patch_size**2)

    def forward(self, layers: Sequence[Tensor], size: Size) -> tuple[Tensor, None]:
        """Return the raw channels."""
        return unfold_patches(self.proj(layers[-1]), self.patch_size, size), None


class DptHead(nn.Module):
    """A DPT on four layers."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.hooks = dpt_hooks(config.decoder.depth)
        dec = config.decoder.dim
        self.dpt = Dpt((config.encoder.dim, dec, dec, dec), config.dpt or DptWidths(), config.outputs.geometry_channels)

    def forward(self, layers: Sequence[Tensor], size: Size) -> tuple[Tensor, Tensor | None]:
        """Return the raw channels."""
        grid = (size[0] // self.patch_size, size[1] // self.patch_size)
        return self.dpt([layers[hook] for hook in self.hooks], grid).permute(0, 2, 3, 1).contiguous(), None


class CatMlpDptHead(DptHead):
    """A DPT for the points, and an MLP from the encoder's and the decoder's tokens to the descriptors."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        dim = config.encoder.dim + config.decoder.dim
        self.head_local_features = Mlp(dim, 4 * dim, config.outputs.desc_channels * config.patch_size**2)

    def forward(self, layers: Sequence[Tensor], size: Size) -> tuple[Tensor, Tensor | None]:
        """Return the raw channels."""
        geometry, _ = super().forward(layers, size)
        local = self.head_local_features(torch.cat([layers[0], layers[-1]], dim=-1))
        return geometry, unfold_patches(local, self.patch_size, size)


_HEADS = {"linear": LinearHead, "dpt": DptHead, "catmlp+dpt": CatMlpDptHead}


def make_head(config: NetworkConfig) -> nn.Module:
    """Return the head that a configuration asks for."""
    return _HEADS[config.head](config)


def unfold_patches(tokens: Tensor, patch_size: int, size: Size) -> Tensor:
    """Lay tokens (B, N, C * P²), channels first within a token, out as pixels (B, H, W, C)."""
    grid = (size[0] // patch_size, size[1] // patch_size)
    cells = tokens.unflatten(1, grid).unflatten(-1, (-1, patch_size, patch_size))  # (B, h, w, C, P, P)
    return cells.permute(0, 1, 4, 2, 5, 3).reshape(len(tokens), *size, -1)
