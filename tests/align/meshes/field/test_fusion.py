"""The field of all votes, on blocks and on every node."""

from __future__ import annotations

import numpy as np
import pytest
from solid_scene import box, everywhere, ring, solid_scene, sphere, torus

from align.demo.shape import Shape
from align.meshes.field.base import close_base, covering, unseen_planes
from align.meshes.field.box import fine_grid, first_look
from align.meshes.field.fusion import fuse, said_at
from align.meshes.field.lattice import (
    DistanceField,
    block_middles,
    block_nodes,
    blocks_of,
    read_blocks,
    write_blocks,
)
from align.meshes.field.silhouettes import coarse_nodes, outside_all
from align.meshes.field.solid import solid_part
from align.meshes.field.votes import ViewVotes, footprint, votes_of
from align.meshes.options import MeshOptions
from align.scene import Scene
from masks.errors import ReconstructionError
from masks.progress import silent
from pairs.silhouettes.visual_hull import Lattice

OPTIONS = MeshOptions()


def all_votes(scene: Scene) -> tuple[ViewVotes, ...]:
    masks = [view.mask for view in scene.views]
    return tuple(votes_of(scene, masks, OPTIONS, footprint(scene, OPTIONS.min_conf)))


def fused(scene: Scene) -> tuple[tuple[ViewVotes, ...], DistanceField]:
    votes = all_votes(scene)
    first = first_look(votes)
    nodes = coarse_nodes(first)
    inside = nodes[:, outside_all(votes, first, nodes).max(0) <= 1].T
    grid = fine_grid(first, inside, footprint(scene, OPTIONS.min_conf), OPTIONS.most_nodes, None)
    return votes, fuse(votes, grid.lattice, OPTIONS, silent)


@pytest.fixture(scope="module")
def hollow() -> tuple[tuple[ViewVotes, ...], DistanceField]:
    return fused(solid_scene(torus(), everywhere()))


def test_blocks_leave_out_no_surface(hollow: tuple[tuple[ViewVotes, ...], DistanceField]) -> None:
    """The field of few blocks has the signs of the field of all nodes."""
    votes, field = hollow
    places = np.indices(field.lattice.shape, np.float32).reshape(3, -1).T
    plain = said_at(votes, field.lattice, places, OPTIONS).value.reshape(field.lattice.shape)
    assert len(field.blocks) < 0.6 * np.prod(blocks_of(field.lattice))
    np.testing.assert_array_equal(field.values < 0, plain < 0)
    np.testing.assert_array_equal(read_blocks(field.values, field.blocks), read_blocks(plain, field.blocks))


def test_the_field_is_the_distance(hollow: tuple[tuple[ViewVotes, ...], DistanceField]) -> None:
    _, field = hollow
    nodes = block_nodes(field.lattice, field.blocks).reshape(-1, 3) * field.lattice.spacing
    truth = torus().distance(nodes + field.lattice.origin) / field.lattice.spacing
    own = read_blocks(field.values, field.blocks).ravel()
    near = np.abs(truth) < 0.5
    assert np.median(np.abs(own - truth)[near]) < 0.15


def test_blocks_are_read_where_they_were_written() -> None:
    lattice = Lattice(np.zeros(3), 1.0, (8, 12, 4))
    values = np.zeros(lattice.shape, np.float32)
    every = np.arange(np.prod(blocks_of(lattice)))
    places = block_nodes(lattice, every)
    write_blocks(values, every, places @ np.array([1, 100, 10000], np.float32))
    x, y, z = np.indices(lattice.shape)
    np.testing.assert_array_equal(values, x + 100 * y + 10000 * z)
    np.testing.assert_array_equal(places.mean(1), block_middles(lattice, every))


def test_planes_close_only_what_no_camera_sees() -> None:
    scene = solid_scene(box(), ring())
    _, field = fused(scene)
    planes = unseen_planes(field, scene.cameras.centres)
    assert (planes.normals[:, 2] < -0.75).all()
    assert len(planes.normals) > 20
    closed = close_base(field, planes, OPTIONS.truncation)
    assert (closed.values < 0).sum() < (field.values < 0).sum()
    nodes = field.lattice.positions(np.arange(field.values.size))
    inside = (box().distance(nodes) < -2 * field.lattice.spacing).reshape(field.values.shape)
    np.testing.assert_array_equal(closed.values[inside], field.values[inside])


@pytest.mark.parametrize(("shape", "least", "most"), [(sphere(), 0.5, 8.0), (box(), 0.0, 0.2)])
def test_planes_move_out_where_silhouettes_reach_below_them(shape: Shape, least: float, most: float) -> None:
    """Near a ball's lower outline no depth is sure; a box is seen down to its foot."""
    scene = solid_scene(shape, ring(10))
    votes, field = fused(scene)
    planes = unseen_planes(field, scene.cameras.centres)
    moved = covering(planes, field, votes).offsets - planes.offsets
    assert np.ptp(moved) < 1e-3
    assert least <= moved[0] <= most


def test_what_is_seen_from_all_sides_needs_no_planes(
    hollow: tuple[tuple[ViewVotes, ...], DistanceField],
) -> None:
    _, field = hollow
    planes = unseen_planes(field, everywhere(40))
    assert len(planes.normals) == 0
    assert close_base(field, planes, OPTIONS.truncation) is field


def solid_of(*solids: tuple[slice, slice, slice], hole: tuple[slice, slice, slice]) -> DistanceField:
    values = np.full((24, 24, 24), 4, np.float32)
    for part in solids:
        values[part] = -1
    values[hole] = 2
    none = np.zeros((0, 64), np.float32)
    return DistanceField(Lattice(np.zeros(3), 1.0, values.shape), values, np.zeros(0, np.intp), none, none)


def test_crumbs_go_cavities_are_filled_and_the_rim_is_empty() -> None:
    large = (slice(0, 14), slice(4, 20), slice(4, 20))
    crumb = (slice(18, 20), slice(4, 6), slice(4, 6))
    hole = (slice(6, 9), slice(8, 10), slice(8, 10))
    field, parts = solid_part(solid_of(large, crumb, hole=hole), MeshOptions(parts="all"))
    assert parts == (1.0,)
    solid = field.values < 0
    assert solid[hole].all()
    assert not solid[crumb].any()
    assert not solid[0].any()
    assert solid.sum() == 13 * 16 * 16


def test_nothing_solid_is_told() -> None:
    with pytest.raises(ReconstructionError, match="nothing solid is left of 13824 places"):
        solid_part(solid_of(hole=(slice(0), slice(0), slice(0))), OPTIONS)


def test_the_lattice_fits_the_memory_and_says_so() -> None:
    first = Lattice(np.zeros(3), 0.1, (64, 64, 64))
    inside = np.argwhere(np.ones(first.shape, bool))
    plain = fine_grid(first, inside, 0.02, 1000, None)
    assert plain.lattice.spacing == 0.02
    assert not plain.notices
    small = fine_grid(first, inside, 0.02, 1000, 24.0 * np.prod(plain.lattice.shape) / 4)
    assert np.prod(small.lattice.shape) < 0.6 * np.prod(plain.lattice.shape)
    assert "GB are free" in small.notices[0].text
    few = fine_grid(first, inside, 0.02, 100, None)
    assert max(few.lattice.shape) <= 112
