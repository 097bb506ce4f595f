"""VGGT's three modes through the command line, with a small random network: the result is meaningless, the
plumbing is not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruct_arguments import reconstruct_arguments
from vggt_folder import small_folder

from align.cli.main import main
from align.scene_folder import load_scene
from masks.lens import Lens

SCENE_FILES = ("scene.json", "views.safetensors")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return small_folder(tmp_path / "net")


@pytest.mark.parametrize(
    "mode",
    [
        ("vggt",),
        ("vggt", "--max-frames", "4"),
        ("vggt", "--depth", "tsdf"),
        ("vggt-tracks",),
        ("vggt-tracks", "--poses", "frozen"),
        ("vggt-pairs",),
    ],
)
def test_every_mode_leads_to_a_scene_and_the_same_again(
    turntable: Path, tmp_path: Path, weights: Path, mode: tuple[str, ...]
) -> None:
    for name in ("one", "two"):
        assert (
            main(reconstruct_arguments(turntable, tmp_path / name, "--weights", weights, "--backend", *mode))
            == 0
        )
    scene = load_scene(tmp_path / "one")
    assert len(scene.views) == 6
    assert np.isfinite(scene.cameras.cam_from_world).all()
    for view in scene.views:
        assert view.pixel_map.target_size == (56, 42)
        assert not view.conf[~view.mask].any()
        assert (view.depth[view.mask & (view.conf > 0)] > 0).all()
    for name in SCENE_FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_network_with_cameras_of_its_own_says_that_K_is_not_heard_and_undoes_the_lens(
    turntable: Path, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cameras.txt").write_text("1 SIMPLE_RADIAL 320 240 448 160 120 -0.4\n")
    chosen = ("--backend", "vggt", "--weights", weights, "--calibration", tmp_path / "cameras.txt")
    assert main(reconstruct_arguments(turntable, tmp_path / "scene", *chosen)) == 0
    assert "calibration: its K is not used" in capsys.readouterr().err
    frame = load_scene(tmp_path / "scene").views[0].pixel_map.undistortion
    assert frame is not None
    assert frame.lens == Lens("SIMPLE_RADIAL", (-0.4,))


def test_frozen_poses_are_those_of_the_network(turntable: Path, tmp_path: Path, weights: Path) -> None:
    scenes = []
    for name, mode in (
        ("group", ("vggt",)),
        ("frozen", ("vggt-tracks", "--poses", "frozen")),
        ("soft", ("vggt-tracks",)),
    ):
        assert (
            main(reconstruct_arguments(turntable, tmp_path / name, "--weights", weights, "--backend", *mode))
            == 0
        )
        scenes.append(load_scene(tmp_path / name).cameras.cam_from_world)
    np.testing.assert_array_equal(scenes[0], scenes[1])
    assert not np.allclose(scenes[0], scenes[2])


def fails(capsys: pytest.CaptureFixture[str], given: list[str]) -> str:
    """Run the command line and return what it says when it refuses."""
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said[said.rindex("pointloom:") :]


def test_what_cannot_be_is_said(
    turntable: Path, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = ("--weights", weights, "--backend", "vggt")
    out = tmp_path / "scene"
    assert "one photo is not enough" in fails(
        capsys, reconstruct_arguments(turntable, out, *network, count=1)
    )
    assert "--max-frames 2" in fails(
        capsys, reconstruct_arguments(turntable, out, *network, "--max-frames", "2")
    )
    assert "Omit --graph" in fails(capsys, reconstruct_arguments(turntable, out, *network, "--graph", "ring"))
    assert "predicts on images of 56 pixels" in fails(
        capsys, reconstruct_arguments(turntable, out, *network, "--longest", "128")
    )
    assert "--poses frozen" in fails(
        capsys, reconstruct_arguments(turntable, out, *network, "--poses", "frozen", "--preset", "mast3r")
    )
    assert "Use --depth tsdf" in fails(
        capsys, reconstruct_arguments(turntable, out, *network, "--depth", "matches")
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.pt").write_text("no weights")
    assert "model.pt" in fails(
        capsys, reconstruct_arguments(turntable, out, "--backend", "vggt", "--weights", tmp_path / "other")
    )
    (tmp_path / "empty").mkdir()
    assert "holds no checkpoint" in fails(
        capsys, reconstruct_arguments(turntable, out, "--backend", "vggt", "--weights", tmp_path / "empty")
    )
    assert not (out / "scene.json").exists()


def test_a_preset_that_nothing_was_aligned_with_is_told(
    turntable: Path, tmp_path: Path, weights: Path
) -> None:
    assert (
        main(
            reconstruct_arguments(
                turntable, tmp_path / "scene", "--weights", weights, "--backend", "vggt", "--preset", "mast3r"
            )
        )
        == 0
    )
    assert any(notice.subject == "preset" for notice in load_scene(tmp_path / "scene").report.notices)
