"""A scene for Blender as binary glTF: points, and a camera for every photo that one can look through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from align.export.gltf.document import Numbers, column_major, glb_bytes, primitive
from align.export.gltf.frustum import automatic_camera_size
from align.export.gltf.look_through import LOOK, LookThrough, look_through
from align.export.gltf.upright import Y_UP, upright_transform
from align.export.originals import Originals
from align.export.pictures import ideal_picture
from align.export.single_files import confident_points
from align.points import DEFAULT_MIN_CONF, PointCloud, finite_part
from align.scene import Scene
from masks.disk.whole_file import write_whole
from masks.errors import UserError
from masks.notice import Notice, info
from masks.pixelmap import fit_longest, image_to_target
from masks.progress import Progress

_JPEG_QUALITY = 90
_PLANE_TRIANGLES = np.array([[0], [1], [2], [0], [2], [3]], np.uint32)
_NEAR, _FAR = 0.01, 10.0  # clipping: of the photos' distance, of the scene's extent
_SAID_SHARE = 0.01  # of the photo's sides: less is not worth a notice


@dataclass(frozen=True, slots=True)
class BlenderFormat:
    """Points, cameras to look through, and photos on planes before them."""

    file: ClassVar[str | None] = "blender.glb"
    uses_photos: ClassVar[bool] = True
    min_conf: float = DEFAULT_MIN_CONF
    """Points with a lower confidence are left out."""
    photo_distance: float | None = None
    """Distance of the photos' planes from their cameras in scene units; none: planes half as high as the
    cameras are apart, and before the object."""
    frame: Literal["scene", "object"] = "scene"
    """The frame that the scene comes in. object: z is up, and becomes glTF's y; scene: upright by its
    cameras."""
    longest_photo: int = 1024
    """Longest side of the photos in the file, in pixels."""

    def __post_init__(self) -> None:
        if self.photo_distance is not None and not 0 < self.photo_distance < np.inf:
            raise UserError(f"`photo_distance={self.photo_distance:g}`: no distance. Give a positive number.")
        if self.longest_photo < 1:
            raise UserError(
                f"`longest_photo={self.longest_photo}`: no size. Give a positive number of pixels."
            )

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `blender.glb`."""
        cloud = finite_part(confident_points(scene, self.min_conf))
        found = scene.at_ideal()
        sizes = [view.pixel_map.ideal_size for view in scene.views]
        looks = [look_through(K, size, v.name) for K, size, v in zip(found.K, sizes, scene.views)]
        distance = self.photo_distance or _photo_distance(scene, looks)
        jpegs = []
        for k, view in enumerate(scene.views):
            progress("photos for Blender", k, len(scene.views))
            jpegs.append(_jpeg(ideal_picture(view, originals), self.longest_photo))
        progress("photos for Blender", len(scene.views), len(scene.views))
        write_whole(folder / "blender.glb", blender_glb(scene, cloud, looks, distance, jpegs, self.frame))
        return (*_cut_notice(scene, looks), *_source_notice(originals))


def blender_glb(
    scene: Scene,
    cloud: PointCloud,
    looks: Sequence[LookThrough],
    distance: float,
    jpegs: Sequence[bytes],
    frame: Literal["scene", "object"] = "scene",
) -> bytes:
    """Return the file: node `scene`, which puts the world upright; below it `object`, and for every photo a
    camera of its name with the photo's plane as its child.

    A plane lies at depth 1 and is scaled by its distance: at any scale it fills the camera's picture.
    """
    cameras = scene.cameras
    upright = Y_UP if frame == "object" else upright_transform(cameras, cloud.points)
    bounds = np.concatenate([cloud.points.min(0)[None], cloud.points.max(0)[None], cameras.centres])
    far = _FAR * (distance + float(np.linalg.norm(np.ptp(bounds, axis=0))))
    numbers = [
        Numbers(cloud.points.astype(np.float32), bounded=True),
        Numbers(_linear(cloud.colours), normalized=True),
        Numbers(_PLANE_TRIANGLES),
    ]
    meshes = [{"name": "object", "primitives": [primitive("POINTS", {"POSITION": 0, "COLOR_0": 1})]}]
    nodes: list[dict[str, Any]] = [
        {
            "name": "scene",
            "matrix": column_major(upright),
            "children": [1, *range(2, 2 + 2 * len(looks), 2)],
        },
        {"name": "object", "mesh": 0},
    ]
    stated = zip(scene.views, looks, scene.at_ideal().K, cameras.world_from_cam)
    for k, (view, look, K, world_from_cam) in enumerate(stated):
        place = len(numbers)
        numbers += [
            Numbers(look.corners.astype(np.float32), bounded=True),
            Numbers(look.uv.astype(np.float32)),
        ]
        plane = primitive("TRIANGLES", {"POSITION": place, "TEXCOORD_0": place + 1}, indices=2, material=k)
        meshes.append({"name": view.name, "primitives": [plane]})
        nodes += [
            {
                "name": view.name,
                "matrix": column_major(world_from_cam @ LOOK),
                "camera": k,
                "children": [3 + 2 * k],
                "extras": _intrinsics(K, view.pixel_map.ideal_size),
            },
            {"name": f"{view.name} plane", "mesh": 1 + k, "scale": [distance] * 3},
        ]
    document = {
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": nodes,
        "cameras": [_camera(v.name, look, (_NEAR * distance, far)) for v, look in zip(scene.views, looks)],
        "meshes": meshes,
        "materials": [_photo_material(view.name, k) for k, view in enumerate(scene.views)],
        "textures": [{"source": k, "sampler": 0} for k in range(len(looks))],
        # Clamped: the rim of a photo must not show the opposite one.
        "samplers": [{"wrapS": 33071, "wrapT": 33071}],
    }
    return glb_bytes(document, numbers, jpegs)


def _camera(name: str, look: LookThrough, clip: tuple[float, float]) -> dict[str, Any]:
    near, far = clip
    lens = {"yfov": look.yfov, "aspectRatio": look.aspect, "znear": near, "zfar": far}
    return {"name": name, "type": "perspective", "perspective": lens}


def _intrinsics(K: np.ndarray, size: tuple[int, int]) -> dict[str, float]:
    """Return what glTF's camera cannot say, in pixels of the undistorted photo, centres at integers."""
    values = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "width": size[0], "height": size[1]}
    return {name: float(value) for name, value in values.items()}


def _photo_material(name: str, texture: int) -> dict[str, Any]:
    # Unlit: a photo has its light already.
    surface = {"baseColorTexture": {"index": texture}, "metallicFactor": 0, "roughnessFactor": 1}
    return {
        "name": name,
        "pbrMetallicRoughness": surface,
        "doubleSided": True,
        "extensions": {"KHR_materials_unlit": {}},
    }


def _photo_distance(scene: Scene, looks: Sequence[LookThrough]) -> float:
    """Return a distance at which neighbouring planes do not meet, and which lies before the object."""
    heights = [2 * max(look.half_height, look.half_width) for look in looks]
    apart = 0.5 * automatic_camera_size(scene.cameras.centres) / float(np.median(heights))
    nearest = [float(np.median(view.depth[view.depth > 0])) for view in scene.views if (view.depth > 0).any()]
    return min(apart, 0.5 * min(nearest))


def _linear(colours: np.ndarray) -> np.ndarray:
    """Return sRGB colours (N, 3) uint8 as linear ones (N, 4) uint16, opaque: glTF's vertex colours are
    linear, and eight bits would merge the dark ones.
    """
    level = np.arange(256) / 255
    table = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    levels = np.full((len(colours), 4), 65535, np.uint16)
    levels[:, :3] = np.rint(65535 * table).astype(np.uint16)[colours]
    return levels


def _jpeg(picture: np.ndarray, longest: int) -> bytes:
    h, w = picture.shape[:2]
    shrunk = image_to_target(fit_longest((w, h), longest), picture)
    _, encoded = cv2.imencode(".jpg", shrunk[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _cut_notice(scene: Scene, looks: Sequence[LookThrough]) -> list[Notice]:
    lost = [1 - float(np.ptp(look.uv, axis=0).min()) for look in looks]
    worst = int(np.argmax(lost))
    if lost[worst] < _SAID_SHARE:
        return []
    return [
        info(
            "blender",
            "cameras of glTF look along the middle of their picture: a rim of the photos whose principal "
            f"point is elsewhere is not shown (at most {lost[worst]:.0%} of a side, in "
            f"{scene.views[worst].name}). Custom properties of the cameras hold fx, fy, cx, cy.",
        )
    ]


def _source_notice(originals: Originals) -> list[Notice]:
    if originals.photos:
        return []
    return [
        info(
            "blender",
            "the pictures are those of the scene's grids. Name the folder of the photos with `photos` for "
            "finer ones.",
        )
    ]
