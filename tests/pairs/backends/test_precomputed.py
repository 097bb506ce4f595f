"""Reading predictions that another program has written."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from masks.errors import FormatError
from pairs.backends.precomputed import read_predictions

SIZE = (16, 8)


def arrays(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    points, conf = rng.uniform(1, 2, (8, 16, 3)).astype(np.float32), np.full((8, 16), 3, np.float32)
    entry = {
        f"{run}/{name}": points
        for run, names in (("ab", ("a_in_a", "b_in_a")), ("ba", ("b_in_b", "a_in_b")))
        for name in names
    }
    entry |= {f"{run}/{name}": conf for run in ("ab", "ba") for name in ("a_conf", "b_conf")}
    entry |= {
        "matches/xy_a": np.ones((3, 2), np.float32),
        "matches/xy_b": np.ones((3, 2), np.float32),
        "matches/conf": np.ones(3, np.float32),
    }
    entry |= {name.replace("__", "/"): value for name, value in changes.items() if value is not None}
    return {
        name: value
        for name, value in entry.items()
        if changes.get(name.replace("/", "__"), value) is not None
    }


def write(folder: Path, views: list[dict] | None = None, **changes: np.ndarray | None) -> Path:
    (folder / "pairs").mkdir(parents=True)
    default = [
        {"name": name, "width": SIZE[0], "height": SIZE[1], "camera": "one"} for name in ("x.jpg", "y.jpg")
    ]
    (folder / "views.json").write_text(json.dumps(default if views is None else views))
    save_file(arrays(**changes), folder / "pairs" / "x.jpg--y.jpg.safetensors")
    return folder


def test_views_and_pairs_come_back(tmp_path: Path) -> None:
    predictions = read_predictions(write(tmp_path / "p"))
    assert [v.name for v in predictions.views] == ["x.jpg", "y.jpg"]
    assert predictions.edges == ((0, 1),)
    entry = predictions.load(0)
    assert entry.ab is not None
    assert entry.ba is not None
    assert entry.matches is not None
    assert len(entry.matches.conf) == 3
    assert predictions.cameras is None


def test_either_run_and_the_matches_may_be_missing(tmp_path: Path) -> None:
    gone = {f"ba__{name}": None for name in ("b_in_b", "a_in_b", "b_conf", "a_conf")} | {
        f"matches__{n}": None for n in ("xy_a", "xy_b", "conf")
    }
    entry = read_predictions(write(tmp_path / "p", **gone)).load(0)
    assert entry.ba is None
    assert entry.matches is not None  # found from the pointmaps
    assert len(entry.matches.conf) > 0


def test_a_mask_inside_the_folder_is_read(tmp_path: Path) -> None:
    views = [{"name": name, "width": 16, "height": 8, "mask": "m.png"} for name in ("x.jpg", "y.jpg")]
    folder = write(tmp_path / "p", views)
    Image.fromarray(np.eye(8, 16).astype(np.uint8) * 255).save(folder / "m.png")
    mask = read_predictions(folder).views[0].mask
    assert mask is not None
    assert mask.pixels.sum() == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../x.jpg"}, "name"),
        ({"mask": "../../m.png"}, "outside of the folder"),
        ({"K": [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]}, "focal"),
        ({"cam_from_world": np.diag([1, 1, 2, 1]).tolist()}, "rigid"),
        ({"width": "wide"}, "entry 0"),
    ],
)
def test_a_wrong_view_is_named(tmp_path: Path, change: dict, message: str) -> None:
    views = [{"name": name, "width": 16, "height": 8} for name in ("x.jpg", "y.jpg")]
    views[0] |= change
    with pytest.raises(FormatError, match=message):
        read_predictions(write(tmp_path / "p", views))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ab__a_in_a": np.ones((8, 8, 3), np.float32)}, r"ab/a_in_a has the shape \(8, 8, 3\)"),
        ({"ab__a_conf": np.zeros((8, 16), np.float32)}, "below 1"),
        ({"ab__b_conf": None}, "ab/b_conf is missing"),
        ({"matches__xy_a": np.full((3, 2), 99, np.float32)}, "leaves the 16x8 grid"),
        ({"matches__conf": np.full(3, np.nan, np.float32)}, "NaN"),
    ],
)
def test_a_wrong_pair_is_named(tmp_path: Path, change: dict, message: str) -> None:
    predictions = read_predictions(write(tmp_path / "p", **change))
    with pytest.raises(FormatError, match=message) as caught:
        predictions.load(0)
    assert "x.jpg--y.jpg" in str(caught.value)


def test_a_truncated_pair_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "p")
    path = folder / "pairs/x.jpg--y.jpg.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FormatError, match=r"x\.jpg--y\.jpg"):
        read_predictions(folder).load(0)


def test_a_file_of_unknown_views_is_reported(tmp_path: Path) -> None:
    folder = write(tmp_path / "p")
    save_file(arrays(), folder / "pairs" / "x.jpg--z.jpg.safetensors")
    assert [n.subject for n in read_predictions(folder).notices] == ["x.jpg--z.jpg.safetensors"]


def test_stated_cameras_are_in_the_views(tmp_path: Path) -> None:
    full = {"K": np.diag([9.0, 9.0, 1.0]).tolist(), "cam_from_world": np.eye(4).tolist()}
    views = [{"name": name, "width": 16, "height": 8, **full} for name in ("x.jpg", "y.jpg")]
    found = read_predictions(write(tmp_path / "p", views)).views[1]
    np.testing.assert_array_equal(found.K, np.diag([9.0, 9.0, 1.0]))
    np.testing.assert_array_equal(found.cam_from_world, np.eye(4))


def test_a_grid_without_points_takes_no_memory(tmp_path: Path) -> None:
    views = [{"name": name, "width": 20000, "height": 20000} for name in ("x.jpg", "y.jpg")]
    with pytest.raises(FormatError, match=r"x\.jpg.*20000x20000 cannot be, and no pair file holds so many"):
        read_predictions(write(tmp_path / "p", views))


def test_a_pair_file_that_may_be_of_several_pairs_is_refused(tmp_path: Path) -> None:
    names = ("a", "a--b", "b", "b--b")
    views = [{"name": name, "width": SIZE[0], "height": SIZE[1]} for name in names]
    folder = write(tmp_path / "p", views)
    (folder / "pairs" / "x.jpg--y.jpg.safetensors").rename(folder / "pairs" / "a--b--b.safetensors")
    with pytest.raises(FormatError, match=r"a--b--b.*fits several pairs.*Rename"):
        read_predictions(folder)


def test_a_path_with_a_NUL_is_refused(tmp_path: Path) -> None:
    views = [{"name": n, "width": SIZE[0], "height": SIZE[1], "image": "a\0.png"} for n in ("x.jpg", "y.jpg")]
    with pytest.raises(FormatError, match=r"views\.json: .*is no path"):
        read_predictions(write(tmp_path / "p", views))
