"""DINOv2 with register tokens: one image in, tokens out (docs/vggt.md, "Patch embedding")."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pairs.networks.layers import PatchEmbed
from pairs.networks.vggt.blocks import Block, BlockConfig
from pairs.networks.vggt.config import DinoConfig

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# DINOv2's own, while all other norms of the network have 1e-5.
_NORM_EPS = 1e-6
_LAYER_SCALE = 1.0


@dataclass(frozen=True, slots=True)
class DinoTokens:
    """What DINOv2 says of a batch of images; normalised, except the raw sequence."""

    image: Tensor  # (B, C), the class token
    registers: Tensor  # (B, R, C)
    patches: Tensor  # (B, h w, C), row by row
    raw: Tensor  # (B, 1 + R + h w, C), before the final norm


class Dino(nn.Module):
    """The vision transformer. Module names are those of the published state dicts."""

    def __init__(self, config: DinoConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.stored_side**2, dim))
        self.register_tokens = nn.Parameter(torch.zeros(1, config.registers, dim))
        self.mask_token = nn.Parameter(torch.zeros(1, dim))
        self.patch_embed = PatchEmbed(config.patch_size, dim)
        block = BlockConfig(dim, config.heads, config.mlp_ratio, _NORM_EPS, layer_scale=_LAYER_SCALE)
        self.blocks = nn.ModuleList(Block(block) for _ in range(config.depth))
        self.norm = nn.LayerNorm(dim, eps=_NORM_EPS)

    def forward(self, images: Tensor, hidden: Tensor | None = None) -> DinoTokens:
        """Return the tokens of normalised images (B, 3, H, W); patches that are `hidden` (B, h w) bool are
        replaced by the mask token.

        Raises `ImageError` when a side is not a multiple of the patch.
        """
        patches, _ = self.patch_embed(images)
        if hidden is not None:
            patches = torch.where(hidden[..., None], self.mask_token.to(patches.dtype), patches)
        count, registers = len(images), self.config.registers
        x = torch.cat([self.cls_token.expand(count, -1, -1), patches], dim=1)
        h, w = (side // self.config.patch_size for side in images.shape[-2:])
        x = x + resized_positions(self.pos_embed, (h, w), self.config).to(x.dtype)
        # Registers have no place in the image, so no position is added to them.
        x = torch.cat([x[:, :1], self.register_tokens.expand(count, -1, -1), x[:, 1:]], dim=1)
        for block in self.blocks:
            x = block(x)
        done = self.norm(x)
        return DinoTokens(done[:, 0], done[:, 1 : 1 + registers], done[:, 1 + registers :], x)


def normalised(images: Tensor) -> Tensor:
    """Return images (..., 3, H, W) in [0, 1] as the transformer wants them: with the mean and the spread of
    its training images taken out.
    """
    mean, std = (images.new_tensor(values)[:, None, None] for values in (_MEAN, _STD))
    return (images - mean) / std


def resized_positions(stored: Tensor, grid: tuple[int, int], config: DinoConfig) -> Tensor:
    """Return the position embedding (1, 1 + h w, C) for a grid of (h, w) patches
    (docs/vggt.md, "Patch embedding"); the stored grid itself comes back untouched.
    """
    side = config.stored_side
    if grid == (side, side):
        return stored
    # Interpolated in float32 whatever the precision, as published.
    square = stored[:, 1:].float().unflatten(1, (side, side)).permute(0, 3, 1, 2)  # (1, C, side, side)
    if config.offset:
        scale = ((grid[0] + config.offset) / side, (grid[1] + config.offset) / side)
        resized = functional.interpolate(
            square, scale_factor=scale, mode="bicubic", antialias=config.antialias
        )
    else:
        resized = functional.interpolate(square, size=grid, mode="bicubic", antialias=config.antialias)
    if resized.shape[-2:] != grid:
        raise ValueError(
            f"the position embedding came out as {tuple(resized.shape[-2:])} instead of {grid}: the offset "
            f"{config.offset} is too large"
        )
    return torch.cat([stored[:, :1].float(), resized.flatten(2).mT], dim=1)
