"""cameras.json comes back bit for bit, and nothing wrong gets in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from align.export.cameras_json import PhotoCamera, read_cameras, write_cameras
from masks.errors import FormatError, OutputError


def camera(seed: int, file: str = "a.jpg") -> PhotoCamera:
    rng = np.random.default_rng(seed)
    K = np.array(
        [
            [rng.uniform(100, 5000), 0, rng.uniform(0, 4000)],
            [0, rng.uniform(100, 5000), rng.uniform(0, 3000)],
            [0, 0, 1],
        ]
    )
    return PhotoCamera(
        file,
        4032,
        3024,
        K,
        Rotation.random(random_state=seed).as_matrix(),
        rng.normal(size=3) * 10.0 ** rng.integers(-8, 8),
    )


@given(st.integers(0, 2**31), st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_every_number_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, seed: int, file: str
) -> None:
    path = tmp_path_factory.mktemp("cameras") / "cameras.json"
    written = [camera(seed, file), camera(seed + 1, file + "2")]
    write_cameras(path, written)
    for before, after in zip(written, read_cameras(path), strict=True):
        assert (before.file, before.width, before.height) == (after.file, after.width, after.height)
        np.testing.assert_array_equal(before.K, after.K)
        np.testing.assert_array_equal(before.cam_from_world, after.cam_from_world)


def entry(**changes: Any) -> dict[str, Any]:
    good = {
        "file": "a.jpg",
        "width": 4,
        "height": 3,
        "K": [[2, 0, 1], [0, 2, 1], [0, 0, 1]],
        "R": np.eye(3).tolist(),
        "t": [0, 0, 1],
    }
    return {key: value for key, value in (good | changes).items() if value is not ...}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"t": ...}, "lacks t"),
        ({"K": ..., "R": ...}, "lacks K, R"),
        ({"file": 3}, "file is 3"),
        ({"width": 4.5}, "whole pixels"),
        ({"height": 0}, "whole pixels"),
        ({"width": True}, "whole pixels"),
        ({"K": [[2, 0], [0, 2]]}, r"K has shape \(2, 2\)"),
        ({"K": [[-2, 0, 1], [0, 2, 1], [0, 0, 1]]}, "not a pinhole"),
        ({"K": [[2, 0, 1], [0, 2, 1], [0, 0, 2]]}, "not a pinhole"),
        ({"K": [[2, 0, 1], [0, 2], [0, 0, 1]]}, "does not hold numbers"),
        ({"K": "none"}, "does not hold numbers"),
        ({"R": (2 * np.eye(3)).tolist()}, "not a rotation"),
        ({"R": np.diag([1, 1, -1]).tolist()}, "not a rotation"),
        ({"t": [0, 0, float("nan")]}, "not finite"),
        ({"t": [[0], [0], [1]]}, r"t has shape \(3, 1\)"),
    ],
)
def test_a_wrong_entry_is_named_with_its_number(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps([entry(file="first.jpg"), entry(**changes)]))
    with pytest.raises(FormatError, match=said) as caught:
        read_cameras(path)
    assert str(caught.value).startswith(f"{path}: entry 1")


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", "null", '[{"file": ', json.dumps([entry(), entry()]), "\0"]
)
def test_what_is_no_list_of_cameras_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(content)
    with pytest.raises(FormatError, match=r"cameras\.json"):
        read_cameras(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(FormatError, match="is not JSON"):
        read_cameras(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_cameras(tmp_path / "none.json")


def test_an_old_file_survives_a_failed_write(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    write_cameras(path, [camera(0)])
    before = path.read_bytes()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="another place"):
        write_cameras(tmp_path / "file" / "cameras.json", [camera(1)])
    with pytest.raises(ValueError, match="JSON compliant"):
        write_cameras(path, [PhotoCamera("a", 1, 1, np.full((3, 3), np.nan), np.eye(3), np.zeros(3))])
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cameras.json", "file"]
