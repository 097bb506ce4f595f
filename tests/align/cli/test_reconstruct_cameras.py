"""Which photos share a camera, through the command line: found, stated, and stated wrongly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from align.cli.main import main
from align.evaluation.camera_errors import evaluate
from align.export.cameras_json import read_cameras
from align.scene import Scene
from align.scene_folder import load_scene
from masks.notice import Level

CASE = Path(__file__).parents[4] / "shared" / "cases" / "zoom_between_shots"
TELE, WIDE = [f"{k:03d}.jpg" for k in range(6)], [f"{k:03d}.jpg" for k in range(6, 12)]


def reconstructed(folder: Path, name: str, *more: str) -> Scene:
    out = folder / name
    arguments = ["reconstruct", str(CASE / "images"), "--masks", str(CASE / "masks"), "--out", str(out)]
    assert main([*arguments, "--longest", "160", "--store", str(folder / "store"), *more]) == 0
    return load_scene(out)


def members(scene: Scene) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for view in scene.views:
        found.setdefault(view.camera, []).append(view.name)
    return found


def said_of_cameras(scene: Scene) -> list[tuple[Level, str]]:
    return [(notice.level, notice.text) for notice in scene.report.notices if notice.subject == "cameras"]


def require_both_focals(scene: Scene) -> None:
    truth = read_cameras(CASE / "cameras.json")
    true_focal = {camera.file: camera.K[0, 0] for camera in truth}
    for view, K in zip(scene.views, scene.at_original().K):
        assert K[0, 0] == pytest.approx(true_focal[view.name], rel=0.03)
    found = evaluate(scene, truth)
    assert found.registered == 12
    assert found.ate is not None
    assert found.ate < 0.005


@pytest.mark.slow
def test_a_zoom_between_shots_is_found_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not CASE.is_dir():
        pytest.skip(f"{CASE}: not here")
    scene = reconstructed(tmp_path, "found")
    require_both_focals(scene)
    assert members(scene) == {"640x480 zoom 2": TELE, "640x480 zoom 1": WIDE}
    ((level, text),) = said_of_cameras(scene)
    assert level is Level.INFO
    assert "000.jpg, 001.jpg" in text
    assert "--cameras" in capsys.readouterr().err

    listed = tmp_path / "cameras.txt"
    listed.write_text("".join(f"{name} tele\n" for name in TELE) + "".join(f"{name} wide\n" for name in WIDE))
    stated = reconstructed(tmp_path, "stated", "--cameras", str(listed))
    require_both_focals(stated)
    assert members(stated) == {"tele 640x480": TELE, "wide 640x480": WIDE}
    assert said_of_cameras(stated) == []

    one = reconstructed(tmp_path, "one", "--cameras", "one")
    assert members(one) == {"640x480": [*TELE, *WIDE]}
    ((level, text),) = said_of_cameras(one)
    assert level is Level.WARNING
    assert "006.jpg, 007.jpg" in text
    assert "Check the stated `cameras`" in text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0.png a\n1.png a\nx.png b\n", "line 3: there is no photo 'x.png'"),
        ("0.png a\n", "no camera for 1.png"),
        ("", "no cameras. Write one line a photo"),
        (None, "--cameras {path}: neither exif, one, folder, each nor a file"),
    ],
)
def test_a_list_of_cameras_that_cannot_be_used_ends_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, complaint: str
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for k in range(2):
        noise = np.random.default_rng(k).integers(0, 255, (64, 96, 3), np.uint8)
        Image.fromarray(noise).save(photos / f"{k}.png")
    path = tmp_path / "cameras.txt"
    if text is not None:
        path.write_text(text)
    assert main(["reconstruct", str(photos), "--out", str(tmp_path / "out"), "--cameras", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("pointloom: ") == 1
    assert complaint.format(path=path) in " ".join(error.split())
