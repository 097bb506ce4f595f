"""What the dense aligner is given: directed pair predictions, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class DirectedPair:
    """What one run of a network says of a pair (i, j): points of both views in the frame of camera i.

    A confidence of exactly 0 says that the pixel is absent: off the object, or without a finite point. It
    then counts nowhere, and its point is 0. Networks' own confidences are above 0.
    """

    points_i: Tensor  # (H_i, W_i, 3)
    points_j: Tensor  # (H_j, W_j, 3)
    conf_i: Tensor  # (H_i, W_i)
    conf_j: Tensor  # (H_j, W_j)


@dataclass(frozen=True, slots=True)
class DenseProblem:
    """Views and directed pairs; entries of `pairs` belong to those of `edges`."""

    sizes: tuple[tuple[int, int], ...]
    """Height and width of every view."""
    edges: tuple[tuple[int, int], ...]
    """First and second view of every directed pair; both orders of a pair are two edges."""
    pairs: Sequence[DirectedPair]
    """May read from disk: whoever needs a pair twice asks twice. Half precision is allowed: users convert."""
    names: tuple[str, ...] = ()
    """Of the views, for messages; without them views go by their numbers."""

    @property
    def num_views(self) -> int:
        """How many views there are."""
        return len(self.sizes)

    def name(self, view: int) -> str:
        """Return what messages call a view."""
        return self.names[view] if self.names else f"view {view}"


def in_full(x: Tensor) -> Tensor:
    """Return half-precision values in single precision, others as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def view_confidences(problem: DenseProblem) -> list[Tensor]:
    """Return every view's confidence (H, W): each pixel's highest of all pairs, 0 where it is absent in
    all.
    """
    result = [torch.zeros(size) for size in problem.sizes]
    for (i, j), pair in zip(problem.edges, problem.pairs):
        for view, conf in ((i, pair.conf_i), (j, pair.conf_j)):
            result[view] = torch.maximum(result[view], conf)
    return result
