"""Heads: from the decoder's layers to raw channels (docs/pair_networks.md, "Heads").

Every head takes the list of layers (B, N, ·) of one view and the image's (height, width), and returns the raw
channels of points and confidence (B, H, W, 3 or 4) and those of the descriptors (B, H, W, D or D + 1), or
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pairs.networks.dust3r.config import DptWidths, Mode, NetworkConfig, OutputModes
from pairs.networks.layers import Mlp

Size = tuple[int, int]
"""(height, width)"""


_LEAST_NORM = 1e-8
"""Raw points shorter than this are scaled as if they had this length: their direction means nothing."""


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
        self.dpt = Dpt(
            (config.encoder.dim, dec, dec, dec), config.dpt or DptWidths(), config.outputs.geometry_channels
        )

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
    # A pixel shuffle: number c P^2 + r P + s of a token is channel c at row r and column s of its patch.
    cells = tokens.unflatten(1, grid).unflatten(-1, (-1, patch_size, patch_size))  # (B, h, w, C, P, P)
    return cells.permute(0, 1, 4, 2, 5, 3).reshape(len(tokens), *size, -1)


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions added to what comes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map after the unit."""
        # Not in place: the skip path must carry x itself. VGGT's unit carries the rectified x; the weights of
        # either fail with the other's.
        return x + self.conv2(functional.relu(self.conv1(functional.relu(x))))


class Fusion(nn.Module):
    """Adds a finer map to a coarse one and doubles the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(channels, channels, 1)
        self.resConfUnit1 = ResidualUnit(channels)
        self.resConfUnit2 = ResidualUnit(channels)

    def forward(self, coarse: Tensor, fine: Tensor | None = None) -> Tensor:
        """Return the fused map at twice the size."""
        merged = coarse if fine is None else coarse + self.resConfUnit1(fine)
        # A 1x1 convolution commutes with interpolation, whose weights sum to one: before it, it costs a
        # quarter.
        return _doubled(self.out_conv(self.resConfUnit2(merged)))


class Scratch(nn.Module):
    """The part of a DPT that works on maps of one width."""

    def __init__(self, widths: DptWidths) -> None:
        super().__init__()
        self.layer_rn = nn.ModuleList(
            nn.Conv2d(width, widths.features, 3, padding=1, bias=False) for width in widths.layers
        )
        # Published files hold these four under two names each.
        self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn = self.layer_rn
        self.refinenet1 = Fusion(widths.features)
        self.refinenet2 = Fusion(widths.features)
        self.refinenet3 = Fusion(widths.features)
        self.refinenet4 = Fusion(widths.features)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Fuse four maps, finest first, into one of twice the finest size."""
        fine, middle, coarse, coarsest = (layer(one) for layer, one in zip(self.layer_rn, maps))
        h, w = coarse.shape[-2:]
        # The coarsest map is half, rounded up: doubled, it is a row or a column too large where the grid is
        # odd.
        fused = self.refinenet4(coarsest)[..., :h, :w]
        return self.refinenet1(self.refinenet2(self.refinenet3(fused, coarse), middle), fine)


class Dpt(nn.Module):
    """Four layers of tokens in, a map of raw channels at image resolution out."""

    def __init__(self, token_dims: tuple[int, int, int, int], widths: DptWidths, channels: int) -> None:
        super().__init__()
        first, second, third, fourth = (
            nn.Conv2d(dim, width, 1) for dim, width in zip(token_dims, widths.layers)
        )
        self.act_postprocess = nn.ModuleList(
            [
                nn.Sequential(first, nn.ConvTranspose2d(widths.layers[0], widths.layers[0], 4, stride=4)),
                nn.Sequential(second, nn.ConvTranspose2d(widths.layers[1], widths.layers[1], 2, stride=2)),
                nn.Sequential(third),
                nn.Sequential(fourth, nn.Conv2d(widths.layers[3], widths.layers[3], 3, stride=2, padding=1)),
            ]
        )
        self.scratch = Scratch(widths)
        half = widths.features // 2
        self.head = nn.Sequential(
            nn.Conv2d(widths.features, half, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(half, widths.last, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(widths.last, channels, 1),
        )

    def forward(self, layers: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """Return raw channels (B, C, 16 h, 16 w) from four layers of tokens (B, h * w, ·) on a grid of (h, w)
        patches.
        """
        maps = [
            reassemble(layer.transpose(1, 2).unflatten(2, grid))
            for reassemble, layer in zip(self.act_postprocess, layers)
        ]
        return self.head(self.scratch(maps))


def dpt_hooks(decoder_depth: int) -> tuple[int, int, int, int]:
    """Return which of the decoder's layers a DPT reads."""
    return (0, 2 * decoder_depth // 4, 3 * decoder_depth // 4, decoder_depth)


def _doubled(x: Tensor) -> Tensor:
    # Aligned corners, as the weights were trained; it stretches maps by (2 n - 1) / (2 n - 2), which all
    # later layers have learned to expect.
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)


@dataclass(frozen=True, slots=True)
class HeadOutput:
    """What a pair network says about one view of each pair, float32."""

    points: Tensor  # (B, H, W, 3), in the camera of the pair's first view
    conf: Tensor  # (B, H, W); all 1 from a network that gives none
    desc: Tensor | None = None  # (B, H, W, D), unit length
    desc_conf: Tensor | None = None  # (B, H, W)


def head_output(geometry: Tensor, local: Tensor | None, modes: OutputModes) -> HeadOutput:
    """Turn raw channels into a head's output.

    `geometry` (B, H, W, 3 or 4) holds x, y, z and, where the network gives one, the confidence; `local` (B,
    H, W, D or D + 1) the descriptor and, where it has its own, its confidence.
    """
    points = _points(geometry[..., :3], modes.depth)
    conf = (
        torch.ones_like(geometry[..., 0]) if modes.conf is None else _confidence(geometry[..., 3], modes.conf)
    )
    if local is None:
        return HeadOutput(points, conf)
    desc = local[..., : modes.desc_dim]
    # No epsilon, as published: a zero descriptor is no number, and the search leaves such pixels out.
    desc = desc / desc.norm(dim=-1, keepdim=True)
    desc_conf = conf if modes.desc_conf is None else _confidence(local[..., modes.desc_dim], modes.desc_conf)
    return HeadOutput(points, conf, desc, desc_conf)


def _points(raw: Tensor, mode: Mode) -> Tensor:
    """Return points (..., 3) in the direction of the raw ones, at the distance that the mode makes of their
    length.
    """
    if mode[0] == "linear":
        return raw.clone(memory_format=torch.contiguous_format)
    length = raw.norm(dim=-1, keepdim=True)
    # Not exp - 1, which rounds the distances of small raw points to multiples of 1e-7.
    distance = torch.expm1(length) if mode[0] == "exp" else length.square()
    return raw / length.clamp(min=_LEAST_NORM) * distance


def _confidence(raw: Tensor, mode: Mode) -> Tensor:
    name, least, greatest = mode
    if name == "exp":
        return least + raw.exp().clamp(max=greatest - least)
    return least + (greatest - least) * raw.sigmoid()
