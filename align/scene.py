"""The result: cameras, depth, colours and the report, in memory and as a folder.

A scene folder holds `scene.json` (format version, views, cameras, graph, report) and `views.safetensors` (per
view k: `depth/k`, `conf/k`, `image/k`, `mask/k` on the view's grid; and `tracks/...`, where there are any).
`scene.json` is written last, so a folder that has one is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from masks.lens import Lens
from masks.notice import Level, Notice
from masks.pixelmap import PixelMap, intrinsics_to_source
from pairs.prediction.from_group import pointmap
from pairs.views.cameras import Cameras


@dataclass(frozen=True, slots=True)
class SceneView:
    """One placed view. Arrays lie on its grid (H, W)."""

    name: str
    camera: str
    """Id of the physical camera."""
    pixel_map: PixelMap
    """Grid pixels from the pixels of the stored file."""
    depth: np.ndarray  # (H, W) float32, z in the camera; 0 where nothing is known
    conf: np.ndarray  # (H, W) float32; 0 = not to be used
    image: np.ndarray  # (H, W, 3) uint8
    mask: np.ndarray  # (H, W) bool, True = object

    def __post_init__(self) -> None:
        w, h = self.pixel_map.target_size
        shapes = (self.depth.shape, self.conf.shape, self.mask.shape, self.image.shape[:2])
        if any(shape != (h, w) for shape in shapes):
            raise ValueError(f"{self.name}: arrays of a view on a {w}x{h} grid have the shapes {shapes}")


@dataclass(frozen=True, slots=True)
class TrackedPoints:
    """Scene points with the pixels that show them: P points, O observations, two a point at least."""

    points: np.ndarray  # (P, 3) float64, world
    view: np.ndarray  # (O,) int32, index into the scene's views; ascending
    point: np.ndarray  # (O,) int32, index into `points`; ascending within a view
    xy: np.ndarray  # (O, 2) float64, pixels of the view's grid

    def __post_init__(self) -> None:
        count = len(self.view)
        if (
            self.points.shape != (len(self.points), 3)
            or self.point.shape != (count,)
            or self.xy.shape != (count, 2)
        ):
            raise ValueError("tracked points need points (P, 3), view (O,), point (O,) and xy (O, 2)")


@dataclass(frozen=True, slots=True)
class Report:
    """What is known about how the scene came about."""

    notices: tuple[Notice, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Numbers of the solver by name, ready for JSON."""


@dataclass(frozen=True, slots=True, repr=False)
class Scene:
    """Cameras and depth of all placed views in one world and one scale."""

    views: tuple[SceneView, ...]
    cameras: Cameras
    """K in grid pixels."""
    inputs: tuple[str, ...]
    """Names of all views that were given, placed or not."""
    edges: tuple[tuple[int, int], ...]
    """Pairs that were aligned, as indices into `views`."""
    report: Report
    tracks: TrackedPoints | None = None
    """What several views were seen to show; none where nothing was matched."""

    def __post_init__(self) -> None:
        if len(self.views) != len(self.cameras.K):
            raise ValueError(f"{len(self.views)} views and {len(self.cameras.K)} cameras")
        for name, array in (("K", self.cameras.K), ("cam_from_world", self.cameras.cam_from_world)):
            if not np.isfinite(array).all():
                raise ValueError(f"a scene's {name} must be finite")

    def __repr__(self) -> str:
        """Return what a notebook should show: not the arrays."""
        sizes = sorted({view.pixel_map.target_size for view in self.views})
        grids = " and ".join(f"{w}x{h}" for w, h in sizes)
        doubts = sum(notice.level is not Level.INFO for notice in self.report.notices)
        return (
            f"Scene({len(self.views)} of {len(self.inputs)} views placed, depth {grids}, "
            f"{len(self.edges)} pairs aligned, {doubts} warnings in its report)"
        )

    def at_original(self) -> Cameras:
        """Return the cameras in pixels of the upright photos at full resolution; lenses are `lenses`."""
        K = self.at_ideal().K
        for k, view in enumerate(self.views):
            if (frame := view.pixel_map.undistortion) is not None:
                K[k, :2, 2] -= frame.offset
        return Cameras(K, self.cameras.cam_from_world)

    def at_ideal(self) -> Cameras:
        """Return the cameras in pixels of the ideal pinhole pictures at full resolution: the upright photos,
        where
        no lens is known.
        """
        K = [intrinsics_to_source(view.pixel_map.ideal(), K) for view, K in zip(self.views, self.cameras.K)]
        return Cameras(np.stack(K), self.cameras.cam_from_world)

    @property
    def lenses(self) -> tuple[Lens | None, ...]:
        """Lens of every upright photo, for the K of `at_original`.

        The distortion of pixels is that of the pixel map, whatever became of the focal since; its normalised
        coordinates are those of the focal that it is stated with.
        """
        lenses: list[Lens | None] = []
        for view, K in zip(self.views, self.at_ideal().K):
            frame = view.pixel_map.undistortion
            lenses.append(None if frame is None else frame.lens.at_focal(K[0, 0] / frame.K_photo[0][0]))
        return tuple(lenses)


def points_of_view(scene: Scene, index: int) -> np.ndarray:
    """Return the world points (H, W, 3) float32 of every pixel of a view's grid."""
    return pointmap(scene.views[index].depth, scene.cameras.K[index], scene.cameras.world_from_cam[index])
