"""pointloom mesh: what cannot be is said before anything is computed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from stored_scene import small_scene

from align.cli.main import main
from align.scene_folder import save_scene


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    save_scene(small_scene(), tmp_path / "scene")
    return tmp_path / "scene"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--out", "a.usdz"], "no format of meshes. Let its name end in .glb, .obj, .stl, .ply"),
        (["--out", "there.glb"], "is there already. Choose another file, or replace it with --overwrite"),
        (["--faces", "many"], "--faces many: give a number, or auto"),
        (["--faces", "3"], "--faces 3: a closed mesh has four faces"),
        (["--texture", "8"], "--texture 8: give the texels of a side, 64 to 16384"),
        (["--flat-base", "--frame", "scene"], "--flat-base: the base is known in the frame of the object"),
        (["--photos", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_told(
    options: list[str], told: str, scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.glb").write_bytes(b"")
    named = dict(zip(options[::2], options[1::2])) if options[0] == "--out" else {}
    out = tmp_path / named.get("--out", "object.glb")
    rest = [] if named else options
    assert main(["mesh", str(scene), "--out", str(out), *rest]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "object.glb").exists()


def test_the_missing_extra_is_named(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "align.meshes.extra.find_spec", lambda name: None if name == "xatlas" else found(name)
    )
    assert main(["mesh", str(scene), "--out", str(tmp_path / "object.glb")]) == 2
    assert "pip install 'pointloom[mesh]'" in capsys.readouterr().err
