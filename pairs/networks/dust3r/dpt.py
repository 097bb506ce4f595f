"""The dense prediction head of DUSt3R and MASt3R (the pair network's specification, chapter 6.2). Maps are (B, C, H, W)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from pairs.networks.dust3r.config import DptWidths


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions added to what comes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map after the unit."""
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
        # A 1x1 convolution commutes with interpolation, whose weights sum to one: before it, it costs a quarter.
        return _doubled(self.out_conv(self.resConfUnit2(merged)))


class Scratch(nn.Module):
    """The part of a DPT that works on maps of one width."""

    def __init__(self, widths: DptWidths) -> None:
        super().__init__()
        self.layer_rn = nn.ModuleList(nn.Conv2d(width, widths.features, 3, padding=1, bias=False) for width in widths.layers)
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
        fused = self.refinenet4(coarsest)[..., :h, :w]
        return self.refinenet1(self.refinenet2(self.refinenet3(fused, coarse), middle), fine)


class Dpt(nn.Module):
    """Four layers of tokens in, a map of raw channels at image resolution out."""

    def __init__(self, token_dims: tuple[int, int, int, int], widths: DptWidths, channels: int) -> None:
        super().__init__()
        first, second, third, fourth = (nn.Conv2d(dim, width, 1) for dim, width in zip(token_dims, widths.layers))
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
        """Return raw channels (B, C, 16 h, 16 w) from four layers of tokens (B, h * w, ·) on a grid of (h, w) patches."""
        maps = [reassemble(layer.transpose(1, 2).unflatten(2, grid)) for reassemble, layer in zip(self.act_postprocess, layers)]
        return self.head(self.scratch(maps))


def dpt_hooks(decoder_depth: int) -> tuple[int, int, int, int]:
    """Return which of the decoder's layers a DPT reads."""
    return (0, 2 * decoder_depth // 4, 3 * decoder_depth // 4, decoder_depth)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
