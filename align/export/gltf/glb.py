"""GLB: the scene as one file that every 3D viewer and browser opens, points or mesh with the cameras drawn
(docs/sparse_alignment.md, "Cameras and meshes for viewers").

Geometry is stored in world coordinates; one transform above it puts camera 0 at the origin in OpenGL axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from align.export.gltf.frustum import IMAGE_FACES, IMAGE_UV, DrawnCameras, Frustum, frusta, scene_transform
from align.export.gltf.pointmap_mesh import PointmapMesh
from align.points import PointCloud, finite_part
from masks.disk.whole_file import write_whole
from pairs.views.cameras import Cameras

_LONGEST_THUMBNAIL = 256


def write_glb(
    path: Path,
    geometry: PointCloud | PointmapMesh | trimesh.Trimesh,
    cameras: Cameras,
    images: Sequence[np.ndarray],
    viewer_from_world: np.ndarray | None = None,
) -> None:
    """Write geometry and cameras; `images` (H, W, 3) uint8 are the views' own, on the grids that the K belong
    to. `viewer_from_world` (4, 4) puts the scene into glTF's axes; none: the first camera looks along -z.

    Points that are not finite are left out. Raises `OutputError` when the place cannot be written.
    """
    drawn = DrawnCameras(cameras, tuple((image.shape[1], image.shape[0]) for image in images))
    write_whole(path, bytes(glb_scene(geometry, drawn, images, viewer_from_world).export(file_type="glb")))


def glb_scene(
    geometry: PointCloud | PointmapMesh | trimesh.Trimesh,
    drawn: DrawnCameras,
    images: Sequence[np.ndarray] | None = None,
    viewer_from_world: np.ndarray | None = None,
) -> trimesh.Scene:
    """Return the scene: node `object`, then `camera_k` and, with images, `photo_k` for each camera, under the
    viewer's transform.
    """
    scene = trimesh.Scene()
    scene.add_geometry(_drawable(geometry), node_name="object", geom_name="object")
    for k, shape in enumerate(frusta(drawn)):
        scene.add_geometry(_edge_mesh(shape), node_name=f"camera_{k}", geom_name=f"camera_{k}")
        if images is not None:
            scene.add_geometry(_photo_mesh(shape, images[k]), node_name=f"photo_{k}", geom_name=f"photo_{k}")
    if viewer_from_world is not None:
        scene.apply_transform(viewer_from_world)
    elif len(drawn.sizes):
        scene.apply_transform(scene_transform(drawn.cameras.world_from_cam[0]))
    return scene


def _drawable(geometry: PointCloud | PointmapMesh | trimesh.Trimesh) -> trimesh.PointCloud | trimesh.Trimesh:
    if isinstance(geometry, PointCloud):
        cloud = finite_part(geometry)
        return trimesh.PointCloud(cloud.points, colors=_opaque(cloud.colours))
    if isinstance(geometry, PointmapMesh):
        colours = geometry.face_colours
        levels = (
            colours if colours.dtype == np.uint8 else np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)
        )
        return trimesh.Trimesh(geometry.vertices, geometry.faces, face_colors=_opaque(levels), process=False)
    return geometry


def _edge_mesh(shape: Frustum) -> trimesh.Trimesh:
    colours = np.tile(_opaque(shape.colour[None]), (len(shape.edge_faces), 1))
    return trimesh.Trimesh(shape.edge_vertices, shape.edge_faces, face_colors=colours, process=False)


def _photo_mesh(shape: Frustum, image: np.ndarray) -> trimesh.Trimesh:
    thumbnail = Image.fromarray(image)
    thumbnail.thumbnail((_LONGEST_THUMBNAIL, _LONGEST_THUMBNAIL))
    material = PBRMaterial(baseColorTexture=thumbnail, metallicFactor=0.0, roughnessFactor=1.0)
    return trimesh.Trimesh(
        shape.corners[1:], IMAGE_FACES, visual=TextureVisuals(uv=IMAGE_UV, material=material), process=False
    )


def _opaque(colours: np.ndarray) -> np.ndarray:
    return np.concatenate([colours, np.full((len(colours), 1), 255, np.uint8)], axis=1)
