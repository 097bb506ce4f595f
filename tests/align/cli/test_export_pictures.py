"""Options of blender and depth from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plane_scene import plane_scene

from align.cli.main import main
from align.scene_folder import save_scene


@pytest.fixture
def scene(tmp_path: Path) -> str:
    save_scene(plane_scene(), tmp_path / "scene")
    return str(tmp_path / "scene")


def test_options_reach_the_formats_that_have_them(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = [
        "--resolution",
        "grid",
        "--depth-file",
        "npy",
        "--longest-photo",
        "40",
        "--photo-distance",
        "0.5",
    ]
    assert main(["export", scene, "--format", "depth,blender,tum,masks", "--out", str(out), *options]) == 0
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert found == {
        "blender.glb",
        "depth.json",
        *(f"depth/{k}.jpg.npy" for k in range(2)),
        *(f"masks/{k}.jpg.png" for k in range(2)),
        "trajectory.txt",
    }
    assert json.loads((out / "depth.json").read_text())["resolution"] == "grid"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--format", "depth", "--depth-file", "tiff"],
            "--depth-file tiff: unknown. Choose one of png, npy, exr",
        ),
        (["--format", "depth", "--resolution", "8k"], "--resolution 8k: unknown"),
        (["--format", "blender", "--photo-distance", "-1"], "--photo-distance -1: no distance"),
        (["--format", "blender", "--longest-photo", "0"], "--longest-photo 0: no size"),
        (["--format", "tum", "--photo-distance", "1"], "--photo-distance: nothing that tum knows"),
        (["--format", "depth", "--min-conf", "99"], "--min-conf 99: no point of this scene is so sure"),
    ],
)
def test_what_cannot_be_is_said_in_the_commands_own_words(
    scene: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["export", scene, "--out", str(tmp_path / "out"), *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
