"""Known poses through the command line, on a small rendered turntable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from align.cli.main import main
from align.evaluation.camera_errors import evaluate
from align.export.cameras_json import read_cameras
from align.scene import Scene
from align.scene_folder import load_scene

pytestmark = pytest.mark.slow
FLIP = np.diag([1.0, -1, -1, 1])


def matrices(turntable: Path) -> dict[str, np.ndarray]:
    return {camera.file: camera.cam_from_world for camera in read_cameras(turntable / "cameras.json")}


def stated(turntable: Path, path: Path, change: Callable[[int, np.ndarray], np.ndarray | None]) -> Path:
    """Write a cameras.json of which poses are changed, or left out."""
    entries = []
    for k, entry in enumerate(json.loads((turntable / "cameras.json").read_text())):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = entry["R"], entry["t"]
        changed = change(k, pose)
        if changed is not None:
            entries.append(entry | {"R": changed[:3, :3].tolist(), "t": changed[:3, 3].tolist()})
    path.write_text(json.dumps(entries))
    return path


@pytest.fixture(scope="module")
def run(turntable: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[int, Path]]:
    """Reconstruct with known poses; features and matches are kept."""
    folder = tmp_path_factory.mktemp("known")

    def reconstruct(model: Path | str, *more: str) -> tuple[int, Path]:
        out = folder / f"scene{len(list(folder.iterdir()))}"
        arguments = ["reconstruct", str(turntable / "images"), "--masks", str(turntable / "masks")]
        arguments += ["--known-poses", str(model), "--out", str(out), "--longest", "160"]
        return main([*arguments, "--store", str(folder / "store"), *more]), out

    return reconstruct


def exact(scene: Scene, turntable: Path) -> int:
    """Return how many poses are the stated ones to the bit."""
    true = matrices(turntable)
    return sum(
        np.array_equal(pose, true[view.name]) for view, pose in zip(scene.views, scene.cameras.cam_from_world)
    )


def test_frozen_poses_stay_to_the_bit_and_depth_is_measured(turntable: Path, run) -> None:
    code, out = run(turntable / "cameras.json")
    assert code == 0
    scene = load_scene(out)
    assert exact(scene, turntable) == len(scene.views) == 24
    assert np.mean([np.mean(view.conf[view.mask] > 1) for view in scene.views]) > 0.8


def test_views_without_a_pose_are_placed_in_millimetres(turntable: Path, run, tmp_path: Path, capsys) -> None:
    def millimetres(k: int, pose: np.ndarray) -> np.ndarray | None:
        pose[:3, 3] *= 1000
        return None if k % 3 == 1 else pose

    code, out = run(stated(turntable, tmp_path / "cameras.json", millimetres))
    assert code == 0
    scene = load_scene(out)
    assert len(scene.views) == 24
    found = evaluate(scene, read_cameras(turntable / "cameras.json"))
    assert found.rotation_error_deg["max"] is not None
    assert found.rotation_error_deg["max"] < 0.3
    assert "look like millimetres" in capsys.readouterr().err


def test_soft_poses_are_improved(turntable: Path, run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def moved(_: int, pose: np.ndarray) -> np.ndarray:
        pose[:3, 3] += rng.normal(0, 0.01, 3) * np.linalg.norm(pose[:3, 3])
        return pose

    code, out = run(stated(turntable, tmp_path / "cameras.json", moved), "--poses", "soft")
    assert code == 0
    found = evaluate(load_scene(out), read_cameras(turntable / "cameras.json"))
    assert found.registered == 24
    assert found.rotation_error_deg["max"] is not None
    assert found.rotation_error_deg["max"] < 0.8


def inverse(pose: np.ndarray) -> np.ndarray:
    return np.linalg.inv(pose)


WRONG = {
    "inverse": (lambda k, pose: inverse(pose), "poses are camera-to-world"),
    "OpenGL": (lambda k, pose: FLIP @ pose, "with OpenGL axes"),
    "half in OpenGL": (lambda k, pose: FLIP @ pose if k % 2 else pose, "contradict those of"),
    "half inverse": (lambda k, pose: inverse(pose) if k % 2 else pose, "contradict those of"),
    "one inverse": (lambda k, pose: inverse(pose) if k == 5 else pose, "frozen ones would stay"),
    "all equal": (lambda k, pose: np.block([[np.eye(3), np.ones((3, 1))], [np.eye(4)[3:]]]), "all the same"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_poses_are_refused_with_the_cure(
    kind: str, turntable: Path, run, tmp_path: Path, capsys
) -> None:
    change, words = WRONG[kind]
    code, _ = run(stated(turntable, tmp_path / "cameras.json", change))
    assert code == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_world_to_camera_in_a_transforms_json_is_told_in_its_terms(
    turntable: Path, run, tmp_path: Path, capsys
) -> None:
    frames = []
    for camera in read_cameras(turntable / "cameras.json"):
        K = {"fl_x": camera.K[0, 0], "fl_y": camera.K[1, 1], "cx": camera.K[0, 2] + 0.5}
        K |= {"cy": camera.K[1, 2] + 0.5, "w": camera.width, "h": camera.height}
        pose = (FLIP @ camera.cam_from_world).tolist()
        frames.append({"file_path": f"images/{camera.file}", "transform_matrix": pose, **K})
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"frames": frames}))
    code, _ = run(path)
    assert code == 2
    assert "world-to-camera in OpenGL axes: write the inverse" in " ".join(capsys.readouterr().err.split())
