"""Learning rate, optimiser and clipping of the published fine-tuning of VGGT
(docs/training.md, "Losses of VGGT").
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from masks.errors import UserError
from pairs.networks.vggt.dino import Dino
from pairs.networks.vggt.network import Vggt

_TOKEN_SPREAD = 1e-6
_DINO_SPREAD = 0.02
_STEP_SPREAD = 0.001
"""Standard deviation of the weights of the tracker's last layer: tracks begin by standing still."""


@dataclass(frozen=True, slots=True)
class FineTuning:
    """A straight rise, then half a cosine down, over the whole training. The aggregator is frozen in the
    published one.
    """

    rate: float = 5e-5
    """Highest learning rate."""
    least_rate: float = 1e-8
    """At the beginning and at the end."""
    warmup_share: float = 0.05
    """Of the training."""
    weight_decay: float = 0.05
    most_gradient: float = 1.0
    """Norm that the gradient of each part of the network is cut to."""
    epochs: int = 20
    batches_an_epoch: int = 800

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_share < 1:
            raise UserError(
                f"a warm-up of {self.warmup_share:.0%} leaves nothing of the training. Choose a share "
                "below 1."
            )


def learning_rate(training: FineTuning, done: float) -> float:
    """Return the rate when a share `done` of the training, 0 to 1, is over."""
    span = training.rate - training.least_rate
    if done < training.warmup_share:
        return training.least_rate + span * done / training.warmup_share
    down = min(1.0, (done - training.warmup_share) / (1 - training.warmup_share))
    return training.least_rate + span * (1 + math.cos(math.pi * down)) / 2


def make_optimizer(network: Vggt, training: FineTuning) -> torch.optim.AdamW:
    """Return the optimiser of all parameters that are trained. Its rate is to be set from `learning_rate`
    before every step.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, lr=training.rate, weight_decay=training.weight_decay)


def clip_parts(network: Vggt, training: FineTuning) -> dict[str, float]:
    """Cut the gradient of the aggregator and of each head, each by itself, and return their norms before."""
    norms = {}
    # Each by itself: a part whose gradient explodes must not silence the others.
    for name, part in network.named_children():
        trained = [parameter for parameter in part.parameters() if parameter.grad is not None]
        if trained:
            norms[name] = float(nn.utils.clip_grad_norm_(trained, training.most_gradient))
    return norms


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
