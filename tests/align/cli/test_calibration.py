"""Calibrations through the command line: distorted photos give the scene of undistorted ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from align.cli.main import main
from align.demo.turntable import TurntableOptions, render_turntable
from align.evaluation.camera_errors import evaluate
from align.export.cameras_json import PhotoCamera, read_cameras, write_cameras
from align.export.single_files import photo_cameras
from align.scene import Scene
from align.scene_folder import load_scene
from masks.lens import Lens
from masks.notice import Level

K1 = -0.4
"""Moves the corner of the turntable's photos inward by 8 %."""


def bent(turntable: Path, folder: Path) -> Path:
    """Write the turntable as a lens shows it, by OpenCV alone, and its calibration, as OpenCV writes it."""
    camera = read_cameras(turntable / "cameras.json")[0]
    distortion = np.array([K1, 0, 0, 0])
    w, h = camera.width, camera.height
    pixels = np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1).reshape(-1, 1, 2).astype(float)
    criteria = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-12)
    straight = cv2.undistortPoints(pixels, camera.K, distortion, R=np.eye(3), P=camera.K, criteria=criteria)
    x, y = np.moveaxis(straight.reshape(h, w, 2).astype(np.float32), -1, 0)
    for kind, how in (("images", cv2.INTER_CUBIC), ("masks", cv2.INTER_LINEAR)):
        (folder / kind).mkdir(parents=True)
        for path in sorted((turntable / kind).iterdir()):
            picture = np.array(Image.open(path))
            shown = cv2.remap(picture, x, y, how, borderMode=cv2.BORDER_REPLICATE)
            Image.fromarray(shown if kind == "images" else (shown > 127).astype(np.uint8) * 255).save(
                folder / kind / path.name
            )
    storage = cv2.FileStorage(str(folder / "lens.yml"), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", w)
    storage.write("image_height", h)
    storage.write("camera_matrix", camera.K)
    storage.write("distortion_coefficients", distortion[None])
    storage.release()
    return folder


def reconstructed(folder: Path, calibration: Path, out: Path, *more: str) -> int:
    photos, masks = str(folder / "images"), str(folder / "masks")
    chosen = ["--masks", masks, "--calibration", str(calibration), "--out", str(out), "--longest", "160"]
    return main(["reconstruct", photos, *chosen, *more])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The turntable at twice the size: a fifth of its pixels would hide what is asked."""
    folder = tmp_path_factory.mktemp("large")
    render_turntable(folder / "straight", TurntableOptions())
    bent(folder / "straight", folder / "bent")
    return folder


@pytest.mark.slow
def test_distorted_photos_with_their_calibration_give_the_scene_of_undistorted_ones(
    large: Path, tmp_path: Path
) -> None:
    truth = read_cameras(large / "straight" / "cameras.json")
    assert reconstructed(large / "straight", large / "straight" / "cameras.json", tmp_path / "straight") == 0
    assert reconstructed(large / "bent", large / "bent" / "lens.yml", tmp_path / "bent") == 0
    straight, scene = load_scene(tmp_path / "straight"), load_scene(tmp_path / "bent")
    assert scene.lenses == (Lens("SIMPLE_RADIAL", (K1,)),) * 24
    for each in (scene, straight):
        assert len(each.views) == 24
        np.testing.assert_allclose(each.at_original().K, np.tile(truth[0].K, (24, 1, 1)), atol=1e-6)
        assert not [n for n in each.report.notices if n.subject == "calibration" and n.level is Level.WARNING]
    # 0.16 degrees and 4 % of the focal where the lens is not told.
    apart = rotation_error(scene, photo_cameras(straight))
    assert apart < 0.06
    assert rotation_error(scene, truth) < rotation_error(straight, truth) + 0.02


@pytest.mark.slow
def test_a_calibration_of_another_zoom_is_doubted(large: Path, tmp_path: Path) -> None:
    cameras = read_cameras(large / "straight" / "cameras.json")
    focal = cameras[0].K[0, 0]
    wide = np.diag([0.8, 0.8, 1.0])
    write_cameras(tmp_path / "wide.json", [replace(camera, K=camera.K @ wide) for camera in cameras])
    assert reconstructed(large / "straight", tmp_path / "wide.json", tmp_path / "scene") == 0
    notices = load_scene(tmp_path / "scene").report.notices
    (doubt,) = [n for n in notices if n.subject == "calibration" and n.level is Level.WARNING]
    found = re.search(r"does not fit these photos: a focal of (\d+) px", doubt.text)
    assert found is not None
    assert float(found[1]) == pytest.approx(focal, rel=0.03)


def rotation_error(scene: Scene, truth: Sequence[PhotoCamera]) -> float:
    median = evaluate(scene, truth).rotation_error_deg["median"]
    assert median is not None
    return median


def test_a_calibration_of_other_photos_is_an_error_of_the_user(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (turntable / "cameras.json").read_text().replace("000.png", "x.png")
    (tmp_path / "cameras.json").write_text(text)
    assert reconstructed(turntable, tmp_path / "cameras.json", tmp_path / "scene") == 2
    assert "no camera for 000.png, 1 of 24 photos" in capsys.readouterr().err
    assert reconstructed(turntable, tmp_path / "missing.yml", tmp_path / "scene") == 2
    assert "missing.yml: cannot be read (No such file" in capsys.readouterr().err
