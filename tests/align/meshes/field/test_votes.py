"""Which depths have a vote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from solid_scene import SIZE, K, box, everywhere, ring, solid_scene

from align.demo.shape import Shape
from align.meshes.field.votes import votes_of
from align.meshes.object_surface import object_surface
from align.meshes.options import MeshOptions

OPTIONS = MeshOptions()


def test_a_steep_plane_has_votes_and_an_occluding_edge_has_none() -> None:
    """A plane that falls by 6 footprints in three rows, and beyond column 44 lies 20 farther away."""
    scene = solid_scene(box(), everywhere(2)[:1])
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    unit = 5 / K[0, 0]
    depth = (5 + 3 * unit * (y - SIZE[1] / 2) + 20 * unit * (x > 44)).astype(np.float32)
    inside = (np.abs(x - 44) < 30) & (np.abs(y - 40) < 30)
    view = replace(scene.views[0], depth=depth, conf=np.full_like(depth, 6), mask=inside)
    (votes,) = votes_of(replace(scene, views=(view,)), [inside], OPTIONS, unit)
    usable = votes.depth[..., 1] > 0
    expected = (np.abs(x - 44) < 29) & (np.abs(y - 40) < 29) & (x != 44) & (x != 45)
    np.testing.assert_array_equal(usable[12:69], expected[12:69])


def plate(radius: float = 0.7, half: float = 0.03) -> Shape:
    def distance(p: np.ndarray) -> np.ndarray:
        beyond = np.stack([np.hypot(p[:, 0], p[:, 1]) - radius, np.abs(p[:, 2]) - half], -1)
        return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(1), 0)

    return Shape(distance, (-radius, -radius, -half), (radius, radius, half), 1.0)


def test_the_top_of_a_plate_is_flat_from_25_degrees_above_it() -> None:
    """The cones of its silhouettes meet 11 footprints above it."""
    shape = plate()
    found = object_surface(solid_scene(shape, ring(elevation_deg=25)))
    assert found.figures["genus"] == 0
    assert found.mesh.vertices[:, 2].max() < 0.03 + 1.5 * found.voxel
