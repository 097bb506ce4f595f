"""A scene as a COLMAP model: in the lenses of the photos, or of the ideal pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from align.export.colmap import TrackedModel
from align.points import PointCloud, point_cloud
from align.scene import Scene
from masks.errors import UserError
from masks.lens import Lens, photo_from_ideal
from masks.pixelmap import to_source
from pairs.views.cameras import Cameras

HALF = 0.5
"""COLMAP's and nerfstudio's first pixel centre; ours is 0."""
# K of one camera, carried from the grids of several views, differs by rounding.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class WrittenCameras:
    """Cameras of pictures as they are written."""

    cameras: Cameras
    """One a view; K in pixels of the written pictures, centres at integers."""
    sizes: tuple[tuple[int, int], ...]
    lenses: tuple[Lens | None, ...]
    group: tuple[int, ...]
    """Which physical camera took each view: views of a group have one K, size and lens."""

    @property
    def firsts(self) -> tuple[int, ...]:
        """The first view of each group."""
        return tuple(self.group.index(number) for number in range(max(self.group) + 1))


def written_cameras(scene: Scene, undistorted: bool) -> WrittenCameras:
    """Return the cameras of the upright photos with their lenses, or of the ideal pictures."""
    cameras = scene.at_ideal() if undistorted else scene.at_original()
    maps = [view.pixel_map for view in scene.views]
    sizes = tuple(each.ideal_size if undistorted else each.upright_size for each in maps)
    lenses = (None,) * len(maps) if undistorted else scene.lenses
    for view, K in zip(scene.views, cameras.K):
        if abs(K[0, 1]) > _SAME * K[0, 0]:
            raise UserError(f"{view.name}: its K has a skew, which this format cannot say. Export cameras.")
    group: list[int] = []
    for k, view in enumerate(scene.views):
        same = (
            j
            for j in range(k)
            if scene.views[j].camera == view.camera
            and sizes[j] == sizes[k]
            and _lens_numbers(lenses[j]) == _lens_numbers(lenses[k])
            and np.allclose(cameras.K[j], cameras.K[k], rtol=_SAME, atol=_SAME * cameras.K[k, 0, 0])
        )
        first = next(same, None)
        group.append(max(group, default=-1) + 1 if first is None else group[first])
    firsts = [group.index(number) for number in group]
    K = cameras.K[firsts]
    return WrittenCameras(Cameras(K, cameras.cam_from_world), sizes, lenses, tuple(group))


def _lens_numbers(lens: Lens | None) -> tuple[object, ...]:
    """Return what tells lenses apart, without rounding of a focal's ratio."""
    return () if lens is None else (lens.model, *(f"{number:.9g}" for number in lens.coefficients))


def colmap_camera(K: np.ndarray, lens: Lens | None) -> tuple[str, tuple[float, ...]]:
    """Return COLMAP's name of a camera's model and its parameters.

    A model with one focal takes the mean of two that are equal to rounding; lenses of such models become
    OPENCV where they are not.
    """
    fx, fy, cx, cy = (float(n) for n in (K[0, 0], K[1, 1], K[0, 2] + HALF, K[1, 2] + HALF))
    if lens is None:
        return "PINHOLE", (fx, fy, cx, cy)
    if lens.model in ("SIMPLE_RADIAL", "RADIAL"):
        if abs(fx - fy) <= _SAME * fx:
            return lens.model, ((fx + fy) / 2, cx, cy, *lens.coefficients)
        return "OPENCV", (fx, fy, cx, cy, *lens.opencv[:4].tolist())
    return lens.model, (fx, fy, cx, cy, *lens.coefficients)


def scene_model(scene: Scene, undistorted: bool, cloud: PointCloud | None) -> tuple[TrackedModel, np.ndarray]:
    """Return the model and the colours (P, 3) uint8 of its points: the tracked ones, then those of a cloud,
    which nobody observes. Pixels are COLMAP's.
    """
    written = written_cameras(scene, undistorted)
    firsts = written.firsts
    lenses = [colmap_camera(written.cameras.K[k], written.lenses[k]) for k in firsts]
    points, colours = np.zeros((0, 3)), np.zeros((0, 3), np.uint8)
    image, point, xy = np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2))
    if (tracks := scene.tracks) is not None:
        points, colours = tracks.points, track_colours(scene)
        image, point = tracks.view.astype(int), tracks.point.astype(int)
        xy = observed_pixels(scene, undistorted) + HALF
    if cloud is not None:
        points, colours = np.concatenate([points, cloud.points]), np.concatenate([colours, cloud.colours])
    model = TrackedModel(
        camera=tuple(name for name, _ in lenses),
        params=tuple(np.array(params) for _, params in lenses),
        size=np.array([written.sizes[k] for k in firsts]),
        camera_of_image=np.array(written.group),
        cam_from_world=written.cameras.cam_from_world,
        points=points,
        image=image,
        point=point,
        xy=xy,
    )
    return model, colours


def observed_pixels(scene: Scene, undistorted: bool) -> np.ndarray:
    """Return where the tracked points were seen (O, 2), in pixels of the upright photos or the ideal
    pictures.
    """
    tracks = scene.tracks
    if tracks is None:
        return np.zeros((0, 2))
    found = np.empty_like(tracks.xy)
    for k, view in enumerate(scene.views):
        own = tracks.view == k
        found[own] = to_source(view.pixel_map.ideal(), tracks.xy[own])
        if not undistorted and view.pixel_map.undistortion is not None:
            found[own] = photo_from_ideal(view.pixel_map.undistortion, found[own])
    return found


def track_colours(scene: Scene) -> np.ndarray:
    """Return the mean colour (P, 3) uint8 of the pixels that show each tracked point."""
    tracks = scene.tracks
    if tracks is None:
        return np.zeros((0, 3), np.uint8)
    total = np.zeros((len(tracks.points), 3))
    for k, view in enumerate(scene.views):
        own = tracks.view == k
        h, w = view.mask.shape
        x, y = np.clip(np.rint(tracks.xy[own]), 0, (w - 1, h - 1)).astype(int).T
        # A view shows a point once at most.
        total[tracks.point[own]] += view.image[y, x]
    count = np.bincount(tracks.point, minlength=len(tracks.points))
    return np.rint(total / count[:, None]).astype(np.uint8)


def thinned_cloud(scene: Scene, min_conf: float, most: int) -> PointCloud:
    """Return at most so many points of the depth maps that are sure enough, spread evenly over all."""
    cloud = point_cloud(scene, min_conf)
    count = len(cloud.points)
    kept: Sequence[int] | np.ndarray = np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))
    return PointCloud(cloud.points[kept], cloud.colours[kept])
