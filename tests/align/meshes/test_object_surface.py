"""The closed surface of solids that are known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solid_scene import (
    SIZE,
    K,
    both,
    box,
    depth_of,
    everywhere,
    is_closed,
    ring,
    rod,
    solid_scene,
    sphere,
    torus,
)

from align.meshes.object_surface import ObjectSurface, object_surface
from align.meshes.options import MeshOptions
from align.meshes.surface import genus, volume
from align.scene import Scene, SceneView
from masks.errors import MaskError, ReconstructionError, UserError
from masks.notice import Level
from masks.pixelmap import PixelMap
from pairs.views.cameras import Cameras


def with_masks(scene: Scene, masks: dict[int, np.ndarray]) -> Scene:
    views = tuple(replace(v, mask=masks.get(k, v.mask)) for k, v in enumerate(scene.views))
    return replace(scene, views=views)


def said(surface: ObjectSurface) -> str:
    return " | ".join(f"{notice.subject}: {notice.text}" for notice in surface.notices)


@pytest.fixture(scope="module")
def ball() -> Scene:
    return solid_scene(sphere(), everywhere())


@pytest.fixture(scope="module")
def ball_surface(ball: Scene) -> ObjectSurface:
    return object_surface(ball)


def test_a_ball_is_a_ball(ball_surface: ObjectSurface) -> None:
    mesh = ball_surface.mesh
    assert is_closed(mesh)
    assert volume(mesh.vertices, mesh.faces) > 0
    assert genus(mesh, 1) == 0
    off = np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.8) / ball_surface.voxel
    # Half a loose pixel of the hull, and limbs whose far side still votes.
    assert np.median(off) < 0.2
    assert off.max() < 0.6
    assert ball_surface.figures["share of surface seen"] > 0.99
    assert not ball_surface.notices


def test_the_same_input_gives_the_same_bytes(ball: Scene, ball_surface: ObjectSurface) -> None:
    again = object_surface(ball).mesh
    assert again.vertices.tobytes() == ball_surface.mesh.vertices.tobytes()
    assert again.faces.tobytes() == ball_surface.mesh.faces.tobytes()


def test_a_ring_has_its_hole() -> None:
    shape = torus()
    found = object_surface(solid_scene(shape, everywhere()))
    assert is_closed(found.mesh)
    assert found.figures["genus"] == 1
    off = np.abs(shape.distance(found.mesh.vertices)) / found.voxel
    assert np.quantile(off, 0.95) < 0.5


def test_a_rod_of_two_pixels_is_on_the_mesh() -> None:
    found = object_surface(solid_scene(both(sphere(0.5), rod(0.03)), everywhere()))
    assert found.mesh.vertices[:, 2].max() == pytest.approx(1.03, abs=found.voxel)
    assert found.figures["genus"] == 0


def test_the_base_that_no_camera_sees_is_closed_where_it_stands() -> None:
    shape = box()
    found = object_surface(solid_scene(shape, ring()))
    mesh = found.mesh
    assert is_closed(mesh)
    # The cones of the silhouettes alone meet far below.
    lowest = mesh.vertices[:, 2].min()
    assert -0.7 - 3.5 * found.voxel < lowest < -0.7 + found.voxel
    sides = np.abs(mesh.vertices[:, 2]) < 0.6
    assert np.quantile(np.abs(shape.distance(mesh.vertices[sides])), 0.95) < 0.5 * found.voxel
    assert found.figures["share of surface on the closed base"] > 0.05


def test_few_views_keep_the_lower_side_of_a_ball() -> None:
    """Eight cameras 25 degrees above the horizon see it down to nine tenths of its radius."""
    found = object_surface(solid_scene(sphere(), ring(8)))
    assert found.figures["genus"] == 0
    lowest = found.mesh.vertices[:, 2].min()
    assert -0.8 - found.voxel < lowest < -0.5


def test_depths_that_fall_short_of_the_silhouettes_are_lifted(ball: Scene) -> None:
    """As where depth maps lie too deep near outlines: of three cells less than one and a half are left."""
    deep = [replace(v, depth=v.depth + np.where(v.mask, 0.1, 0).astype(np.float32)) for v in ball.views]
    found = object_surface(replace(ball, views=tuple(deep)))
    shrunk = np.quantile(0.8 - np.linalg.norm(found.mesh.vertices, axis=1), 0.5) / found.voxel
    assert 0.1 / found.voxel > 3
    assert shrunk < 1.5


def test_masks_at_the_photos_size_say_the_same(ball: Scene, ball_surface: ObjectSurface) -> None:
    w, h = SIZE
    photo = PixelMap((2 * w, 2 * h), 1, (0, 0, 2 * w, 2 * h), (w, h))
    scene = replace(ball, views=tuple(replace(v, pixel_map=photo) for v in ball.views))
    K_photo = scene.at_ideal().K[0]
    masks = [depth_of(sphere(), pose, K_photo, (2 * w, 2 * h)) > 0 for pose in ball.cameras.cam_from_world]
    found = object_surface(scene, masks)
    assert K_photo[0, 0] == 2 * K[0, 0]
    ratio = volume(found.mesh.vertices, found.mesh.faces) / (4 / 3 * np.pi * 0.8**3)
    assert ratio == pytest.approx(1, abs=0.02)


def test_a_mask_that_contradicts_the_others_is_named_and_carves_nothing(ball: Scene) -> None:
    wrong = {5: np.roll(ball.views[5].mask, 25, axis=1), 9: ~ball.views[9].mask}
    found = object_surface(with_masks(ball, wrong))
    assert found.figures["silhouettes left out"] == ["09.png", "05.png"]
    assert [n.subject for n in found.notices if n.level is Level.LEFT_OUT] == ["09.png", "05.png"]
    ratio = volume(found.mesh.vertices, found.mesh.faces) / (4 / 3 * np.pi * 0.8**3)
    assert ratio == pytest.approx(1, abs=0.02)


def test_a_part_that_some_masks_cut_off_stays() -> None:
    """A knob is missing in four masks of sixteen, and its depths with it; the others show it."""
    knobbed = solid_scene(both(sphere(0.6), sphere(0.2, (0.7, 0, 0))), everywhere())
    bare = solid_scene(sphere(0.6), everywhere())
    lost = [int((a.mask & ~b.mask).sum()) for a, b in zip(knobbed.views, bare.views)]
    wrong = [int(k) for k in np.argsort(lost)[-4:]]
    views = [
        replace(v, mask=bare.views[k].mask, conf=v.conf * bare.views[k].mask) if k in wrong else v
        for k, v in enumerate(knobbed.views)
    ]
    found = object_surface(replace(knobbed, views=tuple(views)))
    assert sorted(found.figures["silhouettes left out"]) == sorted(f"{k:02}.png" for k in wrong)
    assert found.mesh.vertices[:, 0].max() == pytest.approx(0.9, abs=found.voxel)
    assert "cuts off a part that the depths of other views show" in said(found)


def test_views_without_a_mask_and_with_an_empty_one_are_named(ball: Scene) -> None:
    none, empty = np.ones_like(ball.views[0].mask), np.zeros_like(ball.views[0].mask)
    found = object_surface(with_masks(ball, {2: none, 7: empty}))
    assert "1 views have none, and say only their depth: 02.png" in said(found)
    assert "empty in 07.png" in said(found)
    off = np.abs(np.linalg.norm(found.mesh.vertices, axis=1) - 0.8) / found.voxel
    assert np.quantile(off, 0.99) < 1


def test_without_any_mask_there_is_no_object(ball: Scene) -> None:
    whole = {k: np.ones_like(view.mask) for k, view in enumerate(ball.views)}
    with pytest.raises(MaskError, match="no view has a mask"):
        object_surface(with_masks(ball, whole))


def test_cameras_on_one_side_invent_no_back() -> None:
    few = ring(72)[:4]
    with pytest.raises(UserError, match="within 15 degrees"):
        object_surface(solid_scene(sphere(), few))


def test_masks_with_nothing_in_common_are_told(ball: Scene) -> None:
    shifted = {k: np.roll(v.mask, 40 * (-1) ** k, axis=1) for k, v in enumerate(ball.views)}
    with pytest.raises(MaskError, match="contradict each other"):
        object_surface(with_masks(ball, shifted))


def test_no_depth_is_told(ball: Scene) -> None:
    views = tuple(replace(view, conf=np.zeros_like(view.conf)) for view in ball.views)
    with pytest.raises(ReconstructionError, match="depth inside the masks"):
        object_surface(replace(ball, views=views))


def test_masks_of_another_size_are_named(ball: Scene) -> None:
    with pytest.raises(MaskError, match=r"00\.png: the mask is 10x10, and the photo 88x80"):
        object_surface(ball, [np.ones((10, 10), bool)] * len(ball.views))
    with pytest.raises(MaskError, match="1 masks for 16 views"):
        object_surface(ball, [ball.views[0].mask])


def test_of_two_parts_the_largest_is_kept_unless_all_are_asked_for() -> None:
    two = both(sphere(0.5, (0.55, 0, 0)), sphere(0.25, (-0.6, 0, 0)))
    scene = solid_scene(two, everywhere(24))
    found = object_surface(scene)
    assert found.mesh.vertices[:, 0].min() > 0
    assert "in 2 parts, and only the largest is kept" in said(found)
    found = object_surface(scene, options=MeshOptions(parts="all"))
    assert found.mesh.vertices[:, 0].min() == pytest.approx(-0.85, abs=2 * found.voxel)
    assert genus(found.mesh, 2) == 0


def test_an_object_that_the_frame_cuts_is_closed_and_said() -> None:
    whole = solid_scene(sphere(), everywhere())
    rows = slice(0, 44)
    views = tuple(
        replace(
            v,
            pixel_map=PixelMap((SIZE[0], 44), 1, (0, 0, SIZE[0], 44), (SIZE[0], 44)),
            **{name: getattr(v, name)[rows] for name in ("depth", "conf", "image", "mask")},
        )
        for v in whole.views
    )
    found = object_surface(replace(whole, views=views))
    assert is_closed(found.mesh)
    assert "cut by the frame in 16 views: 00.png" in said(found)


def test_what_no_view_has_depth_of_is_closed_and_said(ball: Scene) -> None:
    def blind(k: int) -> SceneView:
        x = np.arange(SIZE[0])
        return replace(ball.views[k], conf=np.where(x < 60, 0, ball.views[k].conf).astype(np.float32))

    found = object_surface(replace(ball, views=tuple(blind(k) for k in range(len(ball.views)))))
    assert is_closed(found.mesh)
    assert found.figures["share of surface seen"] < 0.7
    assert "has no depth of any view" in said(found)


def test_a_tiny_object_is_said() -> None:
    found = object_surface(solid_scene(sphere(0.3), everywhere()))
    assert "pixels of the depth maps wide: the photos show too little" in said(found)
    assert found.figures["voxel in footprints"] < 0.5
    radius = np.linalg.norm(found.mesh.vertices, axis=1)
    assert np.abs(radius - 0.3).max() < 0.02


def test_the_mesh_moves_with_the_world(ball: Scene, ball_surface: ObjectSurface) -> None:
    """Far from the origin, and a thousand times as large: nothing is lost to rounding."""
    cam = ball.cameras.cam_from_world.copy()
    cam[:, :3, 3] = 1000 * cam[:, :3, 3] - 1000 * cam[:, :3, :3] @ np.array([50.0, -20.0, 30.0])
    views = tuple(replace(view, depth=1000 * view.depth) for view in ball.views)
    found = object_surface(replace(ball, views=views, cameras=Cameras(ball.cameras.K, cam)))
    radius = np.linalg.norm(found.mesh.vertices - 1000 * np.array([50.0, -20.0, 30.0]), axis=1)
    assert np.abs(radius - 800).max() < 0.7 * found.voxel
    assert len(found.mesh.faces) == pytest.approx(len(ball_surface.mesh.faces), rel=0.05)
