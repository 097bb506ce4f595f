"""What a training loss looks at: what the network said of pairs (a, b), and what is true of them
(docs/training.md, "Composition").

Everything is batched, B pairs at a time, and both views of a batch may have their own size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from masks.errors import UserError
from pairs.networks.dust3r.heads import HeadOutput

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class ViewTruth:
    """The true geometry of one view of each pair."""

    world_from_cam: Tensor  # (B, 4, 4), rigid
    points: Tensor  # (B, H, W, 3), in the world; whatever they are where not valid, they are not read
    valid: Tensor  # (B, H, W) bool
    sky: Tensor | None = None  # (B, H, W) bool
    """Pixels known to be infinitely far; those that are valid as well count as points."""

    def __post_init__(self) -> None:
        if self.points.shape != (*self.valid.shape, 3) or self.world_from_cam.shape != (
            len(self.valid),
            4,
            4,
        ):
            shapes = (
                f"{tuple(self.points.shape)}, {tuple(self.valid.shape)} and "
                f"{tuple(self.world_from_cam.shape)}"
            )
            raise ValueError(
                f"points (B, H, W, 3), valid (B, H, W) and world_from_cam (B, 4, 4) do not fit: {shapes}"
            )


@dataclass(frozen=True, slots=True)
class PairTruth:
    """The true geometry of both views of each pair."""

    a: ViewTruth
    b: ViewTruth
    metric: Tensor | None = None  # (B,) bool
    """Samples whose world is in metres."""


@dataclass(frozen=True, slots=True)
class Correspondences:
    """Pixels of a and b by number; those that do not match serve as negatives."""

    xy_a: Tensor  # (B, N, 2) int
    xy_b: Tensor  # (B, N, 2) int
    matched: Tensor  # (B, N) bool

    def __post_init__(self) -> None:
        if self.xy_a.shape != (*self.matched.shape, 2) or self.xy_b.shape != self.xy_a.shape:
            shapes = f"{tuple(self.xy_a.shape)}, {tuple(self.xy_b.shape)} and {tuple(self.matched.shape)}"
            raise ValueError(f"correspondences need xy (B, N, 2) twice and matched (B, N): got {shapes}")


@dataclass(frozen=True, slots=True)
class PairBatch:
    """A batch of pairs (a, b)."""

    a: HeadOutput
    b: HeadOutput
    truth: PairTruth | None = None
    correspondences: Correspondences | None = None


def required(part: Part | None, name: str, asker: str) -> Part:
    """Return a part of a batch. Raises `UserError` saying which loss misses which part."""
    if part is None:
        raise UserError(
            f"{asker} needs {name}, but the batch has none. Use a network and a data set that give them, "
            "or another loss."
        )
    return part
