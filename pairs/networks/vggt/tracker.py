"""The track head: where points of frame 0 are in the other frames (docs/vggt.md, "Track head"). Tracks are
(B, S, N, ·).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from masks.errors import ImageError
from pairs.networks.layers import Mlp
from pairs.networks.vggt.aggregator import Aggregated
from pairs.networks.vggt.blocks import NORM_EPS
from pairs.networks.vggt.config import TrackerConfig, TrackHeadConfig
from pairs.networks.vggt.dense_head import DenseHead
from pairs.networks.vggt.sines import flow_embedding, pixel_positions

Outside = Literal["zeros", "border"]
"""What is read outside a map: nothing, or the nearest pixel."""
_MOST_GATHERED = 1 << 26
"""Numbers of features that are read at once: 256 MiB."""
_MOST_GATHERED_CPU = 1 << 22  # what stays in the caches of a CPU is read twice as fast


@dataclass(frozen=True, slots=True)
class Tracks:
    """Points of frame 0 followed through all frames. The tracker was trained on rigid scenes."""

    iterations: tuple[Tensor, ...]  # (B, S, N, 2) each, image pixels; the last is the answer
    visible_logit: Tensor  # (B, S, N)
    conf_logit: Tensor | None  # (B, S, N); none from a tracker that predicts no confidence

    @property
    def xy(self) -> Tensor:
        """(B, S, N, 2) positions in image pixels after the last iteration."""
        return self.iterations[-1]

    @property
    def visible(self) -> Tensor:
        """(B, S, N) probability that the point is seen."""
        return self.visible_logit.sigmoid()

    @property
    def conf(self) -> Tensor | None:
        """(B, S, N) probability that the position is right to a few pixels."""
        return None if self.conf_logit is None else self.conf_logit.sigmoid()


class Tracker(nn.Module):
    """Iterative refinement of all tracks of a scene together. Memory grows with frames times tracks."""

    def __init__(self, config: TrackerConfig) -> None:
        super().__init__()
        self.config = config
        latent = config.latent
        self.query_ref_token = nn.Parameter(torch.zeros(1, 2, config.token))
        self.corr_mlp = Mlp(config.levels * (2 * config.radius + 1) ** 2, config.hidden, latent)
        self.updateformer = UpdateTransformer(config)
        self.fmap_norm = nn.LayerNorm(latent, eps=NORM_EPS)
        self.ffeat_norm = nn.GroupNorm(1, latent, eps=NORM_EPS)
        self.ffeat_updater = nn.Sequential(nn.Linear(latent, latent), nn.GELU())
        self.vis_predictor = nn.Sequential(nn.Linear(latent, 1))
        if config.conf:
            self.conf_predictor = nn.Sequential(nn.Linear(latent, 1))

    def forward(self, features: Tensor, queries: Tensor, iterations: int) -> Tracks:
        """Follow queries (B, N, 2), image pixels of frame 0, through feature maps (B, S, C, h, w).

        Raises `ImageError` when the maps are too small for the correlation pyramid.
        """
        self._check_size(features)
        features = self.fmap_norm(features.permute(0, 1, 3, 4, 2)).permute(0, 1, 4, 2, 3)
        num_frames, grid = features.shape[1], (features.shape[3], features.shape[4])
        start = queries / self.config.stride
        levels = pyramid(features.flatten(0, 1), self.config.levels)
        # What the query looks like is all that a track knows at first, in every frame.
        track = sample(features[:, 0], start)[:, None].expand(-1, num_frames, -1, -1)  # (B, S, N, C)
        xy = start[:, None].expand(-1, num_frames, -1, -1)
        place = self._place(start, grid, num_frames)
        found = []
        for _ in range(iterations):
            # Each iteration answers for its own step only; the features of a track do carry gradient through
            # all of them.
            xy = xy.detach()
            step, change = self._update(levels, track, xy, place)
            track = track + self.ffeat_updater(self.ffeat_norm(change.flatten(0, 2))).view_as(track)
            # The query stands where it was asked for: frame 0 never moves.
            xy = torch.cat([start[:, None], (xy + step)[:, 1:]], dim=1)
            found.append(xy * self.config.stride)
        conf = self.conf_predictor(track)[..., 0] if self.config.conf else None
        return Tracks(tuple(found), self.vis_predictor(track)[..., 0], conf)

    def _place(self, start: Tensor, grid: tuple[int, int], num_frames: int) -> Tensor:
        """Return what is added to the tokens (B, N, S, ·): where a track starts, and whether the frame is the
        one of the queries.
        """
        where = pixel_positions(start, grid, self.config.token)[:, :, None]
        which = torch.arange(num_frames, device=start.device).clamp(max=1)
        return where + self.query_ref_token[:, which][:, None]

    def _update(
        self, levels: list[Tensor], track: Tensor, xy: Tensor, place: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the steps (B, S, N, 2) in feature pixels and the changes (B, S, N, C) of the tracks'
        features.
        """
        shape, config = track.shape, self.config
        near = correlation(levels, track.flatten(0, 1), xy.flatten(0, 1), config.radius).unflatten(
            0, shape[:2]
        )
        flow = xy - xy[:, :1]
        scaled = flow / config.flow_scale
        # The flow stands there twice: the weights were trained so.
        tokens = torch.cat(
            [flow_embedding(flow, config.latent // 2), scaled, scaled, self.corr_mlp(near), track], dim=-1
        )
        update = self.updateformer(tokens.transpose(1, 2) + place).transpose(1, 2)  # (B, S, N, 2 + C)
        return update[..., :2], update[..., 2:]

    def _check_size(self, features: Tensor) -> None:
        least = 2 ** (self.config.levels - 1)
        if min(features.shape[-2:]) < least:
            h, w = (side * self.config.stride for side in features.shape[-2:])
            raise ImageError(
                f"image of {w}x{h} pixels (width x height): the tracker looks at {self.config.levels} "
                "sizes of it and needs at least "
                f"{least * self.config.stride} pixels a side. Use larger images, or the network without "
                "tracks."
            )


class TrackHead(nn.Module):
    """Features at half the image's resolution, and the tracker on them. Module names are those of the
    published state dicts.
    """

    def __init__(self, config: TrackHeadConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_extractor = DenseHead(config.features)
        self.tracker = Tracker(config.tracker)

    def forward(self, aggregated: Aggregated, queries: Tensor, frames_at_once: int = 8) -> Tracks:
        """Follow queries (B, N, 2), image pixels of frame 0, through all frames."""
        features = self.feature_extractor.features(aggregated, frames_at_once)
        return self.tracker(features, queries.to(features.dtype), self.config.iterations)


def pyramid(features: Tensor, levels: int) -> list[Tensor]:
    """Return feature maps (F, C, h, w) at full, half, quarter ... size, each as (F, h, w, C); odd last rows
    and columns are dropped on the way.

    Raises `ValueError` when the smallest map would have no pixel.
    """
    if min(features.shape[-2:]) >> (levels - 1) == 0:
        raise ValueError(f"a map of {tuple(features.shape[-2:])} pixels cannot be halved {levels - 1} times")
    maps = [features]
    for _ in range(levels - 1):
        maps.append(functional.avg_pool2d(maps[-1], 2))
    # Neighbourhoods are read pixel by pixel: with the channels last, each is one run of memory.
    return [level.permute(0, 2, 3, 1).contiguous() for level in maps]


def correlation(
    levels: Sequence[Tensor], targets: Tensor, xy: Tensor, radius: int, outside: Outside = "zeros"
) -> Tensor:
    """Return the correlations (F, N, L (2 r + 1)²) of target vectors (F, N, C) with windows around `xy` (F,
    N, 2), pixels of the finest level.

    Values are sampled bilinearly, one window a level, of maps (F, h, w, C). Within a window x is the slow
    index and y the fast one: the transposed window is what the weights were trained with. Only the features
    inside the windows are ever multiplied.
    """
    num_frames, num_tracks, channels = targets.shape
    most = _MOST_GATHERED_CPU if targets.device.type == "cpu" else _MOST_GATHERED
    frames_at_once = max(1, most // (num_tracks * channels * (2 * radius + 2) ** 2 or 1))
    parts = []
    for start in range(0, num_frames, frames_at_once):
        frames = slice(start, start + frames_at_once)
        windows = [
            _window(level[frames], targets[frames], xy[frames] / 2**k, radius, outside)
            for k, level in enumerate(levels)
        ]
        parts.append(torch.cat(windows, dim=-1))
    return torch.cat(parts) / math.sqrt(channels)


def _window(maps: Tensor, targets: Tensor, xy: Tensor, radius: int, outside: Outside) -> Tensor:
    """Return the products (F, N, (2 r + 1)²) of one level."""
    num_frames, h, w, _ = maps.shape
    (x, share_x, inside_x), (y, share_y, inside_y) = (
        _axis(xy[..., axis].detach(), side, radius) for axis, side in ((0, w), (1, h))
    )
    # All samples of a window lie equally far between pixels: products with the pixels come first, and are
    # interpolated afterwards.
    index = (y[..., None, :] * w + x[..., :, None]).flatten(2)  # (F, N, (2 r + 2)²), x slow
    frame = torch.arange(num_frames, device=xy.device)[:, None, None]
    products = torch.einsum("fnkc,fnc->fnk", maps.flatten(1, 2)[frame, index], targets).unflatten(
        -1, (x.shape[-1], y.shape[-1])
    )
    if outside == "zeros":
        products = torch.where(inside_x[..., :, None] & inside_y[..., None, :], products, 0)
    along_x = products[..., :-1, :] * (1 - share_x) + products[..., 1:, :] * share_x
    return (along_x[..., :-1] * (1 - share_y) + along_x[..., 1:] * share_y).flatten(2)


def _axis(at: Tensor, side: int, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels (F, N, 2 r + 2) of windows along one axis, how far between two of them samples lie
    (F, N, 1, 1), and which are inside.
    """
    # A window may lie far outside. Bounded before it becomes an integer, for a float beyond the integers'
    # range has no defined value there; what is outside is masked below.
    low = at.floor()
    pixel = low.clamp(-radius - 2, side + radius).long()[..., None] + torch.arange(
        -radius, radius + 2, device=at.device
    )
    if side == 1:
        # Positions are shares of the way from the first to the last pixel, corners aligned: all of them fall
        # on an only pixel.
        return (
            torch.zeros_like(pixel),
            torch.zeros_like(at)[..., None, None],
            torch.ones_like(pixel, dtype=torch.bool),
        )
    return pixel.clamp(0, side - 1), (at - low)[..., None, None], (pixel >= 0) & (pixel < side)


def sample(maps: Tensor, xy: Tensor) -> Tensor:
    """Return the vectors (B, N, C) of maps (B, C, h, w) at pixels (B, N, 2), bilinearly; outside, the nearest
    pixel counts (docs/vggt.md, "Track head").
    """
    size = xy.new_tensor([max(maps.shape[-1] - 1, 1), max(maps.shape[-2] - 1, 1)])
    # Detached: positions are corrected by the transformer's steps, not by gradients of the image.
    at = (2 * xy.detach() / size - 1)[:, :, None]  # (B, N, 1, 2)
    return functional.grid_sample(maps, at, mode="bilinear", padding_mode="border", align_corners=True)[
        ..., 0
    ].mT


class TrackSelfBlock(nn.Module):
    """Self attention and an MLP. Attention is added to the normalised tokens, unlike in the other blocks of
    the network.
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = Mlp(dim, int(mlp_ratio * dim), dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens (B, N, C) one block later."""
        normal = self.norm1(x)
        y = normal + self.attn(normal, normal, normal, need_weights=False)[0]
        return y + self.mlp(self.norm2(y))


class TrackCrossBlock(nn.Module):
    """Attention to other tokens and an MLP, added likewise to the normalised tokens."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.norm_context = nn.LayerNorm(dim, eps=NORM_EPS)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.cross_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = Mlp(dim, int(mlp_ratio * dim), dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return the tokens (B, N, C) one block later; the context (B, M, C) is only read."""
        normal, context = self.norm1(x), self.norm_context(context)
        y = normal + self.cross_attn(normal, context, context, need_weights=False)[0]
        return y + self.mlp(self.norm2(y))


class UpdateTransformer(nn.Module):
    """From the tokens of all tracks to their updates. A few virtual tracks carry what the tracks of a frame
    have to tell each other.
    """

    def __init__(self, config: TrackerConfig) -> None:
        super().__init__()
        self.config = config
        dim, shape = config.hidden, (config.hidden, config.heads, config.mlp_ratio)
        self.input_norm = nn.LayerNorm(config.token, eps=NORM_EPS)
        self.input_transform = nn.Linear(config.token, dim)
        self.output_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.flow_head = nn.Linear(dim, config.latent + 2)
        self.time_blocks = nn.ModuleList(TrackSelfBlock(*shape) for _ in range(config.depth))
        if config.virtual_tracks:
            # The misspelt name is that of the published state dicts.
            self.virual_tracks = nn.Parameter(torch.zeros(1, config.virtual_tracks, 1, dim))
            self.space_virtual_blocks = nn.ModuleList(TrackSelfBlock(*shape) for _ in range(config.depth))
            self.space_point2virtual_blocks = nn.ModuleList(
                TrackCrossBlock(*shape) for _ in range(config.depth)
            )
            self.space_virtual2point_blocks = nn.ModuleList(
                TrackCrossBlock(*shape) for _ in range(config.depth)
            )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the updates (B, N, S, 2 + latent) of tokens (B, N, S, ·)."""
        start = self.input_transform(self.input_norm(tokens))
        num_scenes, num_tracks, num_frames, _ = start.shape
        x = start
        if self.config.virtual_tracks:
            x = torch.cat([x, self.virual_tracks.expand(num_scenes, -1, num_frames, -1)], dim=1)
        for stage, time_block in enumerate(self.time_blocks):
            x = time_block(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            if self.config.virtual_tracks:
                x = self._across_tracks(x, num_tracks, stage)
        return self.flow_head(self.output_norm(x[:, :num_tracks] + start))

    def _across_tracks(self, x: Tensor, num_tracks: int, stage: int) -> Tensor:
        """Return the tokens (B, N + virtual, S, C) after the exchange within every frame."""
        shape = x.shape[0], x.shape[2]
        points, virtual = (
            x.transpose(1, 2).flatten(0, 1).split([num_tracks, self.config.virtual_tracks], dim=1)
        )
        virtual = self.space_virtual2point_blocks[stage](virtual, points)
        virtual = self.space_virtual_blocks[stage](virtual)
        points = self.space_point2virtual_blocks[stage](points, virtual)
        return torch.cat([points, virtual], dim=1).unflatten(0, shape).transpose(1, 2)
