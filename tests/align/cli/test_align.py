"""pointloom align: a folder of predictions in, a scene out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_predictions import ENTRIES, TRUTH, predictions

from align.cli.main import main
from align.evaluation.camera_errors import pair_errors
from align.scene_folder import load_scene
from pairs.backends.precomputed import read_predictions, write_predictions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mask = np.zeros((32, 48), bool)
    mask[2:30, 4:44] = True
    write_predictions(predictions(mask=mask), tmp_path / "predictions")
    return tmp_path / "predictions"


def test_written_predictions_come_back(folder: Path) -> None:
    again = read_predictions(folder)
    assert again.edges == tuple(sorted(ENTRIES))
    for k, edge in enumerate(again.edges):
        np.testing.assert_array_equal(again.load(k).ab.b_in_a, ENTRIES[edge].ab.b_in_a)
        np.testing.assert_array_equal(again.load(k).ba.a_conf, ENTRIES[edge].ba.a_conf)
        np.testing.assert_array_equal(again.load(k).matches.xy_b, ENTRIES[edge].matches.xy_b)
    assert again.views[3].mask is not None
    assert again.views[3].mask.pixels.sum() == 28 * 40
    np.testing.assert_array_equal(again.views[3].image, predictions().views[3].image)


def test_a_folder_becomes_a_scene(folder: Path, tmp_path: Path) -> None:
    assert main(["align", str(folder), "--out", str(tmp_path / "scene")]) == 0
    scene = load_scene(tmp_path / "scene")
    assert [view.name for view in scene.views] == [f"{k}.jpg" for k in range(5)]
    assert pair_errors(scene.cameras.cam_from_world, TRUTH)[0].max() < 0.3


@pytest.mark.parametrize("preset", ["mast3r", "mast3r-function", "mast3r-2024"])
def test_the_references_presets_run(folder: Path, tmp_path: Path, preset: str) -> None:
    assert main(["align", str(folder), "--out", str(tmp_path / "scene"), "--preset", preset]) == 0
    assert load_scene(tmp_path / "scene").report.figures["steps"] >= 600


def test_the_references_losses_are_minimised_by_least_squares_when_asked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for solver in ("adam", "least-squares"):
        assert (
            main(
                [
                    "align",
                    str(folder),
                    "--out",
                    str(tmp_path / solver),
                    "--preset",
                    "mast3r",
                    "--solver",
                    solver,
                ]
            )
            == 0
        )
    adam, second = (load_scene(tmp_path / solver).report.figures for solver in ("adam", "least-squares"))
    assert second["steps"] < adam["steps"] / 5
    assert main(["align", str(folder), "--out", str(tmp_path / "own"), "--solver", "adam"]) == 2
    assert "--preset mast3r" in capsys.readouterr().err


def test_matches_are_found_where_none_are_given(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "pairs").iterdir():
        save_file(
            {name: array for name, array in load_file(path).items() if not name.startswith("matches")}, path
        )
    assert main(["align", str(folder), "--out", str(tmp_path / "scene")]) == 0
    assert pair_errors(load_scene(tmp_path / "scene").cameras.cam_from_world, TRUTH)[0].max() < 2


def test_a_damaged_pair_is_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sorted((folder / "pairs").iterdir())[3]
    path.write_bytes(path.read_bytes()[:1000])
    assert main(["align", str(folder), "--out", str(tmp_path / "scene")]) == 2
    assert path.name in capsys.readouterr().err


def test_a_view_that_matches_nothing_is_named_and_the_rest_is_saved(tmp_path: Path) -> None:
    nothing = {
        edge: replace(
            entry,
            matches=replace(entry.matches, xy_a=np.zeros((0, 2)), xy_b=np.zeros((0, 2)), conf=np.zeros(0)),
        )
        for edge, entry in ENTRIES.items()
        if 2 in edge
    }
    write_predictions(predictions(ENTRIES | nothing), tmp_path / "p")
    assert main(["align", str(tmp_path / "p"), "--out", str(tmp_path / "scene")]) == 0
    scene = load_scene(tmp_path / "scene")
    assert "2.jpg" not in {view.name for view in scene.views}
    assert scene.inputs == tuple(f"{k}.jpg" for k in range(5))
    assert "2.jpg" in {notice.subject for notice in scene.report.notices}


def test_parts_become_scenes_of_their_own_or_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_predictions(
        predictions({edge: ENTRIES[edge] for edge in ((0, 1), (0, 2), (1, 2), (3, 4))}), tmp_path / "p"
    )
    assert main(["align", str(tmp_path / "p"), "--out", str(tmp_path / "scene")]) == 0
    parts = [load_scene(folder) for folder in (tmp_path / "scene", tmp_path / "scene" / "part-2")]
    assert [len(scene.views) for scene in parts] == [3, 2]
    capsys.readouterr()
    assert main(["align", str(tmp_path / "p"), "--out", str(tmp_path / "whole"), "--parts", "error"]) == 2
    assert "3.jpg, 4.jpg" in capsys.readouterr().err


def test_parts_of_an_earlier_scene_do_not_stay(folder: Path, tmp_path: Path) -> None:
    write_predictions(
        predictions({edge: ENTRIES[edge] for edge in ((0, 1), (0, 2), (1, 2), (3, 4))}), tmp_path / "p"
    )
    assert main(["align", str(tmp_path / "p"), "--out", str(tmp_path / "scene")]) == 0
    (tmp_path / "scene" / "part-2" / "object.glb").write_text("exported")
    (tmp_path / "scene" / "part-of-mine").mkdir()
    assert main(["align", str(folder), "--out", str(tmp_path / "scene")]) == 0
    assert sorted(path.name for path in (tmp_path / "scene").iterdir()) == [
        "part-2",
        "part-of-mine",
        "scene.json",
        "views.safetensors",
    ]
    assert [path.name for path in (tmp_path / "scene" / "part-2").iterdir()] == ["object.glb"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--poses", "frozen"], "states no poses"),
        (["--pose-sigma", "3"], "states no poses"),
        (["--place-sigma", "inf"], "above 0 and finite"),
        (["--poses", "frozen", "--place-sigma", "0.1"], "--place-sigma: poses that stay"),
        (["--preset", "mast3r", "--poses", "frozen"], "--poses: the preset mast3r"),
        (["--preset", "mast3r", "--principal-point", "free"], "--principal-point: the preset mast3r"),
        (["--onto", "SCENE", "--parts", "error"], "--parts: with --onto"),
        (["--onto", "SCENE", "--poses", "frozen"], "--poses: with --onto"),
        (["--onto", "SCENE"], "no scene here"),
        (["--preset", "none"], "Choose one of"),
    ],
)
def test_options_that_would_change_nothing_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert main(["align", str(folder), "--out", str(tmp_path / "scene"), *options]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "scene" / "scene.json").exists()


def test_stated_poses_are_frozen_when_asked(tmp_path: Path) -> None:
    given = predictions()
    stated = tuple(replace(view, cam_from_world=pose) for view, pose in zip(given.views, TRUTH))
    write_predictions(replace(given, views=stated), tmp_path / "p")
    assert main(["align", str(tmp_path / "p"), "--out", str(tmp_path / "scene"), "--poses", "frozen"]) == 0
    np.testing.assert_array_equal(load_scene(tmp_path / "scene").cameras.cam_from_world, TRUTH)


def test_a_view_is_placed_in_a_finished_scene(folder: Path, tmp_path: Path) -> None:
    write_predictions(
        predictions({edge: ENTRIES[edge] for edge in ENTRIES if 4 not in edge}), tmp_path / "four"
    )
    assert main(["align", str(tmp_path / "four"), "--out", str(tmp_path / "scene")]) == 0
    assert (
        main(["align", str(folder), "--onto", str(tmp_path / "scene"), "--out", str(tmp_path / "grown")]) == 0
    )
    before, after = (load_scene(tmp_path / name).cameras.cam_from_world for name in ("scene", "grown"))
    np.testing.assert_array_equal(after[:4], before)
    assert pair_errors(after, TRUTH)[0].max() < 0.3


@pytest.mark.parametrize("depth", ["tsdf", "matches"])
def test_depths_come_from_where_they_are_asked_for(
    folder: Path, tmp_path: Path, depth: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, chosen in (("plain", "aligned"), ("other", depth)):
        assert main(["align", str(folder), "--out", str(tmp_path / name), "--depth", chosen]) == 0
    assert "depth: " in capsys.readouterr().err
    plain, other = (load_scene(tmp_path / name) for name in ("plain", "other"))
    np.testing.assert_array_equal(plain.cameras.cam_from_world, other.cameras.cam_from_world)
    assert other.report.figures["depth"]["source"] == depth
    assert not any(np.array_equal(a.depth, b.depth) for a, b in zip(plain.views, other.views))


def test_depths_from_nowhere_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["align", str(folder), "--out", str(tmp_path / "scene"), "--depth", "stereo"])
    assert "'tsdf', 'matches'" in capsys.readouterr().err


def test_circles_are_a_choice_of_the_bundle_aligner(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "scene"), "--turntable", "off"]
    assert main(["align", str(folder), *out]) == 0
    capsys.readouterr()
    assert main(["align", str(folder), *out, "--preset", "mast3r"]) == 2
    told = capsys.readouterr().err
    assert "--turntable" in told
    assert "--preset pointloom" in told
