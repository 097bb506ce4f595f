"""The whole pipeline through the command line, on a small rendered turntable: right, resumable, and blind to
the
background.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from align.cli.main import main
from align.evaluation.camera_errors import evaluate
from align.export.cameras_json import read_cameras
from align.export.gltf.glb_points import read_glb
from align.export.ply import read_ply
from align.points import DEFAULT_MIN_CONF, PointCloud, point_cloud
from align.scene_folder import load_scene
from masks.notice import Level

pytestmark = pytest.mark.slow
SCENE_FILES = ("scene.json", "views.safetensors")


def arguments(turntable: Path, out: Path, *more: str) -> list[str]:
    return [
        "reconstruct",
        str(turntable / "images"),
        "--masks",
        str(turntable / "masks"),
        "--out",
        str(out),
        "--longest",
        "160",
        *more,
    ]


@pytest.fixture(scope="module")
def scene(turntable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The turntable's scene from one uninterrupted run."""
    out = tmp_path_factory.mktemp("scene") / "scene"
    assert main(arguments(turntable, out)) == 0
    return out


def test_the_cameras_are_right(turntable: Path, scene: Path) -> None:
    found = evaluate(load_scene(scene), read_cameras(turntable / "cameras.json"))
    assert found.registered == found.views == 24
    assert found.rra["5"] == found.rta["5"] == 100
    assert found.rotation_error_deg["max"] is not None
    assert found.rotation_error_deg["max"] < 0.6


def test_background_pixels_never_move_a_pose(turntable: Path, scene: Path, tmp_path: Path) -> None:
    shutil.copytree(turntable, tmp_path / "other")
    rng = np.random.default_rng(7)
    for path in sorted((tmp_path / "other" / "images").iterdir()):
        image = np.array(Image.open(path))
        background = np.array(Image.open(tmp_path / "other" / "masks" / path.name)) == 0
        image[background] = rng.integers(0, 256, (background.sum(), 3))
        Image.fromarray(image).save(path)
    assert main(arguments(tmp_path / "other", tmp_path / "scene")) == 0
    changed, kept = load_scene(tmp_path / "scene"), load_scene(scene)
    np.testing.assert_array_equal(changed.cameras.cam_from_world, kept.cameras.cam_from_world)
    np.testing.assert_array_equal(changed.cameras.K, kept.cameras.K)
    for ours, theirs in zip(changed.views, kept.views):
        np.testing.assert_array_equal(ours.depth, theirs.depth)


@pytest.mark.parametrize("depth", ["tsdf", "matches"])
def test_other_depths_need_nothing_again_and_leave_the_cameras(
    turntable: Path, scene: Path, tmp_path: Path, depth: str
) -> None:
    finished = entries(scene / "store")
    more = ("--store", str(scene / "store"), "--depth", depth)
    assert main(arguments(turntable, tmp_path / "scene", *more)) == 0
    assert entries(scene / "store") == finished
    other, plain = load_scene(tmp_path / "scene"), load_scene(scene)
    np.testing.assert_array_equal(other.cameras.cam_from_world, plain.cameras.cam_from_world)
    assert other.report.figures["depth"]["source"] == depth
    for ours, theirs in zip(other.views, plain.views):
        both = (ours.conf > 0) & (theirs.conf > 0)
        assert both.sum() > 0.4 * (theirs.conf > 0).sum()
        assert np.median(abs(ours.depth[both] / theirs.depth[both] - 1)) < 0.005


def entries(store: Path) -> dict[Path, int]:
    """Return the finished entries of a store and when each was written."""
    return {p: p.stat().st_mtime_ns for p in store.rglob("*.safetensors") if not p.name.startswith(".")}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_stopped_run_goes_on_where_it_was(
    turntable: Path, scene: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "scene"
    command = [sys.executable, "-m", "align.cli.main", *arguments(turntable, out)]
    for enough in (8, 60):  # entries after which it is stopped: among the features, and among the depths
        # Under a runner in the background interrupts are ignored, and children inherit that.
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=os.environ, preexec_fn=heard
        )
        while len(entries(out / "store")) < enough and process.poll() is None:
            time.sleep(0.02)  # until the store has grown, not for a fixed time
        process.send_signal(number)
        _, errors = process.communicate()
        assert process.returncode == code
        assert "Traceback" not in errors
        assert not (out / "scene.json").exists()
    finished = entries(out / "store")
    assert main(arguments(turntable, out)) == 0
    after = entries(out / "store")
    assert {path: after[path] for path in finished} == finished  # nothing that was there was made again
    for name in SCENE_FILES:
        assert (out / name).read_bytes() == (scene / name).read_bytes()


def test_truncated_entries_are_made_again(turntable: Path, scene: Path, tmp_path: Path) -> None:
    shutil.copytree(scene, tmp_path / "scene")
    for k, path in enumerate(sorted(entries(tmp_path / "scene" / "store"))):
        path.write_bytes(path.read_bytes()[: 40 * (k % 3)])
    assert main(arguments(turntable, tmp_path / "scene")) == 0
    for name in SCENE_FILES:
        assert (tmp_path / "scene" / name).read_bytes() == (scene / name).read_bytes()


def test_a_view_with_an_empty_mask_is_left_out_and_the_rest_is_saved(turntable: Path, tmp_path: Path) -> None:
    shutil.copytree(turntable, tmp_path / "set")
    Image.fromarray(np.zeros((240, 320), np.uint8)).save(tmp_path / "set" / "masks" / "005.png")
    assert main(arguments(tmp_path / "set", tmp_path / "scene")) == 0
    found = load_scene(tmp_path / "scene")
    assert len(found.views) == 23
    assert "005.png" in found.inputs
    assert "005.png" in {n.subject for n in found.report.notices if n.level is Level.LEFT_OUT}


@pytest.mark.parametrize(("form", "read"), [("glb", read_glb), ("ply", read_ply)])
def test_exported_clouds_hold_the_points_of_the_scene(
    scene: Path, tmp_path: Path, form: str, read: Callable[[Path], PointCloud]
) -> None:
    out = tmp_path / f"object.{form}"
    assert main(["export", str(scene), "--format", form, "--out", str(out)]) == 0
    expected, found = point_cloud(load_scene(scene), DEFAULT_MIN_CONF), read(out)
    assert len(expected.points) > 1000
    # Single precision in the files.
    np.testing.assert_allclose(found.points, expected.points, atol=1e-5 * np.ptp(expected.points))
    np.testing.assert_array_equal(found.colours, expected.colours)


def test_exported_cameras_evaluate_as_exact(scene: Path, tmp_path: Path) -> None:
    assert main(["export", str(scene), "--format", "cameras", "--out", str(tmp_path / "cameras.json")]) == 0
    found = evaluate(load_scene(scene), read_cameras(tmp_path / "cameras.json"))
    assert found.rotation_error_deg["max"] is not None
    assert found.rotation_error_deg["max"] < 1e-6
    assert found.focal_error == 0


def test_every_option_does_what_it_says(turntable: Path, tmp_path: Path) -> None:
    names = [f"{k:03d}.png" for k in range(24)]
    listed = [f"{names[k]} {names[(k + step) % 24]}" for k in range(24) for step in (1, 2)]
    (tmp_path / "pairs.txt").write_text("\n".join(listed))
    options = (
        "--crop",
        "on",
        "--graph",
        f"file:{tmp_path / 'pairs.txt'}",
        "--mask-erode",
        "1",
        "--seed",
        "3",
        "--store",
        str(tmp_path / "store"),
    )
    assert main(arguments(turntable, tmp_path / "scene", *options)) == 0
    found = load_scene(tmp_path / "scene")
    assert len(found.edges) == 48
    assert max(found.views[0].pixel_map.crop[2:]) < 320
    assert (tmp_path / "store").is_dir()
    assert not (tmp_path / "scene" / "store").exists()
    judged = evaluate(found, read_cameras(turntable / "cameras.json"))
    assert judged.rra["5"] == judged.rta["5"] == 100
