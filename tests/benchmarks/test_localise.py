"""The benchmark of localisation runs every road on a data set of the usual layout, and judges it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pycolmap", reason="no wheel of pycolmap for this platform")

from localisation_set import Written, write_set
from localise import main
from tiny_networks import tiny_network, write_folder

from align.evaluation.localisation import read_poses, write_poses


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_set(tmp_path_factory.mktemp("set"), textured=True, num_points=20_000)


def arguments(written: Written, *more: object) -> list[str]:
    given = (written.model, written.photos, "--queries", written.queries, "--pairs", written.pairs, *more)
    return [str(each) for each in given]


@pytest.mark.slow
def test_the_embedded_backend_places_every_query(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = tmp_path / "truth.txt"
    write_poses(truth, written.truth)
    given = ("--truth", truth, "--out", tmp_path, "--backend", "classical", "--masks", written.masks)
    main(arguments(written, *given, "--reprojection-error-diag-ratio", 0.005))
    said = capsys.readouterr().out
    assert "classical_reproj_diag_0.005: 2 images" in said
    assert "| 2 | 100.0 | 100.0 | 100.0 | 0.0" in said
    found = read_poses(tmp_path / "classical_reproj_diag_0.005_results.txt")
    assert list(found) == list(written.truth)
    assert list(read_poses(tmp_path / "classical_reproj_diag_0.005_ltvl.txt")) == ["0.png", "1.png"]


@pytest.mark.parametrize(
    ("head", "options", "label"),
    [
        ("dpt", ["--backend", "dust3r"], "tol_conf_3.0_reproj_err_5.0"),
        ("catmlp+dpt", ["--backend", "mast3r", "--pixel-tol", 3], "tol_3_conf_1.001_reproj_err_5.0"),
        (
            "catmlp+dpt",
            ["--coarse-to-fine", "--max-image-size", 600, "--c2f-crop-with-homography"],
            "tol_5_c2f_600_with_homography_conf_1.001_reproj_err_5.0",
        ),
    ],
)
def test_networks_are_opened_from_their_weights(
    written: Written, tmp_path: Path, head: str, options: list[object], label: str
) -> None:
    weights = write_folder(tmp_path / "weights", tiny_network(head, size=224))
    main(arguments(written, *options, "--topk", 1, "--weights", weights, "--out", tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{label}_ltvl.txt",
        f"{label}_results.txt",
    ]


def test_true_poses_of_other_photos_judge_nothing(written: Written, tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text("other.png 1 0 0 0 0 0 0\n")
    (tmp_path / "no_pairs.txt").write_text("")
    given = ["--truth", tmp_path / "truth.txt", "--backend", "classical"]
    with pytest.raises(SystemExit, match="--truth"):
        main([*arguments(written, *given), "--pairs", str(tmp_path / "no_pairs.txt")])
