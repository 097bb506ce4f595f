"""Which views share a focal, and what it starts from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_gathered import CENTRE, small_gathered, small_views
from small_scene import cam_from_world, intrinsics

from align.sparse.gauss_newton import gauss_newton_align
from align.sparse.lenses import lenses_of
from align.sparse.parameters import Known
from align.sparse.refinement import GaussNewton
from masks.errors import SolverError


def canonical(focals: list[float]):
    views = small_gathered(len(focals)).views
    return [replace(view, focal=torch.tensor(focal)) for view, focal in zip(views, focals)]


def test_one_camera_starts_from_the_median_of_its_views() -> None:
    lenses, notices = lenses_of(canonical([50, 51, 49, 50.5]), small_views(4), CENTRE.expand(4, 2), Known())
    np.testing.assert_allclose(np.exp(lenses.log_focal), [50.25], rtol=1e-3)
    assert notices == ()


def test_focals_too_far_apart_for_one_camera_are_reported() -> None:
    _, notices = lenses_of(canonical([50, 60, 45, 55]), small_views(4), CENTRE.expand(4, 2), Known())
    assert [n.subject for n in notices] == ["camera a"]


def test_a_known_view_is_a_camera_of_its_own() -> None:
    lenses, notices = lenses_of(canonical([50, 70, 50]), small_views(3), CENTRE.expand(3, 2), Known(K={1: intrinsics()}))
    assert lenses.camera.tolist() == [0, 1, 0]
    assert lenses.held.tolist() == [False, True]
    assert notices == ()


def test_given_cameras_on_the_wrong_side_are_an_error() -> None:
    poses = cam_from_world(4)
    poses[:, :3, 3] *= -1  # every centre on the other side of the origin
    with pytest.raises(SolverError, match="given cameras"):
        gauss_newton_align(small_gathered(4), GaussNewton(), Known(cam_from_world=dict(enumerate(poses))))


