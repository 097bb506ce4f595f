"""Where and how large an exported object is: the scene's own world, or the object's frame, and its unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from align.objects.frame import Up, object_frame
from align.objects.markers import parse_marker, scale_by_markers
from align.objects.placed import placed_scene
from align.objects.scale import parse_length, scale_by_camera_height, scale_by_length
from align.scene import Scene
from masks.errors import UserError
from masks.notice import Notice, info


@dataclass(frozen=True, slots=True)
class Placement:
    """How a scene is placed before it is written."""

    frame: Literal["scene", "object"] = "scene"
    """scene: its own world, as cameras that were given or a later run have it; object: z up, base at
    z = 0."""
    up: Up = "auto"
    """Which end of the axis is up."""
    length: str | None = None
    """PHOTO@X,Y-PHOTO@X,Y=LENGTH: two points of the object and how far they are apart."""
    marker: str | None = None
    """FAMILY:SIDE of printed markers that turn with the object, as in 36h11:0.05."""
    camera_height: float | None = None
    """Height of the lens above the object's base."""


def place(scene: Scene, placement: Placement, photos: Mapping[str, Path]) -> tuple[Scene, tuple[Notice, ...]]:
    """Return the scene where and as large as it shall be, and what is to be said about that.

    `photos` are files by the names of the views; only markers need them. Raises `UserError` for
    contradictions and what cannot be read, `ReconstructionError` where no marker tells a scale.
    """
    said = [name for name in ("length", "marker", "camera_height") if getattr(placement, name) is not None]
    if len(said) > 1:
        raise UserError(f"`{said[0]}` and `{said[1]}`: both state the scale. State one.")
    scale, notices = _scale(scene, placement, photos)
    if placement.frame == "scene":
        return placed_scene(scene, np.eye(4), scale), notices
    frame = object_frame(scene, placement.up)
    return placed_scene(scene, frame.object_from_world, scale), (frame.notice, *notices)


def _scale(
    scene: Scene, placement: Placement, photos: Mapping[str, Path]
) -> tuple[float, tuple[Notice, ...]]:
    if placement.length is not None:
        scale = scale_by_length(scene, parse_length(placement.length))
        return scale, (info("scale", f"one unit of the scene is {scale:.6g} of the length's."),)
    if placement.camera_height is not None:
        scale = scale_by_camera_height(scene, object_frame(scene, placement.up), placement.camera_height)
        return scale, (info("scale", f"one unit of the scene is {scale:.6g} of the height's."),)
    if placement.marker is not None:
        kind = parse_marker(placement.marker)
        if not photos:
            raise UserError(
                "`marker`: markers are looked for in the photos. Say where they are: `photos=DIR`."
            )
        return scale_by_markers(scene, photos, kind)
    return 1.0, ()
