"""What tells one pair network from another (docs/pair_networks.md, "Published networks")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HeadType = Literal["linear", "dpt", "catmlp+dpt"]
Mode = tuple[str, float, float]
"""Name of a function and its least and greatest value, as in ("exp", 1, inf)."""


@dataclass(frozen=True, slots=True)
class StackConfig:
    """A stack of transformer blocks."""

    dim: int
    """Channels of a token."""
    depth: int
    """Number of blocks."""
    heads: int
    """Attention heads; they share the channels evenly."""

    @property
    def head_dim(self) -> int:
        """Channels of one head."""
        return self.dim // self.heads


@dataclass(frozen=True, slots=True)
class DptWidths:
    """Channels inside a DPT head. The published ones are the defaults; no checkpoint states them, its tensors
    do.
    """

    layers: tuple[int, int, int, int] = (96, 192, 384, 768)
    """Of the four reassembled maps, finest first."""
    features: int = 256
    """Of all maps while they are fused."""
    last: int = 128
    """Before the last convolution."""


@dataclass(frozen=True, slots=True)
class OutputModes:
    """How raw head channels become points, confidences and descriptors
    (docs/pair_networks.md, "From raw channels to points").
    """

    depth: Mode = ("exp", float("-inf"), float("inf"))
    """Of the distance of a point: exp, square or linear, without bounds."""
    conf: Mode | None = ("exp", 1.0, float("inf"))
    """Of the points' confidence, exp or sigmoid; none for a network that gives no confidence."""
    desc_dim: int = 0
    """Channels of a descriptor; 0 for a network without descriptors."""
    desc_conf: Mode | None = None
    """Of the descriptors' own confidence; none where it is that of the points."""

    @property
    def geometry_channels(self) -> int:
        """Raw channels of points and their confidence."""
        return 3 + (self.conf is not None)

    @property
    def desc_channels(self) -> int:
        """Raw channels of descriptors and their confidence."""
        return self.desc_dim + (self.desc_conf is not None)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """All that is needed to build a pair network of the right shape."""

    kind: Literal["dust3r", "mast3r"]
    """Which paper."""
    encoder: StackConfig
    decoder: StackConfig
    """Each of the two decoder stacks."""
    head: HeadType
    outputs: OutputModes = OutputModes()
    dpt: DptWidths | None = None
    """Of networks with a DPT head."""
    image_size: tuple[int, int] = (224, 224)
    """(height, width) of the training images. Other sizes work: only the patch constrains them."""
    patch_size: int = 16
    """Side of a patch in pixels; both sides of an image are multiples of it."""
    mlp_ratio: float = 4.0
    """Hidden channels of a block's MLP over its channels."""
    norm_memory: bool = True
    """Whether decoder blocks normalise the other view's tokens."""
    rope_base: float = 100.0
    """Base of the rotary position embedding."""
    mixed_orientation: bool = False
    """Whether portrait images lie transposed in landscape batches, as in training; never in a loaded
    network."""
    landscape_outputs: bool = False
    """Whether output maps of portrait images are transposed likewise; never in a loaded network."""
