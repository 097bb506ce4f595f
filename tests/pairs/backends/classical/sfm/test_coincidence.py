"""Views that collapse onto a few places."""

from __future__ import annotations

import numpy as np
import roma
import torch

from pairs.backends.classical.sfm.acceptance import Assessment, Verdict, collapsed_views, with_collapsed_views
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.views.cameras import Cameras


def model_at(angles_deg: list[float]) -> MapperModel:
    """Cameras on a circle about the origin, looking inwards."""
    turn = torch.deg2rad(torch.tensor(angles_deg, dtype=torch.float64))
    R = roma.rotvec_to_rotmat(torch.stack([torch.zeros_like(turn), turn, torch.zeros_like(turn)], 1)).numpy()
    poses = np.tile(np.eye(4), (len(angles_deg), 1, 1))
    poses[:, :3, :3], poses[:, 2, 3] = R, 4
    nothing = np.zeros(0, np.int32)
    cameras = Cameras(np.tile(np.eye(3), (len(angles_deg), 1, 1)), poses)
    return MapperModel(tuple(range(len(angles_deg))), cameras, np.zeros((0, 3)), nothing, nothing, nothing)


def test_a_ring_has_no_coinciding_views() -> None:
    assert collapsed_views(model_at([30 * k for k in range(12)]), 12) == ()


def test_a_ring_folded_onto_a_quarter_is_seen_whole() -> None:
    assert collapsed_views(model_at([30 * (k % 3) for k in range(12)]), 12) == tuple(range(12))


def test_a_photo_taken_twice_in_a_row_is_no_fold() -> None:
    assert collapsed_views(model_at([15.0 * (k // 2) for k in range(16)]), 16) == ()


def test_two_views_at_one_place_are_few_and_many_make_a_scene_doubtful() -> None:
    sure = Assessment(Verdict.SURE, "fits", None)
    assert with_collapsed_views(sure, (0, 10), 16) is sure
    doubtful = with_collapsed_views(sure, tuple(range(5)), 12)
    assert doubtful.verdict is Verdict.DOUBTFUL
    assert "5 of 12 views stand where others stand" in doubtful.reason


def test_a_scene_whose_views_mostly_collapse_is_rejected() -> None:
    collapsed = with_collapsed_views(Assessment(Verdict.SURE, "fits", None), tuple(range(12)), 12)
    assert collapsed.verdict is Verdict.REJECTED
    assert collapsed.folded
