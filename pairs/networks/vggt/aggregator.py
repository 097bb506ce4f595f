"""The aggregator: tokens of many frames that look at their own frame and at all frames in turn
(docs/vggt.md, "Aggregator").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pairs.networks.layers import PatchEmbed, RotaryEmbedding, rotation
from pairs.networks.vggt.blocks import Block, BlockConfig, token_positions
from pairs.networks.vggt.config import AggregatorConfig, Attention
from pairs.networks.vggt.dino import Dino, normalised


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What the heads read. Only the layers that were asked for are here: all of them would be six times the
    memory of those that are read.
    """

    layers: Mapping[
        int, Tensor
    ]  # (B, S, P, 2C) each: what the frame block says, then what the global block says
    camera: Tensor  # (B, S, 2C), the camera tokens of the last layer
    first_patch: int
    """Index of a frame's first patch token; the camera token and the registers stand before it."""
    size: tuple[int, int]
    """(height, width) of the images in pixels."""

    def __post_init__(self) -> None:
        for index, layer in self.layers.items():
            if layer.ndim != 4 or layer.shape[:2] != self.camera.shape[:2]:
                raise ValueError(
                    f"layer {index} of camera tokens {tuple(self.camera.shape)} is (B, S, P, 2C): got "
                    f"{tuple(layer.shape)}"
                )


class Aggregator(nn.Module):
    """Patch embedding, special tokens and alternating attention. Module names are those of the published
    state dicts.

    Work grows with the square of the number of frames in the global blocks; memory with the number of frames
    times that of the layers kept.
    """

    def __init__(self, config: AggregatorConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.patch_embed = PatchEmbed(config.patch_size, dim) if config.dino is None else Dino(config.dino)
        # Two sets of special tokens, for frame 0 and for all others: nothing else tells the reference frame
        # apart.
        self.camera_token = nn.Parameter(torch.zeros(1, 2, 1, dim))
        self.register_token = nn.Parameter(torch.zeros(1, 2, config.registers, dim))
        # All 48 blocks know positions by rotation only, and no frame has a number: the order of the frames
        # behind the first cannot matter.
        block = BlockConfig(
            dim, config.heads, config.mlp_ratio, qk_norm=config.qk_norm, layer_scale=config.layer_scale
        )
        self.frame_blocks = nn.ModuleList(Block(block) for _ in range(config.depth))
        self.global_blocks = nn.ModuleList(Block(block) for _ in range(config.depth))

    def forward(self, images: Tensor, keep: Collection[int] | None = None) -> Aggregated:
        """Aggregate images (B, S, 3, H, W) in [0, 1]; keep the layers of these numbers, or all of them.

        Raises `ImageError` when a side is not a multiple of the patch.
        """
        if images.ndim != 5 or images.shape[2] != 3 or 0 in images.shape[:2]:
            raise ValueError(f"images are (B, S, 3, H, W) with at least one frame: got {tuple(images.shape)}")
        num_scenes, num_frames, _, height, width = images.shape
        config = self.config
        kept = range(config.depth) if keep is None else keep
        x = self._tokens(images)  # (B S, P, C)
        turns = self._turns(
            (height // config.patch_size, width // config.patch_size), num_frames, images.device
        )
        layers: dict[int, Tensor] = {}
        camera = x.new_empty(0)
        for start in range(0, config.depth, config.consecutive):
            said: dict[Attention, list[Tensor]] = {}
            for kind in config.order:
                said[kind] = self._run(kind, x, start, turns[kind])
                x = said[kind][-1]
            for i in range(config.consecutive):
                # The frame half first, whatever the order of the blocks: heads were trained on it so.
                frame, whole = (
                    said[kind][i].unflatten(0, (num_scenes, num_frames)) for kind in ("frame", "global")
                )
                if start + i in kept:
                    layers[start + i] = torch.cat([frame, whole], dim=-1)
                if start + i == config.depth - 1:
                    camera = torch.cat([frame[:, :, 0], whole[:, :, 0]], dim=-1)
        return Aggregated(layers, camera, config.first_patch, (height, width))

    def _tokens(self, images: Tensor) -> Tensor:
        """Return the tokens (B S, P, C) of every frame: camera token, registers, patches."""
        num_scenes, num_frames = images.shape[:2]
        flat = normalised(images).flatten(0, 1)
        patches = (
            self.patch_embed(flat).patches
            if isinstance(self.patch_embed, Dino)
            else self.patch_embed(flat)[0]
        )
        which = torch.arange(num_frames, device=images.device).clamp(max=1)
        special = torch.cat([self.camera_token, self.register_token], dim=2)[0, which]  # (S, 1 + R, C)
        return torch.cat([special.repeat(num_scenes, 1, 1).to(patches.dtype), patches], dim=1)

    def _turns(
        self, grid: tuple[int, int], num_frames: int, device: torch.device
    ) -> dict[Attention, RotaryEmbedding]:
        """Return the rotary embedding of one frame and of all frames; every frame has the same positions."""
        positions = token_positions(grid, self.config.first_patch, device)
        head_dim = self.config.dim // self.config.heads
        each, whole = (
            rotation(at, head_dim, self.config.rope_base)
            for at in (positions, positions.repeat(1, num_frames, 1))
        )
        return {"frame": each, "global": whole}

    def _run(self, kind: Attention, x: Tensor, start: int, turn: RotaryEmbedding) -> list[Tensor]:
        """Return what each of the next blocks of a kind makes of tokens (B S, P, C)."""
        blocks = self.frame_blocks if kind == "frame" else self.global_blocks
        num_tokens = turn.cos.shape[1]
        shape, said = x.shape, []
        x = x.reshape(-1, num_tokens, shape[-1])
        for block in blocks[start : start + self.config.consecutive]:
            # Activations of 48 blocks would not fit beside those of the heads in training: they are made
            # again in the backward pass.
            x = (
                checkpoint(block, x, turn, use_reentrant=False)
                if self.training and torch.is_grad_enabled()
                else block(x, turn)
            )
            said.append(x.reshape(shape))
        return said
