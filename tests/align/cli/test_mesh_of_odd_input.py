"""pointloom mesh: what a scene lacks is said, or refused, in a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from solid_scene import SIZE, both, everywhere, ring, rod, solid_scene, sphere

from align.cli.main import main
from align.scene import Scene
from align.scene_folder import save_scene
from masks.pixelmap import PixelMap
from pairs.views.cameras import Cameras


def run(scene: Scene, folder: Path, *options: str) -> int:
    save_scene(scene, folder / "scene")
    out = ["--out", str(folder / "object.glb")]
    return main(["mesh", str(folder / "scene"), *out, "--texture", "none", "--faces", "1000", *options])


def with_masks(scene: Scene, masks: dict[int, np.ndarray]) -> Scene:
    views = tuple(replace(v, mask=masks.get(k, v.mask)) for k, v in enumerate(scene.views))
    return replace(scene, views=views)


def first_views(scene: Scene, count: int) -> Scene:
    cameras = Cameras(scene.cameras.K[:count], scene.cameras.cam_from_world[:count])
    return replace(scene, views=scene.views[:count], cameras=cameras)


def cut_by_frame(scene: Scene, height: int) -> Scene:
    size = (SIZE[0], height)
    pixel_map = PixelMap(size, 1, (0, 0, *size), size)
    views = [
        replace(
            view,
            pixel_map=pixel_map,
            **{name: getattr(view, name)[:height] for name in ("depth", "conf", "image", "mask")},
        )
        for view in scene.views
    ]
    return replace(scene, views=tuple(views))


@pytest.fixture(scope="module")
def ball() -> Scene:
    return solid_scene(sphere(), everywhere(12))


def test_no_masks_are_refused(ball: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = np.ones_like(ball.views[0].mask)
    assert run(with_masks(ball, dict.fromkeys(range(12), whole)), tmp_path) == 2
    assert "no view has a mask" in capsys.readouterr().err


def test_empty_masks_are_refused(ball: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = np.zeros_like(ball.views[0].mask)
    assert run(with_masks(ball, dict.fromkeys(range(12), empty)), tmp_path) == 2
    assert "mask" in capsys.readouterr().err


@pytest.mark.parametrize(("count", "told"), [(1, "one view shows an object from one side"), (2, "degrees")])
def test_one_side_is_refused(
    count: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(first_views(solid_scene(sphere(), ring(72)[:2]), count), tmp_path) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "--format ply" in said
    assert not (tmp_path / "object.glb").exists()


def test_masks_that_say_nothing_and_parts_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = solid_scene(both(sphere(0.45, (0.5, 0, 0)), sphere(0.2, (-0.5, 0, 0))), everywhere(12))
    whole, empty = np.ones_like(two.views[0].mask), np.zeros_like(two.views[0].mask)
    assert run(with_masks(two, {2: whole, 7: empty}), tmp_path) == 0
    said = capsys.readouterr().err
    assert "empty in 07.png: these views say nothing" in said
    assert "1 views have none, and say only their depth: 02.png" in said
    assert "in 2 parts, and only the largest is kept" in said
    assert "--parts all" in said


def test_a_tiny_object_cut_by_the_frame_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = solid_scene(sphere(0.3), everywhere(12))
    assert run(cut_by_frame(tiny, 44), tmp_path) == 0
    said = capsys.readouterr().err
    assert "cut by the frame in 12 views" in said
    assert "the photos show too little of it" in said


def test_thin_parts_that_are_lost_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(solid_scene(both(sphere(0.5), rod(0.012)), everywhere(12)), tmp_path) == 0
    assert "show parts that are not on the mesh" in capsys.readouterr().err
