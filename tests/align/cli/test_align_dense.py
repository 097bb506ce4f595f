"""pointloom align --aligner dense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_predictions import TRUTH, predictions

from align.cli.main import main
from align.evaluation.camera_errors import pair_errors
from align.scene_folder import load_scene
from pairs.backends.precomputed import write_predictions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("dense") / "predictions"
    write_predictions(predictions(), place)
    return place


def test_the_dense_aligner_is_asked_for_by_its_name_or_by_a_preset(folder: Path, tmp_path: Path) -> None:
    for name, options in (("a", ["--aligner", "dense"]), ("b", ["--preset", "dense"])):
        assert main(["align", str(folder), "--out", str(tmp_path / name), *options]) == 0
    a, b = (load_scene(tmp_path / name) for name in "ab")
    assert pair_errors(a.cameras.cam_from_world, TRUTH)[0].max() < 0.3
    np.testing.assert_array_equal(a.cameras.cam_from_world, b.cameras.cam_from_world)
    assert a.report.figures["solver"] == "least-squares"


@pytest.mark.parametrize("aligner", ["bundle", "dense"])
def test_an_alignment_starts_from_a_scene(folder: Path, tmp_path: Path, aligner: str) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    assert main(["align", str(folder), "--out", str(begun)]) == 0
    assert main(["align", str(folder), "--aligner", aligner, "--start", str(begun), "--out", str(ended)]) == 0
    a, b = (load_scene(place).cameras.centres for place in (begun, ended))
    assert np.linalg.norm(a - b, axis=1).max() < 0.02 * np.linalg.norm(np.ptp(a, axis=0))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--aligner", "dense", "--preset", "mast3r"], "Use --preset dense or dust3r or dust3r-demo"),
        (["--aligner", "dense", "--pose-sigma", "2"], "--pose-sigma: the preset dense has no such choice"),
        (["--aligner", "dense", "--poses", "frozen"], "states no poses"),
        (["--preset", "dust3r-pair"], "given are 5 views"),
        (["--aligner", "dense", "--start", "nowhere"], "nowhere"),
        (["--start", "here", "--onto", "there"], "--start: with --onto"),
    ],
)
def test_what_cannot_be_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], text: str
) -> None:
    assert main(["align", str(folder), "--out", str(tmp_path / "scene"), *options]) == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "scene" / "scene.json").exists()
