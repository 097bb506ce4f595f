"""Fewer faces of closed meshes."""

from __future__ import annotations

import numpy as np
import pytest
from solid_scene import is_closed, torus

from align.meshes.field.lattice import DistanceField
from align.meshes.mesh import ObjectMesh
from align.meshes.simplification import as_manifold, cut_level, simplified, smoothed, without_crumbs
from align.meshes.surface import genus, surface, volume
from masks.errors import SolverError, UserError
from pairs.silhouettes.visual_hull import Lattice

VOXEL = 0.03


@pytest.fixture(scope="module")
def ring() -> ObjectMesh:
    """Return a torus with the noise of a fused field."""
    lattice = Lattice(np.array([-0.96, -0.96, -0.36]), VOXEL, (64, 64, 24))
    distance = torus().distance(lattice.positions(np.arange(64 * 64 * 24))) / VOXEL
    noise = np.random.default_rng(0).normal(0, 0.05, distance.shape)
    values = np.clip(distance + noise, -4, 4).astype(np.float32).reshape(lattice.shape)
    nothing = np.zeros((0, 64), np.float32)
    return surface(DistanceField(lattice, values, np.zeros(0, np.intp), nothing, nothing))


@pytest.mark.parametrize("num_faces", [4000, 1500])
def test_as_many_faces_as_asked_for_and_the_same_solid(ring: ObjectMesh, num_faces: int) -> None:
    found, notices = simplified(ring, num_faces, VOXEL)
    assert len(found.faces) == pytest.approx(num_faces, rel=0.05)
    assert not notices
    assert is_closed(found)
    assert genus(found, 1) == 1
    full = volume(ring.vertices, ring.faces)
    # Chords of few faces cut corners.
    assert volume(found.vertices, found.faces) == pytest.approx(full, rel=40 / num_faces)
    assert np.abs(torus().distance(found.vertices)).max() < 0.5 * VOXEL


def test_more_faces_than_there_are_are_said(ring: ObjectMesh) -> None:
    found, notices = simplified(ring, 10 * len(ring.faces), VOXEL)
    assert len(found.faces) == len(ring.faces)
    assert "no more than" in notices[0].text


def test_fewer_faces_than_the_tolerance_allows_are_said(ring: ObjectMesh) -> None:
    found, notices = simplified(ring, 12, VOXEL)
    assert len(found.faces) > 20
    assert "not 12" in notices[0].text
    assert is_closed(found)
    with pytest.raises(UserError, match="faces=3"):
        simplified(ring, 3, VOXEL)


def test_tunnels_are_counted_over_all_parts(ring: ObjectMesh) -> None:
    """Three rings side by side: the package's own count is 1, as three parts take two off."""
    places = [ring.vertices + np.array([4 * k, 0, 0]) for k in range(3)]
    faces = [ring.faces + k * len(ring.vertices) for k in range(3)]
    rings = ObjectMesh(np.concatenate(places), np.concatenate(faces))
    _, notices = simplified(rings, 12, VOXEL)
    assert "not 12: 3 tunnels go through it" in notices[0].text


def test_crumbs_do_not_stay_beside_the_solid(ring: ObjectMesh) -> None:
    crumb = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    of_crumb = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]) + len(ring.vertices)
    vertices = np.concatenate([ring.vertices / VOXEL, crumb])
    both = as_manifold(ObjectMesh(vertices, np.concatenate([ring.faces, of_crumb])))
    assert len(both.decompose()) == 2
    (kept,) = without_crumbs(both).decompose()
    assert kept.num_tri() == len(ring.faces)


def test_smoothing_takes_noise_and_leaves_the_solid(ring: ObjectMesh) -> None:
    before, after = (np.abs(torus().distance(mesh.vertices)) for mesh in (ring, smoothed(ring)))
    assert after.mean() < 0.8 * before.mean()
    full = volume(ring.vertices, ring.faces)
    assert volume(smoothed(ring).vertices, ring.faces) == pytest.approx(full, rel=0.005)


def test_a_level_cut_is_flat_and_closed(ring: ObjectMesh) -> None:
    """A frame whose z is the world's x, from -0.5 on."""
    frame = np.eye(4)[[1, 2, 0, 3]]
    frame[2, 3] = 0.5
    found = cut_level(ring, frame)
    height = found.vertices @ frame[2, :3] + frame[2, 3]
    assert height.min() == pytest.approx(0, abs=1e-12)
    assert np.sum(np.abs(height) < 1e-12) > 20
    assert is_closed(found)
    assert genus(found, 1) == 1
    frame[2, 3] = -2
    with pytest.raises(UserError, match="nothing of the object is above"):
        cut_level(ring, frame)


def test_an_open_mesh_is_refused(ring: ObjectMesh) -> None:
    with pytest.raises(SolverError, match="no closed manifold"):
        as_manifold(ObjectMesh(ring.vertices, ring.faces[1:]))
