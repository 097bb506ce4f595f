"""What a pass of VGGT costs, before it is run (docs/vggt.md, "Memory and time")."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from masks.memory import free_memory
from pairs.networks.vggt.config import DenseHeadConfig, VggtConfig
from pairs.networks.vggt.network import Vggt

_FLOAT = 4
"""Bytes: the stream of tokens and all heads are float32, whatever the blocks compute in."""
_BLOCK = 18
"""Numbers a channel of every token while a block runs: itself, its norm, queries, keys and values (turned
ones too), and the wide layer."""
_HEAD = 3
"""Numbers a channel of the fused maps and pixel while a dense head runs."""
_FEATURES = 4
"""Copies of the tracking features while tracks are followed: as they are, normed, turned about, and the
pyramid."""
# The estimate may be a third too low, and fragments of freed memory cannot be used again.
_SPARE = 0.9
"""Of the free memory that a pass may take."""
_CPU_TFLOPS = 0.055
"""Measured on one core in float32: 36 s a photo of 518x392."""


@dataclass(frozen=True, slots=True)
class PassCost:
    """What a pass over some photos takes. Estimates: real figures are within a third."""

    weight_bytes: float
    block_bytes: float
    """A frame, while the aggregator runs."""
    read_bytes: float
    """A frame, while the heads read what the aggregator said."""
    head_bytes: float
    """Of one part of a dense head, however many frames there are."""
    flop_a_frame: float
    flop_a_pair: float
    """Of frames: every token looks at the tokens of all of them."""

    def gigabytes(self, frames: int) -> float:
        """Return the memory of a pass over so many frames."""
        return (
            self.weight_bytes + max(frames * self.block_bytes, self.head_bytes + frames * self.read_bytes)
        ) / 1e9

    def teraflop(self, frames: int) -> float:
        """Return the floating-point operations of a pass over so many frames, in 1e12."""
        return (frames * self.flop_a_frame + frames**2 * self.flop_a_pair) / 1e12

    def frames_within(self, free_bytes: float) -> int:
        """Return how many frames fit into free memory; 0 when not even one does."""
        left = _SPARE * free_bytes - self.weight_bytes
        return max(0, math.floor(min(left / self.block_bytes, (left - self.head_bytes) / self.read_bytes)))


def pass_cost(config: VggtConfig, size: tuple[int, int], frames_at_once: int) -> PassCost:
    """Return what a pass of a network costs over images of `size` (height, width), dense heads handling so
    many frames together.
    """
    aggregator, pixels = config.aggregator, size[0] * size[1]
    tokens = aggregator.first_patch + pixels // aggregator.patch_size**2
    heads = [
        head
        for head in (config.depth, config.points, config.track and config.track.features)
        if head is not None
    ]
    kept = len(config.layers) * tokens * 2 * aggregator.dim
    images = 6 * pixels  # as they come, and normalised
    results = sum(2 * (1 + head.output.channels) * pixels for head in heads if head.output is not None)
    features = _FEATURES * _feature_size(config.track.features, pixels) if config.track is not None else 0
    blocks = 2 * aggregator.depth + (aggregator.dino.depth if aggregator.dino is not None else 0)
    return PassCost(
        weight_bytes=_FLOAT * num_weights(config),
        block_bytes=_FLOAT * (kept + images + _BLOCK * tokens * aggregator.dim),
        read_bytes=_FLOAT * (kept + images + results + features),
        head_bytes=_FLOAT
        * frames_at_once
        * _HEAD
        * max((head.features for head in heads), default=0)
        * pixels,
        # 12 C^2 weights a block, two operations each: queries, keys, values and projection are 4 C^2, the MLP
        # 8 C^2.
        flop_a_frame=24.0 * aggregator.dim**2 * tokens * blocks,
        # Products with keys and with values, two operations each, in the global blocks only.
        flop_a_pair=4.0 * aggregator.dim * tokens**2 * aggregator.depth,
    )


def num_weights(config: VggtConfig) -> int:
    """Return how many numbers the weights of a network are, without taking memory for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Vggt(config).parameters())


def in_words(cost: PassCost, frames: int, device: torch.device) -> str:
    """Return what a pass takes, for people: memory, and on a CPU the time."""
    work = cost.teraflop(frames)
    minutes = work / _CPU_TFLOPS / 60
    time = f", {minutes:.0f} min of one core" if device.type == "cpu" and minutes >= 1 else ""
    return f"about {cost.gigabytes(frames):.1f} GB{time}"


def device_memory(device: torch.device) -> float | None:
    """Return the bytes that can still be taken on a device; none where nobody tells."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return float(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return free_memory()


def _feature_size(head: DenseHeadConfig, pixels: int) -> float:
    """Return how many numbers the features of a frame are."""
    return head.features * pixels / head.down_ratio**2
