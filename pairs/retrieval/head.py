"""From encoder tokens to a few local features an image, and one global one
(docs/pair_networks.md, "Retrieval head").
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

_LEAST_NORM = 1e-12
# Directions in which the training features never varied would be divided by zero.
_LEAST_VARIANCE = 1e-14


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """What a retrieval head is made of; the values of a published one stand in its file."""

    dim: int
    """Channels of an encoder token."""
    hidden_dims: tuple[int, ...] = ()
    """Channels after each layer of the projector; no projector when empty."""
    residual: bool = False
    """Whether the projector's input is added to its output."""
    prewhiten: bool = False
    postwhiten: bool = False
    num_features: float = 300
    """Local features an image; -0.5 for half of its tokens."""

    def __post_init__(self) -> None:
        if self.num_features < -1:
            raise ValueError(
                "num_features is a number of features, or minus a share of the tokens: got "
                f"{self.num_features}"
            )
        if self.residual and self.hidden_dims and self.hidden_dims[-1] != self.dim:
            raise ValueError(
                "a residual needs as many channels after the projector as before, not "
                f"{self.hidden_dims[-1]} and {self.dim}"
            )


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """The features of largest attention of each image, in descending order of it."""

    features: Tensor  # (B, F, D)
    attention: Tensor  # (B, F)
    index: Tensor  # (B, F) int64
    """Number of the token, row by row."""


class Whitener(nn.Module):
    """Moves and turns features so that those it was learned from have mean 0 and covariance 1. Works in
    float64.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(1, dim, dtype=torch.float64))
        self.p = nn.Parameter(torch.eye(dim, dtype=torch.float64))

    def forward(self, features: Tensor) -> Tensor:
        """Return features (..., C) whitened, in their own type."""
        # Float64, as published: directions of little variance are blown up, and with them the rounding of the
        # difference from the mean.
        return ((features.double() - self.m) @ self.p).to(features.dtype)


class RetrievalHead(nn.Module):
    """Whitening, projection, whitening. Module names are those of the published state dicts."""

    def __init__(self, options: HeadOptions) -> None:
        super().__init__()
        self.options = options
        widths = (options.dim, *options.hidden_dims)
        self.prewhiten = Whitener(options.dim) if options.prewhiten else nn.Identity()
        self.projector = projector(widths)
        self.postwhiten = Whitener(widths[-1]) if options.postwhiten else nn.Identity()

    @property
    def dim_features(self) -> int:
        """Channels of a feature."""
        return (self.options.dim, *self.options.hidden_dims)[-1]

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features (B, N, D) and attentions (B, N) of encoder tokens (B, N, C).

        The attention is the length of a feature before the last whitening, which would make all lengths
        alike.
        """
        whitened = self.prewhiten(tokens)
        projected = self.projector(whitened)
        if self.options.residual and self.options.hidden_dims:
            projected = projected + whitened
        return self.postwhiten(projected), projected.norm(dim=-1)


def projector(widths: tuple[int, ...]) -> nn.Sequential:
    """Return linear layers of these widths, all but the last followed by a LayerNorm and a GELU."""
    layers: list[nn.Module] = []
    for k, (before, after) in enumerate(pairwise(widths)):
        layers.append(nn.Linear(before, after))
        if k + 2 < len(widths):
            layers += [nn.LayerNorm(after), nn.GELU()]
    return nn.Sequential(*layers)


def local_features(head: RetrievalHead, tokens: Tensor) -> LocalFeatures:
    """Return the features of largest attention of tokens (B, N, C) of images of one size; of equal ones, the
    first token's come first.
    """
    features, attention = head(tokens)
    count = number_of_features(head.options.num_features, tokens.shape[1])
    # Stable: of equal attentions the first token counts, on every device.
    ordered, index = attention.sort(dim=1, descending=True, stable=True)
    index = index[:, :count]
    return LocalFeatures(
        features.gather(1, index[..., None].expand(-1, -1, features.shape[-1])), ordered[:, :count], index
    )


def number_of_features(wanted: float, num_tokens: int) -> int:
    """Return how many tokens are kept: the wanted number, or, when it is negative, that share of all."""
    return min(int(wanted), num_tokens) if wanted >= 0 else int(-wanted * num_tokens)


def global_feature(head: RetrievalHead, tokens: Tensor) -> Tensor:
    """Return one unit vector (B, D) an image: all its features, weighed by their attention.

    For parity with the published head; no command uses it: they compare local features.
    """
    features, attention = head(tokens)
    return nn.functional.normalize(torch.einsum("bn,bnd->bd", attention, features), dim=1, eps=_LEAST_NORM)


def learned_whitening(features: Tensor, shrinkage: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return mean (1, C) and projection (C, C), float64, that whiten features (N, C); columns go from large
    to small variance.

    A shrinkage of 0 only turns, 1 whitens. The signs of the projection's columns are arbitrary. For parity
    with the published training; no command uses it.
    """
    rows = features.double()
    mean = rows.mean(dim=0, keepdim=True)
    centred = rows - mean
    variance, axes = torch.linalg.eigh(
        centred.mT @ centred / len(rows)
    )  # ascending; only one triangle is read
    variance, axes = variance.flip(0).clamp(min=_LEAST_VARIANCE), axes.flip(1)
    return mean, axes * variance ** (-shrinkage / 2)
