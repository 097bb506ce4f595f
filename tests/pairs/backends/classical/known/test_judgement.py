"""Stated poses against matches: what is named, and what is left in peace."""

from __future__ import annotations

import numpy as np
import pytest
from posed_ring import NAMES, TRUE, K, key_points, of_matrices, verified

from align.rotations import rotation_of
from pairs.backends.classical.known.judgement import FIXED_MOST_PX, Judgement, judge
from pairs.backends.classical.known.match_evidence import match_evidence
from pairs.views.pose_readings import READINGS, Poses

XY = key_points()
EVIDENCE = match_evidence(XY, verified(XY), range(len(TRUE)), [[K] * len(TRUE)])
POSES = of_matrices(TRUE)
BY_WORDS = {reading.words: reading for reading in READINGS}
OPENGL = "cam_from_world with OpenGL axes (y up, z backward)"
INVERSE = "world_from_cam"
SOFT_PX = 31.0


def judged(poses: Poses, most_px: float = FIXED_MOST_PX) -> Judgement:
    return judge(EVIDENCE, poses, NAMES, most_px)


def noisy(degrees: float) -> Poses:
    turn = rotation_of(np.random.default_rng(2).normal(0, np.deg2rad(degrees) / 3**0.5, (len(TRUE), 3)))
    return turn @ POSES[0], np.einsum("vij,vj->vi", turn, POSES[1])


def mixed(other: Poses, which: np.ndarray) -> Poses:
    return np.where(which[:, None, None], other[0], POSES[0]), np.where(which[:, None], other[1], POSES[1])


@pytest.mark.parametrize("scale", [1.0, 1000.0, 1e-4])
def test_true_poses_fit_in_any_unit(scale: float) -> None:
    found = judged((POSES[0], scale * POSES[1]))
    assert not found.fault
    assert not found.doubted
    assert found.distance_px < 0.4


@pytest.mark.parametrize(
    ("words", "stated"),
    [
        (OPENGL, BY_WORDS[OPENGL].change(POSES)),
        (INVERSE, BY_WORDS[INVERSE].change(POSES)),
        (
            "world_from_cam with OpenGL axes (y up, z backward)",
            BY_WORDS[INVERSE].change(BY_WORDS[OPENGL].change(POSES)),
        ),
    ],
)
@pytest.mark.parametrize("most_px", [FIXED_MOST_PX, SOFT_PX])
def test_another_convention_is_named_with_its_cure(words: str, stated: Poses, most_px: float) -> None:
    found = judged(stated, most_px)
    assert found.read_as == words
    assert BY_WORDS[words].remedy in found.fault


def test_half_of_the_views_in_other_axes_are_named() -> None:
    half = np.arange(len(TRUE)) % 2 == 0
    found = judged(mixed(BY_WORDS[OPENGL].change(POSES), half))
    assert "0.jpg, 2.jpg, 4.jpg, 6.jpg, 8.jpg, and 1 more contradict" in found.fault
    assert OPENGL in found.fault


def test_half_of_the_views_in_another_world_are_named() -> None:
    turn = rotation_of(np.array([0.3, 0.5, 0.2]))
    other = POSES[0] @ turn, POSES[1] + POSES[0] @ np.array([1.0, 2, 3])
    assert "contradict those of" in judged(mixed(other, np.arange(len(TRUE)) < 6)).fault


def test_a_single_wrong_view_is_doubted_alone() -> None:
    found = judged(mixed(BY_WORDS[INVERSE].change(POSES), np.arange(len(TRUE)) == 4))
    assert not found.fault
    assert list(found.doubted) == [4]


def test_poses_in_the_order_of_other_files_are_said_to_be() -> None:
    assert "in different orders" in judged((POSES[0][::-1], POSES[1][::-1])).fault
    assert "in different orders" in judged((np.roll(POSES[0], 1, 0), np.roll(POSES[1], 1, 0))).fault


def test_poses_of_other_photos_are_refused() -> None:
    shuffled = np.random.default_rng(0).permutation(len(TRUE))
    assert "poses of other photos" in judged((POSES[0][shuffled], POSES[1][shuffled])).fault


def test_poses_a_degree_off_may_be_improved_but_not_stay() -> None:
    assert not judged(noisy(1.0), SOFT_PX).fault
    assert "far less accurate" in judged(noisy(1.5)).fault
    assert not judged(noisy(0.1)).fault
