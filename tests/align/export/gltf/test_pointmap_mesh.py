"""Meshes of pointmaps equal what a plain loop over the squares gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from align.export.gltf.pointmap_mesh import join_meshes, mesh_from_pointmap


def plain_faces(valid: np.ndarray) -> tuple[list[tuple[int, ...]], list[int]]:
    h, w = valid.shape
    lists: list[list[tuple[tuple[int, ...], int]]] = [[], [], [], []]
    for i in range(h - 1):
        for j in range(w - 1):
            a, b, c, d = i * w + j, i * w + j + 1, (i + 1) * w + j, (i + 1) * w + j + 1
            for kind, (face, owner) in enumerate(
                (((a, b, c), a), ((c, b, a), a), ((b, c, d), d), ((d, c, b), d))
            ):
                if all(valid.flat[v] for v in face):
                    lists[kind].append((face, owner))
    both = [item for kind in lists for item in kind]
    return [face for face, _ in both], [owner for _, owner in both]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 100))
def test_faces_equal_those_of_a_loop(h: int, w: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, points, valid = rng.uniform(size=(h, w, 3)), rng.normal(size=(h, w, 3)), rng.random((h, w)) < 0.8
    mesh = mesh_from_pointmap(image, points, valid)
    faces, owners = plain_faces(valid)
    np.testing.assert_array_equal(mesh.faces, np.array(faces, int).reshape(-1, 3))
    np.testing.assert_array_equal(mesh.face_colours, image.reshape(-1, 3)[owners])


def test_a_point_that_is_not_finite_has_no_face() -> None:
    points = np.zeros((3, 3, 3))
    points[1, 1, 2] = np.nan
    mesh = mesh_from_pointmap(np.zeros((3, 3, 3)), points, np.ones((3, 3), bool))
    assert not (mesh.faces == 4).any()
    assert len(mesh.faces) == 2 * 2


def test_joined_meshes_keep_their_own_vertices() -> None:
    rng = np.random.default_rng(0)
    meshes = [
        mesh_from_pointmap(rng.uniform(size=(3, w, 3)), rng.normal(size=(3, w, 3)), np.ones((3, w), bool))
        for w in (2, 4)
    ]
    joined = join_meshes(meshes)
    triangles = np.concatenate([mesh.vertices[mesh.faces] for mesh in meshes])
    np.testing.assert_array_equal(joined.vertices[joined.faces], triangles)
