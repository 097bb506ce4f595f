"""Folds made by hand are cut where they are and joined again; right scenes stay whole."""

from __future__ import annotations

import numpy as np
import pytest
from ellipsoid_masks import BODY, outlines_of
from look_alike_ring import CAMERAS, folded

from pairs.rings.splitting import cut_folds, join_fold
from pairs.rings.upright import axis_across_rows
from pairs.views.cameras import Cameras

OUTLINES = outlines_of(CAMERAS, BODY)


def test_a_right_scene_stays_whole():
    found = cut_folds(CAMERAS, OUTLINES)
    assert [len(piece) for piece in found.pieces] == [16]
    assert len(found.single) == 0
    assert found.tangency < 0.5


@pytest.mark.parametrize(("first", "last", "turn"), [(5, 11, 180.0), (5, 11, 90.0), (0, 4, 180.0)])
def test_a_fold_is_cut_where_it_is_and_joined_where_it_belongs(first, last, turn):
    block = np.arange(first, last)
    wrong = folded(CAMERAS, block, turn)
    found = cut_folds(wrong, OUTLINES)
    assert len(found.pieces) == 2
    np.testing.assert_array_equal(found.pieces[1], block)
    axis = axis_across_rows(wrong.cam_from_world[found.pieces[0]])
    joined = join_fold(wrong, OUTLINES, *found.pieces, axis)
    assert joined.accepted
    assert joined.tangency < 0.3
    assert joined.turned_by == pytest.approx(np.deg2rad(turn), abs=0.02)
    R, true = joined.cam_from_world[:, :3, :3], CAMERAS.cam_from_world[block, :3, :3]
    cosine = (np.einsum("vij,vij->v", R, true) - 1) / 2
    assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 0.5
    centres = Cameras(CAMERAS.K[block], joined.cam_from_world).centres
    assert np.abs(centres - CAMERAS.centres[block]).max() < 0.1


def test_one_wrong_view_is_single():
    found = cut_folds(folded(CAMERAS, np.array([7]), 168.0), OUTLINES)
    assert found.single.tolist() == [7]
    assert len(found.pieces) == 1


def test_the_axis_of_upright_cameras():
    assert abs(axis_across_rows(CAMERAS.cam_from_world)[2]) == pytest.approx(1)
