"""Pictures of triangles show what rays through the pixels' centres meet."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from painted_sphere import SIZE, K, photo_of, pose_at, sphere_mesh

from align.meshes.mesh import ObjectMesh
from align.meshes.texture.raster import picture_of, rasterised


def test_a_sphere_is_seen_where_rays_meet_it() -> None:
    mesh, pose = sphere_mesh(4), pose_at(0.3)
    raster = picture_of(mesh, K, pose, SIZE)
    _, inside = photo_of(pose)
    assert (raster.covered != inside).sum() <= 0.03 * inside.sum()  # the chords of the silhouette
    face, weights = raster.face[raster.covered], raster.weights[raster.covered]
    points = np.einsum("nc,nci->ni", weights, mesh.vertices[mesh.faces[face]])
    in_cam = points @ pose[:3, :3].T + pose[:3, 3]
    xy = (in_cam @ K.T)[:, :2] / in_cam[:, 2:]
    rows, columns = np.nonzero(raster.covered)
    np.testing.assert_allclose(xy, np.stack([columns, rows], -1), atol=1e-3)
    np.testing.assert_allclose(in_cam[:, 2], raster.depth[raster.covered], rtol=1e-5)
    assert np.isinf(raster.depth[~raster.covered]).all()


def test_the_nearer_triangle_hides_the_farther() -> None:
    shape = np.array([[0.0, 0], [8, 0], [0, 8]])
    raster = rasterised(np.stack([shape, shape]), np.array([[0.5] * 3, [1.0] * 3]), (8, 8))
    assert set(np.unique(raster.face)) == {-1, 1}


def test_a_tilted_triangle_is_nearer_on_one_side_only() -> None:
    shape = np.array([[0.0, 0], [16, 0], [0, 16]])
    tilted = np.array([2.0, 0.5, 0.5])
    raster = rasterised(np.stack([shape, shape]), np.stack([np.ones(3), tilted]), (16, 16))
    assert raster.face[0, 0] == 1
    assert raster.face[0, 14] == 0


def test_backs_and_what_lies_behind_the_camera_are_not_seen() -> None:
    mesh, pose = sphere_mesh(), pose_at(0.0)
    inside_out = ObjectMesh(mesh.vertices, mesh.faces[:, ::-1])
    front = picture_of(mesh, K, pose, SIZE).depth
    back = picture_of(inside_out, K, pose, SIZE).depth
    middle = (SIZE[1] // 2, SIZE[0] // 2)
    assert back[middle] - front[middle] > 1.9
    away = np.diag([-1.0, 1, -1, 1]) @ pose
    assert not picture_of(mesh, K, away, SIZE).covered.any()


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_a_strip_of_triangles_has_no_holes(seed: int, count: int) -> None:
    """Neighbours leave no pixel between them, wherever their common edges run."""
    rng = np.random.default_rng(seed)
    upper = np.stack([np.linspace(-3, 43, count), rng.uniform(-2, 8, count)], -1)
    lower = np.stack([np.linspace(-3, 43, count), rng.uniform(20, 30, count)], -1)
    strip = []
    for k in range(count - 1):
        strip += [[upper[k], upper[k + 1], lower[k]], [upper[k + 1], lower[k + 1], lower[k]]]
    raster = rasterised(np.array(strip), np.ones((len(strip), 3)), (40, 30))
    assert raster.covered[8:20].all()
    np.testing.assert_allclose(raster.weights[raster.covered].sum(-1), 1, atol=1e-5)
