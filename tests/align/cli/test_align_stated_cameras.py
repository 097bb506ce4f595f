"""pointloom align with wrong cameras in views.json: exit code 2, the file, the cause and the remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tilted_predictions import TRUE_K, TRUTH, stated

from align.cli.main import main
from align.export.cameras_json import read_cameras
from align.scene_folder import load_scene
from pairs.backends.precomputed import write_predictions

CASE = Path(__file__).resolve().parents[4] / "shared" / "cases" / "predictions_K_of_the_photo"
OPENGL = np.diag([1.0, -1, -1, 1])
SCALED = np.array([[2.0, 2, 2, 1]] * 3 + [[1.0, 1, 1, 1]])


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of predictions with right cameras; copied, never changed."""
    folder = tmp_path_factory.mktemp("stated") / "whole"
    write_predictions(stated(TRUTH, TRUE_K), folder)
    return folder


def aligned(whole: Path, tmp_path: Path, change: Callable[[dict, int], None], *options: str) -> int:
    """Align a copy of the folder with every entry of views.json changed."""
    # Without the modes of the files, which may be read-only.
    folder = Path(shutil.copytree(whole, tmp_path / "predictions", copy_function=shutil.copyfile))
    folder.chmod(0o755)
    document = json.loads((folder / "views.json").read_text())
    for number, entry in enumerate(document):
        change(entry, number)
    (folder / "views.json").write_text(json.dumps(document))
    return main(["align", str(folder), "--out", str(tmp_path / "scene"), *options])


def K(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict, int], None]:
    return lambda entry, number: entry.update(K=change(np.array(entry["K"])).tolist())


def pose(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict, int], None]:
    return lambda entry, number: entry.update(
        cam_from_world=change(np.array(entry["cam_from_world"])).tolist()
    )


def no_change(entry: dict, number: int) -> None:
    pass


KINDS = {
    "K of the photo": (K(lambda k: k * [[8], [8], [1]]), "It fits a picture of about 384x256 pixels"),
    "K transposed": (K(np.transpose), "K is transposed"),
    "K of a turned photo": (K(lambda k: k[np.ix_([1, 0, 2], [1, 0, 2])]), "turned by 90 degrees"),
    "K normalised": (
        K(lambda k: np.diag([1 / 48, 1 / 32, 1]) @ k),
        "units of the picture's width and height",
    ),
    "focal negative": (
        K(lambda k: k * [[-1, 1, 1], [1, 1, 1], [1, 1, 1]]),
        "negative numbers on its diagonal",
    ),
    "focal in mm": (K(lambda k: k * [[0.3, 0, 1], [0, 0.3, 1], [0, 0, 1]]), "If it is in millimetres"),
    "focal 0": (K(lambda k: k * [[0, 1, 1], [1, 1, 1], [1, 1, 1]]), "positive focals"),
    "focal not finite": (K(lambda k: k * np.nan), "not finite"),
    "skew": (K(lambda k: k + np.diag([3.0, 0], 1)), "skew"),
    "poses inverted": (pose(np.linalg.inv), "read as world_from_cam."),
    "OpenGL axes": (pose(lambda p: OPENGL @ p), "read as cam_from_world with OpenGL axes"),
    "transform_matrix": (
        pose(lambda p: np.linalg.inv(OPENGL @ p)),
        "read as world_from_cam with OpenGL axes",
    ),
    "poses transposed": (pose(np.transpose), "cam_from_world is transposed"),
    "mirror": (pose(lambda p: np.diag([-1, 1, 1, 1]) @ p), "mirrors (determinant below 0)"),
    "scaled rotation": (pose(lambda p: p * SCALED), "rotation is scaled by 2"),
    "not orthonormal": (pose(lambda p: p + np.diag([0.2, 0.2, 0.2, 0])), "no rotation"),
    "rounded": (pose(lambda p: p.round(2)), "six digits"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_refused_by_name(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    change, cause = KINDS[kind]
    assert aligned(whole, tmp_path, change) == 2
    said = capsys.readouterr().err
    assert "views.json" in said
    assert "Traceback" not in said
    assert cause in said
    assert not (tmp_path / "scene" / "scene.json").exists()


@pytest.mark.parametrize(
    "options", [[], ["--poses", "frozen"], ["--pose-sigma", "10"], ["--preset", "mast3r"]]
)
def test_right_cameras_pass_on_every_road(whole: Path, tmp_path: Path, options: list[str]) -> None:
    assert aligned(whole, tmp_path, no_change, *options) == 0
    notices = load_scene(tmp_path / "scene").report.notices
    assert [n.text for n in notices if "contradict" in n.text] == []


def test_metres_or_millimetres_are_the_same(whole: Path, tmp_path: Path) -> None:
    assert aligned(whole, tmp_path, pose(lambda p: p * ([[1, 1, 1, 1000]] * 3 + [[1, 1, 1, 1]]))) == 0
    assert load_scene(tmp_path / "scene").report.notices == ()


@pytest.mark.parametrize("options", [["--poses", "frozen"], ["--pose-sigma", "10"]])
def test_inverted_poses_are_refused_on_every_road(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert aligned(whole, tmp_path, pose(np.linalg.inv), *options) == 2
    assert "read as world_from_cam." in capsys.readouterr().err


def test_wrong_poses_of_half_of_the_views_are_named(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(entry: dict, number: int) -> None:
        if number >= 3:
            entry["cam_from_world"] = np.linalg.inv(np.array(entry["cam_from_world"])).tolist()

    assert aligned(whole, tmp_path, change) == 0
    said = capsys.readouterr().err
    for name in ("3.jpg", "4.jpg", "5.jpg"):
        assert f"warning: {name}: its given pose contradicts its pairs" in said
    found = load_scene(tmp_path / "scene").cameras.cam_from_world
    np.testing.assert_allclose(found, TRUTH, atol=0.05)


@pytest.mark.skipif(not CASE.is_dir(), reason="the users' cases (../shared/cases) are not here")
def test_the_case_of_a_K_of_the_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", str(CASE), "--out", str(tmp_path / "scene")]) == 2
    said = capsys.readouterr().err
    assert "views.json: the stated K of 000.png, 001.png, 002.png, 003.png" in said
    assert "lies outside of the 80x60 picture" in said
    assert "its focal is 8 times theirs" in said
    assert "a picture of about 640x480 pixels" in said


@pytest.mark.skipif(not CASE.is_dir(), reason="the users' cases (../shared/cases) are not here")
def test_both_inverted_poses_of_the_case_are_named_though_one_has_but_one_pair_with_a_right_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    true = {camera.file: camera for camera in read_cameras(CASE / "cameras.json")}
    to_grid = np.array([[1 / 8, 0, -7 / 16], [0, 1 / 8, -7 / 16], [0, 0, 1]])

    def change(entry: dict, number: int) -> None:
        camera, pose = true[entry["name"]], np.eye(4)
        entry["K"] = (to_grid @ camera.K).tolist()
        pose[:3, :3], pose[:3, 3] = camera.R_cam_from_world, camera.t_cam_from_world
        entry["cam_from_world"] = (np.linalg.inv(pose) if number > 1 else pose).tolist()

    assert aligned(CASE, tmp_path, change) == 0
    said = capsys.readouterr().err
    for name in ("002.png", "003.png"):
        assert f"{name}: its given pose contradicts its pairs" in said
    assert said.count("read as world_from_cam.") == 2
