"""The silhouettes of a scene, with the cameras that saw them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align.scene import Scene
from pairs.rings.outline import Outline, outline_of
from pairs.views.cameras import Cameras, some_cameras


@dataclass(frozen=True, slots=True)
class Outlined:
    """The views whose masks show an outline."""

    index: np.ndarray  # (n,) into the scene's views
    cameras: Cameras
    outlines: tuple[Outline, ...]


def outlined(scene: Scene) -> Outlined:
    """Return the silhouettes of all views that have one, on their grids; a mask that is all true is none."""
    found = {k: outline_of(view.mask) for k, view in enumerate(scene.views) if not view.mask.all()}
    shown = {k: outline for k, outline in found.items() if outline is not None}
    index = np.array(list(shown), int)
    return Outlined(index, some_cameras(scene.cameras, index), tuple(shown.values()))
