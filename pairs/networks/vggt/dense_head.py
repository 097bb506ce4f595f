"""The dense heads: four layers of the aggregator in, a map at image resolution out
(docs/vggt.md, "Dense heads"). Maps are (N, C, H, W).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pairs.networks.vggt.activations import dense_output
from pairs.networks.vggt.aggregator import Aggregated
from pairs.networks.vggt.blocks import NORM_EPS
from pairs.networks.vggt.config import DenseHeadConfig
from pairs.networks.vggt.sines import image_positions

_POSITION_SHARE = 0.1  # of the position map in what it is added to
_LAST = 32  # channels before the last convolution


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions added to what comes in, after it is rectified."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map after the unit."""
        # The weights were trained with the rectified map on the skip path as well, unlike those of other
        # dense prediction heads.
        rectified = functional.relu(x)
        return rectified + self.conv2(functional.relu(self.conv1(rectified)))


class Fusion(nn.Module):
    """Adds a finer map to a coarse one and brings the sum to a new size (docs/vggt.md, "Dense heads")."""

    def __init__(self, channels: int, *, skip: bool) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(channels, channels, 1)
        if skip:
            self.resConfUnit1 = ResidualUnit(channels)
        self.resConfUnit2 = ResidualUnit(channels)

    def forward(self, coarse: Tensor, fine: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Return the fused map at a size of (height, width)."""
        merged = coarse if fine is None else coarse + self.resConfUnit1(fine)
        # A 1x1 convolution commutes with interpolation, whose weights sum to one: before it, it costs a
        # quarter.
        return _resized(self.out_conv(self.resConfUnit2(merged)), size)


class Scratch(nn.Module):
    """The part of a head that works on maps of one width."""

    def __init__(self, config: DenseHeadConfig) -> None:
        super().__init__()
        features, output = config.features, config.output
        self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn = (
            nn.Conv2d(width, features, 3, padding=1, bias=False) for width in config.widths
        )
        self.refinenet1 = Fusion(features, skip=True)
        self.refinenet2 = Fusion(features, skip=True)
        self.refinenet3 = Fusion(features, skip=True)
        self.refinenet4 = Fusion(features, skip=False)
        self.output_conv1 = nn.Conv2d(features, features if output is None else features // 2, 3, padding=1)
        if output is not None:
            self.output_conv2 = nn.Sequential(
                nn.Conv2d(features // 2, _LAST, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(_LAST, output.channels + 1, 1),
            )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Fuse four maps, finest first, into one of twice the finest size."""
        layers = (self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn)
        first, second, third, fourth = (layer(one) for layer, one in zip(layers, maps))
        x = self.refinenet4(fourth, None, _size(third))
        x = self.refinenet3(x, third, _size(second))
        x = self.refinenet2(x, second, _size(first))
        h, w = _size(first)
        return self.output_conv1(self.refinenet1(x, first, (2 * h, 2 * w)))


class DenseHead(nn.Module):
    """A DPT whose maps know where their pixels lie. Module names are those of the published state dicts.

    Frames are handled a few at a time, so that memory does not grow with their number: about 0.4 GB a frame
    of 518 x 392.
    """

    def __init__(self, config: DenseHeadConfig) -> None:
        super().__init__()
        self.config = config
        first, second, _, fourth = config.widths
        self.norm = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.projects = nn.ModuleList(nn.Conv2d(config.dim, width, 1) for width in config.widths)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(first, first, 4, stride=4),
                nn.ConvTranspose2d(second, second, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(fourth, fourth, 3, stride=2, padding=1),
            ]
        )
        self.scratch = Scratch(config)

    def forward(self, aggregated: Aggregated, frames_at_once: int = 8) -> tuple[Tensor, Tensor]:
        """Return the prediction (B, S, H, W, channels) and its confidence (B, S, H, W), both float32."""
        output = self.config.output
        if output is None:
            raise ValueError("this head gives features only: ask for `features`")
        parts = [
            dense_output(self.scratch.output_conv2(maps), output.activation, output.conf)
            for maps in self._chunks(aggregated, frames_at_once)
        ]
        shape = aggregated.camera.shape[0], -1
        prediction, conf = (
            torch.cat([part.unflatten(0, shape) for part in same], dim=1) for same in zip(*parts)
        )
        return prediction, conf

    def features(self, aggregated: Aggregated, frames_at_once: int = 8) -> Tensor:
        """Return the map before the last convolutions: (B, S, C, H / down_ratio, W / down_ratio) float32."""
        shape = aggregated.camera.shape[0], -1
        return torch.cat(
            [maps.unflatten(0, shape) for maps in self._chunks(aggregated, frames_at_once)], dim=1
        )

    def _chunks(self, aggregated: Aggregated, frames_at_once: int) -> Iterator[Tensor]:
        """Yield the maps (B s, C, H / down_ratio, W / down_ratio) of s frames at a time."""
        for start in range(0, aggregated.camera.shape[1], frames_at_once):
            frames = slice(start, start + frames_at_once)
            tokens = [
                aggregated.layers[index][:, frames, aggregated.first_patch :].flatten(0, 1).float()
                for index in self.config.layers
            ]
            yield self._maps(tokens, aggregated.size)

    def _maps(self, tokens: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Return the fused map of patch tokens (N, h w, 2C) of images of `size` (height, width)."""
        patch = self.config.patch_size
        grid, aspect = (size[0] // patch, size[1] // patch), size[1] / size[0]
        maps = []
        for layer, project, resize in zip(tokens, self.projects, self.resize_layers):
            # One norm for all four layers, though they have statistics of their own: the weights are shared
            # so.
            image = self.norm(layer).mT.unflatten(2, grid)  # (N, 2C, h, w)
            maps.append(resize(self._placed(project(image), aspect)))
        ratio = self.config.down_ratio
        whole = (grid[0] * patch // ratio, grid[1] * patch // ratio)
        return self._placed(_resized(self.scratch(maps), whole), aspect)

    def _placed(self, x: Tensor, aspect: float) -> Tensor:
        """Return a map with a little of its pixels' positions added."""
        if not self.config.positions:
            return x
        return x + _POSITION_SHARE * image_positions(_size(x), x.shape[1], aspect, x.device)


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
