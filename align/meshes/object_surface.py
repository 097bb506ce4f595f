"""The closed surface of a scene's object, from depth, confidence and silhouettes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from align.meshes.mesh import ObjectMesh
from align.meshes.options import MeshOptions
from align.scene import Scene
from masks.notice import Notice
from masks.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class ObjectSurface:
    """The surface as fused, and what is to be said about it."""

    mesh: ObjectMesh
    """As fine as the field: hundreds of thousands of faces."""
    voxel: float
    """Width of the field's cells, world units: the unit of tolerances."""
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """By name, ready for JSON."""


def object_surface(
    scene: Scene,
    masks: Sequence[np.ndarray] | None = None,
    options: MeshOptions | None = None,
    progress: Progress = silent,
) -> ObjectSurface:
    """Return the closed surface of a scene's object.

    `masks` (H, W) bool, one a view, lie on the ideal pictures of the photos or on the views' grids; the
    views' own
    are taken where none are given. A mask that is all object says that its view has none.
    """
    raise NotImplementedError
