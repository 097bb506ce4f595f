"""VGGT with a few hundred thousand weights, for the tests beside this file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pairs.networks.vggt.config import (
    AggregatorConfig,
    CameraHeadConfig,
    DenseHeadConfig,
    DenseOutput,
    DinoConfig,
    TrackerConfig,
    TrackHeadConfig,
    VggtConfig,
)
from pairs.networks.vggt.network import Vggt


def dense_config(output: DenseOutput | None, down_ratio: int = 1) -> DenseHeadConfig:
    """Return a small dense head on layers 0, 1, 1 and 2."""
    return DenseHeadConfig(
        output,
        dim=64,
        layers=(0, 1, 1, 2),
        widths=(8, 8, 8, 8),
        features=16,
        positions=output is not None,
        down_ratio=down_ratio,
    )


def small_config(dino: bool = True) -> VggtConfig:
    """Return the configuration of a small network with all heads, for images of whole patches of 14 pixels,
    tracks from 16 pixels on.
    """
    return VggtConfig(
        aggregator=AggregatorConfig(
            dim=32,
            depth=3,
            heads=2,
            dino=DinoConfig(dim=32, depth=1, heads=2, stored_side=3) if dino else None,
        ),
        camera=CameraHeadConfig(dim=64, depth=1, heads=2),
        depth=dense_config(DenseOutput(1, "exp")),
        points=dense_config(DenseOutput(3, "inv_log")),
        track=TrackHeadConfig(
            dense_config(None, down_ratio=2),
            TrackerConfig(levels=3, radius=2, latent=16, hidden=16, depth=1, heads=2),
        ),
    )


def small_vggt(
    seed: int = 0, config: VggtConfig | None = None, precision: torch.dtype = torch.float32
) -> Vggt:
    """Return a small network with random weights whose outputs are of ordinary size."""
    network = Vggt(config or small_config(), precision)
    generator = torch.Generator().manual_seed(seed)
    network.load_state_dict(
        {name: _random(name, tensor, generator) for name, tensor in network.state_dict().items()}
    )
    return network.eval().requires_grad_(False)


def _random(name: str, like: Tensor, generator: torch.Generator) -> Tensor:
    z = torch.randn(like.shape, generator=generator)
    if name.endswith("pose_branch.fc2.bias"):
        return torch.tensor(
            [0.0, 0, 0, 0, 0, 0, 0.25, 0.25, 0.25]
        )  # four iterations make a camera of 60 degrees that looks ahead
    if name.endswith("pose_branch.fc2.weight"):
        return 0.02 * z
    if like.ndim == 1:
        return 1 + 0.1 * z if name.endswith(("weight", "gamma")) else 0.05 * z
    return 0.3 * z if "token" in name else z / math.sqrt(math.prod(like.shape[1:]))


def random_scene(num_frames: int, size: tuple[int, int] = (42, 56), seed: int = 0) -> Tensor:
    """Return a batch of one scene (1, S, 3, H, W) in [0, 1]."""
    return torch.rand((1, num_frames, 3, *size), generator=torch.Generator().manual_seed(seed))


def write_pt(path: Path, network: Vggt, key: str | None = None) -> Path:
    """Write a checkpoint as published, or under a key as fine-tuning programs do."""
    state = network.state_dict()
    torch.save(state if key is None else {key: state, "epoch": 3}, path)
    return path


def write_config(config: VggtConfig, path: Path) -> None:
    """Write a configuration as it lies beside weights of another size than the published."""
    path.write_text(json.dumps(asdict(config), indent=1) + "\n")


def write_safetensors(path: Path, network: Vggt) -> Path:
    """Write a checkpoint in the other published form."""
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    return path
