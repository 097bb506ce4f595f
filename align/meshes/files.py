"""Files of a mesh: GLB, OBJ with its texture beside it, and STL and PLY without seams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from align.export.gltf.document import Numbers, column_major, glb_bytes, primitive
from align.export.gltf.upright import Y_UP
from align.meshes.mesh import ObjectMesh, TexturedMesh
from align.meshes.surface import area_vectors, vertex_normals
from align.meshes.texture.picture import colours_at
from masks.disk.whole_file import write_whole
from masks.errors import UserError

_PNG_LEVEL = 6
"""Textures are PNG: a JPEG of quality 92 is a third as large, 0.4 instead of 1.3 MB at 1024 texels, and costs
pictures of small tiles some likeness (SSIM 0.896 instead of 0.918)."""
SUFFIXES = (".glb", ".obj", ".stl", ".ply")


def require_known(path: Path) -> None:
    """Raise `UserError` for a file whose name does not end like one of the formats."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: no format of meshes. Let its name end in {', '.join(SUFFIXES)}.")


def write_mesh(
    path: Path,
    mesh: ObjectMesh | TexturedMesh,
    *,
    upright: bool = False,
    scene_from_mesh: np.ndarray | None = None,
) -> tuple[Path, ...]:
    """Write a mesh in the format that the file's name asks for, and return the files: an OBJ with a texture
    has two more beside it.

    `upright` says that its z axis points up: in GLB and OBJ, whose readers expect so, that becomes y.
    `scene_from_mesh` (4, 4) carries the mesh into the world of its scene; a GLB remembers it.

    Raises `UserError` for another format, `OutputError` when the place cannot be written.
    """
    require_known(path)
    kind = path.suffix.lower()
    axes = Y_UP if upright and kind in (".glb", ".obj") else np.eye(4)
    mesh = _turned(mesh, axes)
    if kind == ".glb":
        back = None if scene_from_mesh is None else scene_from_mesh @ np.linalg.inv(axes)
        contents = {path: glb_of(mesh, back)}
    elif kind == ".obj":
        contents = _obj(path, mesh)
    else:
        contents = {path: stl_of(_closed(mesh)) if kind == ".stl" else ply_of(mesh)}
    for place, content in contents.items():
        write_whole(place, content)
    return tuple(contents)


def glb_of(mesh: ObjectMesh | TexturedMesh, scene_from_mesh: np.ndarray | None = None) -> bytes:
    """Return binary glTF with a node `object`. Vertices at seams of the texture come once for every chart:
    joined by their positions the mesh is closed.
    """
    closed, normals = _closed(mesh), vertex_normals(_closed(mesh))
    if isinstance(mesh, TexturedMesh):
        vertex, uv, faces = _split_at_seams(mesh)
        attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}
        numbers = [Numbers(uv)]
        pictures = [_png(mesh.texture)]
        surface = {"baseColorTexture": {"index": 0}}
        # Not repeated: the rim of the texture must not show the opposite one.
        more = {"textures": [{"source": 0, "sampler": 0}], "samplers": [{"wrapS": 33071, "wrapT": 33071}]}
    else:
        vertex, faces = np.arange(len(closed.vertices)), closed.faces
        attributes, numbers, pictures, surface, more = {"POSITION": 0, "NORMAL": 1}, [], [], {}, {}
    numbers = [
        Numbers(closed.vertices[vertex].astype(np.float32), bounded=True),
        Numbers(normals[vertex].astype(np.float32)),
        *numbers,
        Numbers(faces.astype(np.uint32).reshape(-1, 1)),
    ]
    drawn = primitive("TRIANGLES", attributes, indices=len(numbers) - 1, material=0)
    node = {"name": "object", "mesh": 0}
    if scene_from_mesh is not None:
        node["extras"] = {"scene_from_mesh": column_major(scene_from_mesh)}
    document = {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"name": "object", "primitives": [drawn]}],
        "materials": [
            {"name": "object", "pbrMetallicRoughness": surface | {"metallicFactor": 0, "roughnessFactor": 1}}
        ],
        **more,
    }
    return glb_bytes(document, numbers, pictures)


def stl_of(mesh: ObjectMesh) -> bytes:
    """Return binary STL."""
    corners = mesh.vertices[mesh.faces].astype("<f4")
    normals = area_vectors(corners)
    table = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("more", "<u2")])
    table["normal"] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    table["corners"] = corners
    return b"pointloom".ljust(80) + np.uint32(len(table)).tobytes() + table.tobytes()


def ply_of(mesh: ObjectMesh | TexturedMesh) -> bytes:
    """Return binary PLY; colours of the vertices are those of the texture."""
    closed = _closed(mesh)
    columns = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
    if isinstance(mesh, TexturedMesh):
        columns += [("red", "u1"), ("green", "u1"), ("blue", "u1")]
    vertices = np.zeros(len(closed.vertices), columns)
    for axis, name in enumerate("xyz"):
        vertices[name] = closed.vertices[:, axis]
    if isinstance(mesh, TexturedMesh):
        # Of the corners of a vertex any will do: they show the same place.
        colours = colours_at(mesh.texture, mesh.corner_uv.reshape(-1, 2))
        for channel, name in enumerate(("red", "green", "blue")):
            vertices[name][closed.faces.ravel()] = colours[:, channel]
    faces = np.zeros(len(closed.faces), [("count", "u1"), ("vertices", "<i4", 3)])
    faces["count"], faces["vertices"] = 3, closed.faces
    kinds = {"<f4": "float", "u1": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property {kinds[kind]} {name}" for name, kind in columns]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()


def _obj(path: Path, mesh: ObjectMesh | TexturedMesh) -> dict[Path, bytes]:
    closed = _closed(mesh)
    lines = [f"v {x:.7g} {y:.7g} {z:.7g}" for x, y, z in closed.vertices.tolist()]
    if isinstance(mesh, ObjectMesh):
        lines += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
        return {path: ("\n".join(["# pointloom", *lines]) + "\n").encode()}
    # Names in these files end at a blank, for some readers.
    stem = "_".join(path.stem.split())
    material, picture = path.with_name(f"{stem}.mtl"), path.with_name(f"{stem}.png")
    uv, number = np.unique(mesh.corner_uv.reshape(-1, 2), axis=0, return_inverse=True)
    # OBJ counts from the texture's lower edge.
    lines += [f"vt {u:.7g} {v:.7g}" for u, v in np.stack([uv[:, 0], 1 - uv[:, 1]], -1).tolist()]
    lines += ["usemtl object"]
    corners = np.stack([mesh.mesh.faces, number.reshape(-1, 3)], -1).reshape(-1, 6) + 1
    lines += ["f {}/{} {}/{} {}/{}".format(*face) for face in corners.tolist()]
    head = ["# pointloom", f"mtllib {material.name}", "o object"]
    told = ["newmtl object", "Kd 1 1 1", "Ks 0 0 0", "illum 1", f"map_Kd {picture.name}", ""]
    return {
        picture: _png(mesh.texture),
        material: "\n".join(told).encode(),
        path: ("\n".join([*head, *lines]) + "\n").encode(),
    }


def _split_at_seams(mesh: TexturedMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the vertex (W,) of each pair of a vertex and a place on the texture, that place (W, 2) float32,
    and the triangles (F, 3) of pairs.
    """
    pairs = np.empty(mesh.mesh.faces.size, [("vertex", "<i4"), ("u", "<f4"), ("v", "<f4")])
    pairs["vertex"] = mesh.mesh.faces.ravel()
    pairs["u"], pairs["v"] = mesh.corner_uv.reshape(-1, 2).T
    found, number = np.unique(pairs, return_inverse=True)
    uv = np.stack([found["u"], found["v"]], -1)
    return found["vertex"], uv, number.reshape(-1, 3)


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])[1].tobytes()


def _closed(mesh: ObjectMesh | TexturedMesh) -> ObjectMesh:
    return mesh.mesh if isinstance(mesh, TexturedMesh) else mesh


def _turned(mesh: ObjectMesh | TexturedMesh, axes: np.ndarray) -> ObjectMesh | TexturedMesh:
    if isinstance(mesh, TexturedMesh):
        turned = _turned(mesh.mesh, axes)
        return replace(mesh, mesh=turned) if isinstance(turned, ObjectMesh) else mesh
    return ObjectMesh(mesh.vertices @ axes[:3, :3].T, mesh.faces)
