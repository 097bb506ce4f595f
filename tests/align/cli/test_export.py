"""pointloom export: from a scene's folder to the folders of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from lens_scene import LENSES, lens_scene

from align.cli.main import main
from align.export.originals import PhotoSource
from align.export.photo_sources import write_sources
from align.scene_folder import save_scene


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    save_scene(lens_scene(tmp_path / "photos", LENSES["RADIAL"]), tmp_path / "scene")
    write_sources(tmp_path / "scene", [PhotoSource((tmp_path / "photos",))])
    return tmp_path / "scene"


def export(scene: Path, out: Path, *options: str) -> int:
    return main(["export", str(scene), "--out", str(out), *options])


def test_the_photos_are_found_where_they_lay(scene: Path, tmp_path: Path) -> None:
    assert export(scene, tmp_path / "out", "--format", "splats", "--min-conf", "0.1") == 0
    assert len(list((tmp_path / "out" / "images").iterdir())) == 4
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    assert export(scene, tmp_path / "other", "--format", "splats") == 2
    photos = str(tmp_path / "elsewhere")
    assert export(scene, tmp_path / "other", "--format", "splats", "--photos", photos) == 0


def test_options_reach_their_formats(scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(scene, tmp_path / "out", "--format", "colmap,nerfstudio", "--undistorted") == 0
    read = pycolmap.Reconstruction(tmp_path / "out" / "sparse" / "0")
    assert {camera.model.name for camera in read.cameras.values()} == {"PINHOLE"}
    document = json.loads((tmp_path / "out" / "transforms.json").read_text())
    assert not np.any([[frame["k1"], frame["k2"]] for frame in document["frames"]])
    assert export(scene, tmp_path / "text", "--format", "colmap", "--text") == 2  # a space in a name
    assert "a 0.jpg. Omit it" in capsys.readouterr().err
    assert export(scene, tmp_path / "other", "--format", "glb", "--text") == 2
    assert "--text: nothing that glb knows; it belongs to colmap" in capsys.readouterr().err


def test_a_folder_is_overwritten_only_when_asked(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert export(scene, out, "--format", "colmap") == 0
    assert export(scene, out, "--format", "colmap") == 2
    assert "is not empty (it holds images)" in capsys.readouterr().err
    assert export(scene, out, "--format", "colmap", "--overwrite") == 0
    (out / "images" / "old.jpg").write_bytes(b"")
    assert export(scene, out, "--format", "colmap", "--overwrite") == 2
    assert "old.jpg: is not of this export" in capsys.readouterr().err


def test_the_photos_are_never_replaced(scene: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").rename(tmp_path / "images")
    before = {path.name: path.read_bytes() for path in (tmp_path / "images").iterdir()}
    options = ("--format", "colmap", "--photos", str(tmp_path / "images"), "--overwrite")
    assert export(scene, tmp_path, *options) == 2
    assert {path.name: path.read_bytes() for path in (tmp_path / "images").iterdir()} == before
