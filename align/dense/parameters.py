"""The unknowns of the dense aligner, in the published parametrisation
(docs/dense_alignment.md, "Parameters").
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class DenseParameters:
    """Of E directed pairs and V views."""

    pair_poses: Tensor
    """(E, 8): quaternion (x, y, z, w), signed logarithm of the translation, logarithm of the scale."""
    pair_adaptors: Tensor
    """(E, 2): slight stretch of a pair's points, along x and y together, and along z."""
    log_depth: tuple[Tensor, ...]
    """(H, W) a view."""
    poses: Tensor
    """(V, 7): world_from_cam as quaternion and signed logarithm of the translation."""
    log_focals: Tensor
    """(V, 1), or (V, 2) for fx and fy apart: `focal_break` times the logarithm of the focal."""
    principal_points: Tensor
    """(V, 2): a tenth of the distance from the middle (W / 2, H / 2), in pixels."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Which views keep what they start with, in the sense of known beforehand."""

    poses: frozenset[int] = frozenset()
    focals: frozenset[int] = frozenset()
    principal_points: frozenset[int] = frozenset()
    log_depth: frozenset[int] = frozenset()
