from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from align.evaluation.localisation import (
    THRESHOLDS,
    localisation_errors,
    read_poses,
    summary_line,
    write_poses,
)
from align.rotations import rotation_of
from masks.errors import FormatError


def pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = rotation_of(rng.normal(size=3)), rng.normal(size=3)
    return made


def off(true: np.ndarray, centre: float, degrees: float) -> np.ndarray:
    """Return a pose whose centre and rotation are so far off."""
    moved = true.copy()
    moved[:3, :3] = rotation_of(np.deg2rad([0.0, degrees, 0.0])) @ true[:3, :3]
    place = -true[:3, :3].T @ true[:3, 3] + [0, centre, 0]
    moved[:3, 3] = -moved[:3, :3] @ place
    return moved


def test_errors_are_those_of_centre_and_rotation() -> None:
    true = np.stack([pose(k) for k in range(3)])
    errors = localisation_errors([off(true[0], 0.3, 4), None, true[2]], true)
    np.testing.assert_allclose(errors.centre, [0.3, np.inf, 0], atol=1e-12)
    np.testing.assert_allclose(errors.degrees, [4, np.inf, 0], atol=1e-6)
    assert errors.medians == pytest.approx((0.3, 4))


def test_both_errors_must_be_strictly_below_a_threshold() -> None:
    true = np.stack([pose(k) for k in range(4)])
    found = [off(true[0], 0.2, 1), off(true[1], 0.3, 1), off(true[2], 0.2, 3)]
    errors = localisation_errors([*found, None], true)
    assert [errors.share_within(*threshold) for threshold in THRESHOLDS] == [0, 25, 75, 75]
    assert errors.share_within(0.3, 0.5) == 0
    assert "4 images" in summary_line("X", errors)
    assert summary_line("X", errors).endswith(
        "acc@0.25m,2deg=25.000  - acc@0.5m,5deg=75.000  - acc@5m,10deg=75.000"
    )


def test_poses_come_back_from_their_file(tmp_path: Path) -> None:
    poses = {f"seq/{k}.png": pose(k) for k in range(5)}
    write_poses(tmp_path / "poses.txt", {**poses, "seq/lost.png": None})
    read = read_poses(tmp_path / "poses.txt")
    for name, made in poses.items():
        np.testing.assert_allclose(read[name], made, atol=1e-12)
    np.testing.assert_array_equal(read["seq/lost.png"], np.eye(4))
    write_poses(tmp_path / "base.txt", poses, base_names=True)
    assert list(read_poses(tmp_path / "base.txt")) == [f"{k}.png" for k in range(5)]


@pytest.mark.parametrize(
    "line", ["a.png 1 0 0 0 0 0", "a.png 1 0 0 0 0 0 x", "a.png 0 0 0 0 1 1 1", "a.png 1 0 0 0 nan 0 0"]
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "poses.txt"
    path.write_text(f"# poses\nb.png 1 0 0 0 0 0 0\n{line}\n")
    with pytest.raises(FormatError, match=r"line 3"):
        read_poses(path)
