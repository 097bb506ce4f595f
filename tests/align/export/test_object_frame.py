"""Exports in the frame and the unit of the object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from cylinder_on_turntable import TILTED, turntable

from align.export.cameras_json import read_cameras
from align.export.export_scene import export_scene
from align.objects.placed import placed_scene
from align.objects.placement import Placement, place
from align.scene import TrackedPoints

ACROSS = "0.png@23.5,17.5-6.png@23.5,17.5=0.1"


@pytest.mark.parametrize("form", ["glb", "blender"])
def test_the_object_stands_on_the_ground_of_a_viewer(tmp_path: Path, form: str) -> None:
    scene = placed_scene(turntable(), TILTED, 3.0)
    scene, _ = place(scene, Placement(frame="object", length=ACROSS), {})
    export_scene(scene, tmp_path / "x.glb", form, frame="object")
    loaded = trimesh.load_scene(tmp_path / "x.glb")
    points = np.concatenate(
        [
            trimesh.transform_points(geometry.vertices, loaded.graph.get(name)[0])
            for name in loaded.graph.nodes_geometry
            if isinstance(geometry := loaded.geometry[loaded.graph.get(name)[1]], trimesh.PointCloud)
        ]
    )
    # glTF's y is up: a cylinder of diameter 0.1 as high as it is wide, on y = 0.
    np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 2]), 0.05, rtol=0.1)
    assert -0.01 < points[:, 1].min() < 0.002
    assert 0.09 < points[:, 1].max() < 0.11


def test_the_ground_is_z_for_everybody_else(tmp_path: Path) -> None:
    scene, _ = place(placed_scene(turntable(), TILTED), Placement(frame="object"), {})
    export_scene(scene, tmp_path, "cameras", frame="object")
    centres = [
        -camera.R_cam_from_world.T @ camera.t_cam_from_world
        for camera in read_cameras(tmp_path / "cameras.json")
    ]
    height = 0.5 + 4 * np.sin(np.deg2rad(20))
    np.testing.assert_allclose(np.array(centres)[:, 2], height, atol=0.06)


def test_points_of_tracks_move_with_their_scene() -> None:
    scene = turntable()
    tracks = TrackedPoints(
        np.array([[0.5, 0, 0.2]]), np.array([0, 1], np.int32), np.zeros(2, np.int32), np.zeros((2, 2))
    )
    moved = placed_scene(replace(scene, tracks=tracks), TILTED, 2.0)
    assert moved.tracks is not None
    np.testing.assert_allclose(moved.tracks.points[0], 2 * (TILTED[:3, :3] @ [0.5, 0, 0.2] + TILTED[:3, 3]))
