"""pointloom align on a damaged folder of predictions: one message with the file and the remedy, exit code 2,
no traceback, never a NaN in a scene.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from small_predictions import predictions

from align.cli.main import main
from align.scene_folder import load_scene
from pairs.backends.precomputed import write_predictions

PAIR = "pairs/0.jpg--1.jpg.safetensors"
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sound predictions; copied, never changed."""
    mask = np.zeros((32, 48), bool)
    mask[2:30, 4:44] = True
    folder = tmp_path_factory.mktemp("predictions") / "whole"
    write_predictions(predictions(mask=mask), folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "predictions"))


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Align and return what is said about why not."""
    assert main(["align", str(folder), "--out", str(folder.parent / "scene")]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said[said.rindex("pointloom:") :]


def aligned(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """Align and return the names of the views placed, and what was said."""
    assert main(["align", str(folder), "--out", str(folder.parent / "scene")]) == 0
    scene = load_scene(folder.parent / "scene")
    for view in scene.views:
        assert np.isfinite(view.depth).all()
        assert np.isfinite(view.conf).all()
    return [view.name for view in scene.views], capsys.readouterr().err


def change_view(folder: Path, **changes: object) -> None:
    """Change the entry of the second view."""
    document = json.loads((folder / "views.json").read_text())
    document[1] |= changes
    (folder / "views.json").write_text(json.dumps(document))


def change_pair(folder: Path, change: Callable[[Arrays], Arrays], name: str = PAIR) -> None:
    arrays = load_file(folder / name)
    save_file(
        {key: np.ascontiguousarray(array) for key, array in (arrays | change(arrays)).items()}, folder / name
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'[{"name":',
        b"\xff\xfe",
        b"null",
        b"[1, 2]",
        b'[{"name": "a", "width": 8, "height": 8}]',
        b"[" * 100_000,
    ],
)
def test_a_list_of_views_that_is_none(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (folder / "views.json").write_bytes(content)
    assert "views.json" in refused(folder, capsys)


@pytest.mark.parametrize(
    ("stated", "where", "says"),
    [
        ({"name": None}, "views.json: entry 1", "is no name"),
        ({"name": "0.jpg"}, "views.json", "two views"),
        ({"width": 40}, "views.json: entry 1", "48x32, but the view's grid is 40x32"),
        ({"width": 48.5}, "views.json: entry 1", "width"),
        ({"width": float("inf")}, "views.json: entry 1", "width"),
        ({"width": -48}, "views.json: entry 1", "-48x32 cannot be"),
        ({"width": 10**12}, "views.json: entry 1", "cannot be"),
        ({"K": [[-50, 0, 24], [0, -50, 16], [0, 0, 1]]}, "views.json: entry 1", "positive focals"),
        ({"K": [[float("nan"), 0, 24], [0, 50, 16], [0, 0, 1]]}, "views.json: entry 1", "finite"),
        (
            {"K": [[1e308, 0, 24], [0, 1e308, 16], [0, 0, 1]]},
            "views.json: entry 1",
            "a focal of 1e+308 pixels",
        ),
        ({"K": [[50, 5, 24], [0, 50, 16], [0, 0, 1]]}, "views.json: entry 1", "skew"),
        ({"K": "wide"}, "views.json: entry 1", "not a matrix"),
        ({"cam_from_world": np.diag([2, 2, 2, 1]).tolist()}, "views.json: entry 1", "rigid"),
        ({"cam_from_world": np.diag([-1, 1, 1, 1]).tolist()}, "views.json: entry 1", "rigid"),
        ({"image": "none.png"}, "predictions/none.png", "cannot be read"),
        ({"mask": "../mask.png"}, "views.json: entry 1", "outside of the folder"),
    ],
)
def test_a_view_that_cannot_be(
    folder: Path, capsys: pytest.CaptureFixture[str], stated: dict, where: str, says: str
) -> None:
    change_view(folder, **stated)
    said = refused(folder, capsys)
    assert where in said
    assert says in said


@pytest.mark.parametrize("name", [PAIR, "images/1.jpg.png", "masks/1.jpg.png"])
@pytest.mark.parametrize("left", [0, 8, 40])
def test_a_truncated_file_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, left: int
) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:left])
    assert name in refused(folder, capsys)


def test_a_missing_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "masks/1.jpg.png").unlink()
    assert "masks/1.jpg.png" in refused(folder, capsys)


@pytest.mark.parametrize("as_file", [True, False])
def test_no_pairs_at_all(folder: Path, capsys: pytest.CaptureFixture[str], as_file: bool) -> None:
    shutil.rmtree(folder / "pairs")
    if as_file:
        (folder / "pairs").write_text("pairs")
    assert "no pair file" in refused(folder, capsys)


def test_a_mask_of_another_size(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(folder / "masks/1.jpg.png")
    assert "masks/1.jpg.png is 10x10" in refused(folder, capsys)


def test_masks_that_are_white_all_over_hold_everything(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (folder / "masks").iterdir():
        Image.fromarray(np.full((32, 48), 255, np.uint8)).save(path)
    assert len(aligned(folder, capsys)[0]) == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: {"ab/a_in_a": a["ab/a_in_a"].swapaxes(0, 1)}, "ab/a_in_a has the shape (48, 32, 3)"),
        (lambda a: {"ab/a_in_a": a["ab/a_in_a"].astype(np.uint8)}, "ab/a_in_a holds uint8"),
        (lambda a: {"ab/a_conf": a["ab/a_conf"] * 0.1}, "below 1"),
        (lambda a: {"ab/a_conf": a["ab/a_conf"] * np.inf}, "infinite"),
        (lambda a: {"ab/a_conf": a["ab/a_conf"] * np.nan}, "NaN"),
        (lambda a: {"matches/conf": a["matches/conf"] * 0}, "not positive"),
        (lambda a: {"matches/xy_a": a["matches/xy_a"] * np.nan}, "NaN"),
        (lambda a: {"matches/xy_b": a["matches/xy_b"] + 100}, "leaves the 48x32 grid"),
        (lambda a: {"matches/conf": a["matches/conf"][:3]}, "the shapes"),
    ],
)
def test_a_pair_that_cannot_be(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Arrays], Arrays], says: str
) -> None:
    change_pair(folder, change)
    said = refused(folder, capsys)
    assert says in said
    assert PAIR in said


def test_a_pair_in_both_orders_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / PAIR, folder / "pairs/1.jpg--0.jpg.safetensors")
    assert "1.jpg--0.jpg.safetensors: the pair is there twice" in refused(folder, capsys)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_that_are_not_finite_are_absent(
    folder: Path, capsys: pytest.CaptureFixture[str], value: float
) -> None:
    def holed(arrays: Arrays) -> Arrays:
        points = {key: array for key, array in arrays.items() if "_in_" in key}
        for array in points.values():
            array[8:14, 10:24] = value
        return points

    for path in (folder / "pairs").iterdir():
        change_pair(folder, holed, f"pairs/{path.name}")
    assert len(aligned(folder, capsys)[0]) == 5


def test_a_pair_of_nothing_finite_is_named_and_no_view_is_lost(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_pair(
        folder, lambda arrays: {key: array * np.nan for key, array in arrays.items() if "_in_" in key}
    )
    placed, said = aligned(folder, capsys)
    assert len(placed) == 5
    assert "0.jpg with 1.jpg" in said


def test_only_predictions_that_are_not_finite(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "pairs").iterdir():
        change_pair(
            folder,
            lambda arrays: {key: array * np.nan for key, array in arrays.items() if "_in_" in key},
            f"pairs/{path.name}",
        )
    assert "no finite point" in refused(folder, capsys)


def test_one_pair_alone_is_aligned_and_the_other_views_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (folder / "pairs").iterdir():
        if path.name != Path(PAIR).name:
            path.unlink()
    placed, said = aligned(folder, capsys)
    assert placed == ["0.jpg", "1.jpg"]
    assert all(f"{k}.jpg" in said for k in (2, 3, 4))


def test_views_in_two_parts_do_not_crash(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "pairs").iterdir():
        a, b = (int(name[0]) for name in path.stem.split("--"))
        if (a < 2) != (b < 2):
            path.unlink()
    assert aligned(folder, capsys)[0] == ["2.jpg", "3.jpg", "4.jpg"]
