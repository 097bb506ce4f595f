"""What the viewer shows: meshes of pointmaps and cameras as pyramids
(docs/sparse_alignment.md, "Cameras and meshes for viewers")."""

from __future__ import annotations

import numpy as np
import torch
from golden_case import Case
from torch import Tensor

from align.export.gltf.frustum import IMAGE_FACES, IMAGE_UV, frustum, scene_transform
from align.export.gltf.pointmap_mesh import PointmapMesh, join_meshes, mesh_from_pointmap

FAMILY = "sparse"


def viewer(case: Case) -> dict[str, Tensor]:
    arrays = {name: array.numpy() for name, array in case.inputs.items()}
    meshes = [
        mesh_from_pointmap(arrays[f"{i}/img"], arrays[f"{i}/pts3d"], arrays[f"{i}/mask"]) for i in range(2)
    ]
    joined = join_meshes(meshes)
    result = {"cat/vertices": joined.vertices, "scene_transform": scene_transform(arrays["cam2w_0"])}
    for name, mesh in (("0", meshes[0]), ("1", meshes[1]), ("cat", joined)):
        result |= _faces(name, mesh)
    for k in range(3):
        w, h, focal, camera_size = arrays[f"cam{k}/params"]
        drawn = frustum(k, arrays[f"cam{k}/cam2w"], (int(w), int(h)), focal, camera_size)
        result |= {
            f"cam{k}/image_vertices": drawn.corners[1:],
            f"cam{k}/image_faces": IMAGE_FACES,
            f"cam{k}/image_uv": IMAGE_UV,
            f"cam{k}/edge_vertices_minmax": np.stack(
                [drawn.edge_vertices.min(axis=0), drawn.edge_vertices.max(axis=0)]
            ),
            f"cam{k}/edge_color": drawn.colour,
        }
    return {name: torch.as_tensor(np.ascontiguousarray(array)) for name, array in result.items()}


def _faces(name: str, mesh: PointmapMesh) -> dict[str, np.ndarray]:
    return {f"{name}/faces": mesh.faces, f"{name}/face_colors": mesh.face_colours}


HANDLERS = {"viewer": viewer}
