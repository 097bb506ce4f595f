"""What the mesh of an object depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from align.points import DEFAULT_MIN_CONF


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """Constants of the fused field and its surface.

    A voxel is the cell of the field, and as wide as a footprint: what one pixel of a depth map sees at the
    object. The measured figures are of rendered turntables with a known surface.
    """

    parts: Literal["largest", "all"] = "largest"
    """Of a surface in several parts: the largest one, or all down to 2 % of it."""
    min_conf: float = DEFAULT_MIN_CONF
    """Confidence from which a depth has a vote."""
    most_nodes: int = 420
    """Nodes along the longest side at most; the voxel grows where a footprint would need more."""
    truncation: float = 4.0
    """Distance in voxels beyond which a depth says no more than empty. 6 were worse throughout."""
    behind: float = 3.0
    """Voxels behind a surface from where its view has no vote: thin parts keep both their sides."""
    prior: float = 0.3
    """Votes for solid where no view votes, and the fewer the more do: what no view sees is solid. 5 votes
    ruin the surface: 12.9 instead of 4.1 thousandths off at 95 %."""
    smoothing: float = 0.7
    """Standard deviation in voxels of the Gaussian over the finished field."""
    most_holes: int = 100
    """Tunnels through the surface from which on it is noise, and is fused again with voxels of 1.5
    footprints."""
