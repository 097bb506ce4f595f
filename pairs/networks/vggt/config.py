"""What VGGT is built from (docs/vggt.md, "Notation"). The defaults are those of the published network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Attention = Literal["frame", "global"]
"""Which tokens see each other: those of one frame, or those of all frames of a scene."""
Head = Literal["camera", "depth", "points", "track"]


@dataclass(frozen=True, slots=True)
class DinoConfig:
    """A DINOv2 vision transformer with register tokens (docs/vggt.md, "Patch embedding")."""

    dim: int = 1024
    depth: int = 24
    heads: int = 16
    registers: int = 4
    # 518 / 14: the longest side of the training images in patches.
    stored_side: int = 37
    """Side of the square grid of patches that the stored position embedding is for."""
    patch_size: int = 14
    mlp_ratio: float = 4.0
    antialias: bool = True
    """Whether the position embedding is smoothed when its grid shrinks."""
    offset: float = 0.0
    """Added to both sides of the new grid to give a scale instead of a size; 0.1 in DINOv2's own code, 0 in
    VGGT."""


@dataclass(frozen=True, slots=True)
class AggregatorConfig:
    """The stack of blocks that alternate between the tokens of one frame and those of all
    (docs/vggt.md, "Aggregator").
    """

    dim: int = 1024
    depth: int = 24
    """Blocks of either kind."""
    heads: int = 16
    registers: int = 4
    patch_size: int = 14
    dino: DinoConfig | None = DinoConfig()
    """What turns patches into tokens; none for a single convolution."""
    order: tuple[Attention, Attention] = ("frame", "global")
    consecutive: int = 1
    """Blocks of one kind in a row."""
    qk_norm: bool = True
    rope_base: float = 100.0
    mlp_ratio: float = 4.0
    layer_scale: float = 0.01
    """Start value of the learned factors on what a block adds."""

    def __post_init__(self) -> None:
        if self.depth % self.consecutive:
            raise ValueError(
                f"{self.depth} blocks cannot be taken {self.consecutive} at a time: give a divisor"
            )
        if sorted(self.order) != ["frame", "global"]:
            raise ValueError(f"the two kinds of attention alternate: {self.order} does not hold each once")
        if self.dino is not None and (self.dino.dim, self.dino.patch_size) != (self.dim, self.patch_size):
            raise ValueError(
                f"patch tokens are not projected: {self.dino.dim} channels of patches of "
                f"{self.dino.patch_size} do not fit {self.dim}"
            )

    @property
    def first_patch(self) -> int:
        """Index of the first patch token of a frame: the camera token and the registers stand before it."""
        return 1 + self.registers


@dataclass(frozen=True, slots=True)
class CameraHeadConfig:
    """The refinement of one pose encoding a frame (docs/vggt.md, "Camera head")."""

    dim: int = 2048
    depth: int = 4
    heads: int = 16
    mlp_ratio: float = 4.0
    translation: str = "linear"
    """Activation of numbers 0 to 2 of the encoding."""
    quaternion: str = "linear"
    """Activation of numbers 3 to 6."""
    field_of_view: str = "relu"
    """Activation of numbers 7 and 8."""
    iterations: int = 4


@dataclass(frozen=True, slots=True)
class DenseOutput:
    """What a dense head predicts at every pixel (docs/vggt.md, "Dense heads")."""

    channels: int
    """Of the prediction, without its confidence."""
    activation: str
    conf: str = "expp1"


@dataclass(frozen=True, slots=True)
class DenseHeadConfig:
    """A DPT on four layers of the aggregator (docs/vggt.md, "Dense heads")."""

    output: DenseOutput | None
    """None for a head that gives features only."""
    dim: int = 2048
    # A layer is (S, P, 2C) numbers, 7 MB a frame of 518 x 336: keeping all 24 was most of the published
    # memory.
    layers: tuple[int, int, int, int] = (4, 11, 17, 23)
    """Entries of the aggregator that are read."""
    widths: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    """Channels of the four reassembled maps, finest first."""
    features: int = 256
    """Channels of all maps while they are fused."""
    positions: bool = True
    """Whether pixel positions are added to the maps."""
    down_ratio: int = 1
    """Image pixels a pixel of the result, on either axis."""
    patch_size: int = 14


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """The iterative tracker (docs/vggt.md, "Track head")."""

    stride: int = 2
    """Image pixels a feature pixel."""
    levels: int = 7
    """Of the correlation pyramid."""
    # 81 samples a level, 567 in all; on the coarsest level the window reaches 256 feature pixels to every
    # side.
    radius: int = 4
    """Of the window that is correlated on every level."""
    latent: int = 128
    """Channels of the features of an image and of a track."""
    hidden: int = 384
    depth: int = 6
    """Stages of attention along time and, after each, across tracks."""
    heads: int = 8
    # Attention among the N tracks of a frame would cost N^2; through these it costs 64 N.
    virtual_tracks: int = 64
    """Tracks that carry messages between the real ones; without any there is no attention across tracks."""
    flow_scale: float = 518.0
    """Divides the flow, in feature pixels, whatever the size of the image."""
    conf: bool = True
    """Whether a confidence is predicted beside the visibility."""
    mlp_ratio: float = 4.0

    @property
    def token(self) -> int:
        """Channels of what the update transformer reads."""
        return 3 * self.latent + 4


@dataclass(frozen=True, slots=True)
class TrackHeadConfig:
    """Features and the tracker (docs/vggt.md, "Track head")."""

    features: DenseHeadConfig = DenseHeadConfig(None, features=128, positions=False, down_ratio=2)
    """The re-tuned tracker (`model_tracker_fixed_e20.pt`) needs `positions`."""
    tracker: TrackerConfig = TrackerConfig()
    iterations: int = 4


@dataclass(frozen=True, slots=True)
class VggtConfig:
    """The whole network; a head that is none does not exist (docs/vggt.md, "Notation")."""

    aggregator: AggregatorConfig = AggregatorConfig()
    camera: CameraHeadConfig | None = CameraHeadConfig()
    depth: DenseHeadConfig | None = DenseHeadConfig(DenseOutput(1, "exp"))
    points: DenseHeadConfig | None = DenseHeadConfig(DenseOutput(3, "inv_log"))
    track: TrackHeadConfig | None = TrackHeadConfig()

    @property
    def layers(self) -> tuple[int, ...]:
        """Entries of the aggregator that some dense head reads."""
        heads = (self.depth, self.points, self.track and self.track.features)
        return tuple(sorted({layer for head in heads if head is not None for layer in head.layers}))


VGGT_1B = VggtConfig()
"""The published network."""
VGGT_TRACKER_FIXED = VggtConfig(
    track=TrackHeadConfig(features=DenseHeadConfig(None, features=128, positions=True, down_ratio=2))
)
"""The published network with the re-tuned track head (docs/vggt.md, "Track head")."""


def with_heads(config: VggtConfig, heads: frozenset[Head]) -> VggtConfig:
    """Return the configuration with no other heads than these."""
    kept = {
        name: getattr(config, name) if name in heads else None
        for name in ("camera", "depth", "points", "track")
    }
    return replace(config, **kept)
