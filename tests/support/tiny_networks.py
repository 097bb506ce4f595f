"""Pair networks of a few thousand weights, in memory and as checkpoints in both published layouts."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from pairs.networks.dust3r.config import DptWidths, HeadType, NetworkConfig, OutputModes, StackConfig
from pairs.networks.dust3r.network import PairNetwork

CLASS_NAMES = {"dust3r": "AsymmetricCroCo3DStereo", "mast3r": "AsymmetricMASt3R"}


def tiny_config(head: HeadType = "catmlp+dpt", desc_dim: int = 8, size: int = 64) -> NetworkConfig:
    """Return the configuration of a tiny network for images of that size: MASt3R with its own head, DUSt3R
    with the two others.
    """
    own = head == "catmlp+dpt"
    return NetworkConfig(
        kind="mast3r" if own else "dust3r",
        encoder=StackConfig(dim=16, depth=2, heads=2),
        decoder=StackConfig(dim=8, depth=4, heads=2),
        head=head,
        outputs=OutputModes(desc_dim=desc_dim, desc_conf=("exp", 0.0, math.inf)) if own else OutputModes(),
        dpt=None if head == "linear" else DptWidths((4, 6, 8, 12), 8, 6),
        image_size=(size, size),
    )


def tiny_network(head: HeadType = "catmlp+dpt", seed: int = 0, size: int = 64) -> PairNetwork:
    """Return a tiny network with random weights whose outputs are of ordinary size."""
    network = PairNetwork(tiny_config(head, size=size))
    generator = torch.Generator().manual_seed(seed)
    network.load_state_dict(
        {name: _random(name, tensor, generator) for name, tensor in network.state_dict().items()}
    )
    return network.eval().requires_grad_(False)


def _random(name: str, like: Tensor, generator: torch.Generator) -> Tensor:
    z = torch.randn(like.shape, generator=generator)
    if like.ndim == 1:
        return 1 + 0.1 * z if name.endswith("weight") else 0.05 * z
    return z / math.sqrt(math.prod(like.shape[1:]))


def constructor_arguments(config: NetworkConfig) -> dict[str, Any]:
    """Return the arguments that published files state for a configuration, in the form before loading."""
    outputs, described = config.outputs, config.kind == "mast3r"
    arguments = {
        "enc_embed_dim": config.encoder.dim,
        "enc_depth": config.encoder.depth,
        "enc_num_heads": config.encoder.heads,
        "dec_embed_dim": config.decoder.dim,
        "dec_depth": config.decoder.depth,
        "dec_num_heads": config.decoder.heads,
        "pos_embed": f"RoPE{config.rope_base:g}",
        "patch_embed_cls": "ManyAR_PatchEmbed",
        "img_size": config.image_size,
        "head_type": config.head,
        "output_mode": f"pts3d+desc{outputs.desc_dim}" if described else "pts3d",
        "depth_mode": outputs.depth,
        "conf_mode": outputs.conf,
    }
    return arguments | (
        {"two_confs": outputs.desc_conf is not None, "desc_conf_mode": outputs.desc_conf} if described else {}
    )


def model_string(config: NetworkConfig, **changed: Any) -> str:
    """Return the constructor string of a `.pth` file; `changed` replaces or adds arguments."""
    arguments = {**constructor_arguments(config), **changed}
    return (
        f"{CLASS_NAMES[config.kind]}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"
    )


def write_pth(
    path: Path, network: PairNetwork, state: dict[str, Tensor] | None = None, text: str | None = None
) -> Path:
    """Write a checkpoint as the papers' training programs do; `state` and `text` replace weights and
    constructor string.
    """
    args = argparse.Namespace(model=text or model_string(network.config), batch_size=4, resume=None)
    torch.save({"args": args, "model": state or network.state_dict(), "epoch": 3, "best_so_far": 0.5}, path)
    return path


def write_folder(folder: Path, network: PairNetwork) -> Path:
    """Write a checkpoint as the hub holds it: of tensors with two names, the one without the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(
        json.dumps({**constructor_arguments(network.config), "landscape_only": True, "freeze": "none"})
    )
    save_file(
        {name: tensor for name, tensor in network.state_dict().items() if ".layer_rn." not in name},
        folder / "model.safetensors",
    )
    return folder


def random_images(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Return images (B, 3, H, W) in [-1, 1]."""
    return torch.rand((count, 3, *size), generator=torch.Generator().manual_seed(seed)) * 2 - 1
