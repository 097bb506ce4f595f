"""VGGT: photos of one scene in, cameras, depth, points and tracks out (docs/vggt.md, "Notation")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from pairs.networks.vggt.aggregator import Aggregated, Aggregator
from pairs.networks.vggt.camera_head import CameraHead
from pairs.networks.vggt.config import VggtConfig
from pairs.networks.vggt.dense_head import DenseHead
from pairs.networks.vggt.tracker import TrackHead, Tracks

HeadModule = TypeVar("HeadModule", bound=nn.Module)

FRAMES_AT_ONCE = 8
"""Frames that a dense head handles together; it bounds memory and changes no result."""


@dataclass(frozen=True, slots=True)
class Dense:
    """Depth or points at every pixel, float32."""

    values: Tensor  # (B, S, H, W, channels): z depth in the own camera, or points in the camera of frame 0
    conf: Tensor  # (B, S, H, W), > 1 from the published network


@dataclass(frozen=True, slots=True)
class VggtOutput:
    """What VGGT says of a batch of scenes. The world is the camera frame of frame 0, in an unknown scale;
    parts of heads that are off are none.
    """

    encodings: tuple[Tensor, ...] | None  # (B, S, 9) each, one an iteration; the last is the answer
    depth: Dense | None
    points: Dense | None
    tracks: Tracks | None
    """Only when there were queries."""
    size: tuple[int, int]
    """(height, width) of the images in pixels."""


class Vggt(nn.Module):
    """The whole network. Module names are those of the published state dicts.

    The aggregator runs in `precision` (torch.float32, or autocast to torch.bfloat16 or torch.float16), the
    heads always in float32. In training mode the aggregator's activations are made again in the backward
    pass.
    """

    def __init__(self, config: VggtConfig, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config, self.precision = config, precision
        self.aggregator = Aggregator(config.aggregator)
        self.camera_head = None if config.camera is None else CameraHead(config.camera)
        self.point_head = None if config.points is None else DenseHead(config.points)
        self.depth_head = None if config.depth is None else DenseHead(config.depth)
        self.track_head = None if config.track is None else TrackHead(config.track)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.aggregator.camera_token.device

    def forward(self, images: Tensor, queries: Tensor | None = None) -> VggtOutput:
        """Predict a scene (S, 3, H, W) or a batch of scenes (B, S, 3, H, W), RGB in [0, 1], both sides
        multiples of the patch.

        Queries (N, 2) or (B, N, 2) are image pixels (x, y) of frame 0 to be followed. Raises `ImageError` for
        other sizes. One frame is a scene, too.
        """
        return self.read(self.aggregate(images[None] if images.ndim == 4 else images), queries)

    def read(self, aggregated: Aggregated, queries: Tensor | None = None) -> VggtOutput:
        """Run all heads on what the aggregator said; the tracker only when there are queries."""
        return VggtOutput(
            encodings=tuple(self.camera(aggregated)) if self.camera_head is not None else None,
            depth=self.depth(aggregated) if self.depth_head is not None else None,
            points=self.points(aggregated) if self.point_head is not None else None,
            tracks=self.track(aggregated, queries)
            if self.track_head is not None and queries is not None
            else None,
            size=aggregated.size,
        )

    def aggregate(self, images: Tensor) -> Aggregated:
        """Run the aggregator on images (B, S, 3, H, W) in [0, 1]; keep the layers that the heads read."""
        reduced = self.precision != torch.float32
        with torch.autocast(images.device.type, dtype=self.precision if reduced else None, enabled=reduced):
            return self.aggregator(images, self.config.layers)

    def camera(self, aggregated: Aggregated) -> list[Tensor]:
        """Return the pose encodings (B, S, 9) after every iteration (docs/vggt.md, "Camera head")."""
        head = _switched_on(self.camera_head, "camera")
        with self._exactly():
            return head(aggregated.camera.float())

    def depth(self, aggregated: Aggregated, frames_at_once: int = FRAMES_AT_ONCE) -> Dense:
        """Return the z depth (B, S, H, W, 1) of every pixel in its own camera."""
        head = _switched_on(self.depth_head, "depth")
        with self._exactly():
            return Dense(*head(aggregated, frames_at_once))

    def points(self, aggregated: Aggregated, frames_at_once: int = FRAMES_AT_ONCE) -> Dense:
        """Return the points (B, S, H, W, 3) in the camera of frame 0. Those made of depth and cameras are
        more accurate.
        """
        head = _switched_on(self.point_head, "points")
        with self._exactly():
            return Dense(*head(aggregated, frames_at_once))

    def track(self, aggregated: Aggregated, queries: Tensor, frames_at_once: int = FRAMES_AT_ONCE) -> Tracks:
        """Follow queries (N, 2) or (B, N, 2), image pixels of frame 0. To query another frame, put it first
        and aggregate again.
        """
        head, queries = _switched_on(self.track_head, "track"), queries.expand(len(aggregated.camera), -1, -1)
        with self._exactly():
            return head(aggregated, queries, frames_at_once)

    def _exactly(self) -> torch.autocast:
        """Return the context in which heads run: float32, whatever a caller has set."""
        return torch.autocast(self.device.type, enabled=False)


def _switched_on(head: HeadModule | None, name: str) -> HeadModule:
    if head is None:
        raise ValueError(
            f"this network was built without its {name} head: take one whose configuration has it"
        )
    return head
