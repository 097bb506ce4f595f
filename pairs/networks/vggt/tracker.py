"""The track head: where points of frame 0 are in the other frames (VGGT's specification, chapter 11). Tracks are (B, S, N, ·)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from masks.errors import ImageError
from pairs.networks.layers import Mlp
from pairs.networks.vggt.aggregator import Aggregated
from pairs.networks.vggt.blocks import NORM_EPS
from pairs.networks.vggt.config import TrackerConfig, TrackHeadConfig
from pairs.networks.vggt.correlation import correlation, pyramid, sample
from pairs.networks.vggt.dense_head import DenseHead
from pairs.networks.vggt.sines import flow_embedding, pixel_positions
from pairs.networks.vggt.update_transformer import UpdateTransformer


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
        track = sample(features[:, 0], start)[:, None].expand(-1, num_frames, -1, -1)  # (B, S, N, C)
        xy = start[:, None].expand(-1, num_frames, -1, -1)
        place = self._place(start, grid, num_frames)
        found = []
        for _ in range(iterations):
            # Each iteration answers for its own step only; the features of a track do carry gradient through all of them.
            xy = xy.detach()
            step, change = self._update(levels, track, xy, place)
            track = track + self.ffeat_updater(self.ffeat_norm(change.flatten(0, 2))).view_as(track)
            xy = torch.cat([start[:, None], (xy + step)[:, 1:]], dim=1)
            found.append(xy * self.config.stride)
        conf = self.conf_predictor(track)[..., 0] if self.config.conf else None
        return Tracks(tuple(found), self.vis_predictor(track)[..., 0], conf)

    def _place(self, start: Tensor, grid: tuple[int, int], num_frames: int) -> Tensor:
        """Return what is added to the tokens (B, N, S, ·): where a track starts, and whether the frame is the one of the queries."""
        where = pixel_positions(start, grid, self.config.token)[:, :, None]
        which = torch.arange(num_frames, device=start.device).clamp(max=1)
        return where + self.query_ref_token[:, which][:, None]

    def _update(self, levels: list[Tensor], track: Tensor, xy: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Return the steps (B, S, N, 2) in feature pixels and the changes (B, S, N, C) of the tracks' features."""
        shape, config = track.shape, self.config
        near = correlation(levels, track.flatten(0, 1), xy.flatten(0, 1), config.radius).unflatten(0, shape[:2])
        flow = xy - xy[:, :1]
        scaled = flow / config.flow_scale
        # The flow stands there twice: the weights were trained so.
        tokens = torch.cat([flow_embedding(flow, config.latent // 2), scaled, scaled, self.corr_mlp(near), track], dim=-1)
        update = self.updateformer(tokens.transpose(1, 2) + place).transpose(1, 2)  # (B, S, N, 2 + C)
        return update[..., :2], update[..., 2:]

    def _check_size(self, features: Tensor) -> None:
        least = 2 ** (self.config.levels - 1)
        if min(features.shape[-2:]) < least:
            h, w = (side * self.config.stride for side in features.shape[-2:])
            raise ImageError(
                f"image of {w}x{h} pixels (width x height): the tracker looks at {self.config.levels} sizes of it and needs at least "
                f"{least * self.config.stride} pixels a side. Use larger images, or the network without tracks."
            )


class TrackHead(nn.Module):
    """Features at half the image's resolution, and the tracker on them. Module names are those of the published state dicts."""

    def __init__(self, config: TrackHeadConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_extractor = DenseHead(config.features)
        self.tracker = Tracker(config.tracker)

    def forward(self, aggregated: Aggregated, queries: Tensor, frames_at_once: int = 8) -> Tracks:
        """Follow queries (B, N, 2), image pixels of frame 0, through all frames."""
        features = self.feature_extractor.features(aggregated, frames_at_once)
        return self.tracker(features, queries.to(features.dtype), self.config.iterations)
