"""Views that the others outvote have no say in the surface."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from solid_scene import everywhere, ring, solid_scene, sphere

from align.meshes.agreed import outvoted, without_views
from align.meshes.figures import SilhouetteFit
from align.meshes.object_mesh import ObjectMeshOptions, object_mesh
from align.scene import Scene

WRONG = (2, 9)


def with_loose_masks(scene: Scene) -> Scene:
    """Return a scene in two of whose views something around the object passes for it, depth and all."""
    square = np.ones((9, 9), np.uint8)
    views = list(scene.views)
    for k in WRONG:
        mask = cv2.dilate(views[k].mask.astype(np.uint8), square) > 0
        depth = np.where(views[k].mask, views[k].depth, 5).astype(np.float32)
        conf = np.where(mask, 12, 0).astype(np.float32)
        views[k] = replace(views[k], mask=mask, depth=depth, conf=conf)
    return replace(scene, views=tuple(views))


def fits(overlaps: dict[str, float]) -> dict[str, SilhouetteFit]:
    return {name: SilhouetteFit(overlap, 0) for name, overlap in overlaps.items()}


def test_what_two_thirds_agree_on_counts() -> None:
    some = fits({"a": 0.99, "b": 0.98, "c": 0.99, "d": 0.8, "e": 0.7, "f": 0.99})
    assert outvoted(some, ()) == ("e", "d")
    assert outvoted(some, ("e",)) == ("d",)
    many = fits({"a": 0.99, "b": 0.99, "c": 0.99, "d": 0.8, "e": 0.7})
    assert outvoted(many, ()) == ()
    assert outvoted({}, ()) == ()


def test_a_mesh_is_made_without_them() -> None:
    scene = with_loose_masks(solid_scene(sphere(), everywhere(12)))
    made = object_mesh(scene, options=ObjectMeshOptions(faces=2000, texture=0))
    assert sorted(made.figures["views left out"]) == [scene.views[k].name for k in WRONG]
    assert any("made without" in notice.text for notice in made.notices)
    assert len(made.figures["IoU by view"]) == 12
    off = np.abs(np.linalg.norm(made.mesh.vertices, axis=1) - 0.8) / made.figures["voxel"]
    assert np.quantile(off, 0.99) < 1


def test_where_the_others_see_one_side_all_have_their_say() -> None:
    """Ten views from nearly one place and two loose ones from other sides."""
    centres = [ring(360)[k] for k in range(12)]
    centres[WRONG[0]], centres[WRONG[1]] = ring(3)[1], ring(3)[2]
    scene = with_loose_masks(solid_scene(sphere(), np.stack(centres)))
    made = object_mesh(scene, options=ObjectMeshOptions(faces=2000, texture=0))
    assert made.figures["views left out"] == []


def test_a_scene_without_views_keeps_the_others() -> None:
    scene = solid_scene(sphere(), everywhere(4))
    found = without_views(scene, {"01.png"})
    assert [view.name for view in found.views] == ["00.png", "02.png", "03.png"]
    np.testing.assert_array_equal(found.cameras.cam_from_world, scene.cameras.cam_from_world[[0, 2, 3]])
