"""Weights to begin a training of VGGT with, when none are given (VGGT's specification, chapter 16.5).

The published training starts from DINOv2's own weights in the patch embedding: load those afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from pairs.networks.vggt.dino import Dino
from pairs.networks.vggt.network import Vggt

_TOKEN_SPREAD = 1e-6
_DINO_SPREAD = 0.02
_STEP_SPREAD = 0.001
"""Standard deviation of the weights of the tracker's last layer: tracks begin by standing still."""


def initialise(network: Vggt, seed: int) -> None:
    """Draw all weights of a network anew, in place; norms and layer scales keep what they were built with."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                _default(module, generator)
            elif isinstance(module, nn.MultiheadAttention):
                nn.init.xavier_uniform_(module.in_proj_weight, generator=generator)
        _start_aggregator(network, generator)
        _start_tracker(network, generator)


def _default(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, generator: torch.Generator) -> None:
    """Draw a layer as torch would, from a generator of our own."""
    bound = 1 / math.sqrt(math.prod(layer.weight.shape[1:]))
    for values in (layer.weight, layer.bias):
        if values is not None:
            values.uniform_(-bound, bound, generator=generator)


def _start_aggregator(network: Vggt, generator: torch.Generator) -> None:
    aggregator = network.aggregator
    _normal((aggregator.camera_token, aggregator.register_token), _TOKEN_SPREAD, generator)
    dino = aggregator.patch_embed
    if not isinstance(dino, Dino):
        return
    for layer in dino.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=_DINO_SPREAD, generator=generator)
            layer.bias.zero_()
    nn.init.trunc_normal_(dino.pos_embed, std=_DINO_SPREAD, generator=generator)
    _normal((dino.cls_token, dino.register_tokens), _TOKEN_SPREAD, generator)


def _start_tracker(network: Vggt, generator: torch.Generator) -> None:
    if network.track_head is None:
        return
    tracker = network.track_head.tracker
    for layer in tracker.updateformer.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            layer.bias.zero_()
    nn.init.trunc_normal_(tracker.updateformer.flow_head.weight, std=_STEP_SPREAD, generator=generator)
    tokens = [tracker.query_ref_token]
    if tracker.config.virtual_tracks:
        tokens.append(tracker.updateformer.virual_tracks)
    _normal(tokens, 1.0, generator)


def _normal(tokens: Iterable[Tensor], spread: float, generator: torch.Generator) -> None:
    for token in tokens:
        token.normal_(0.0, spread, generator=generator)
