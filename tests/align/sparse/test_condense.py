from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_scene import HEIGHT, WIDTH, cam_from_world, depth_map, pair_record, small_problem

from align.sparse.condense import condense
from align.sparse.problem import bounds, cast, owner


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_owners_of_ranges_are_those_of_their_elements(lengths):
    assert owner(bounds(lengths)).tolist() == [k for k, length in enumerate(lengths) for _ in range(length)]


def test_points_are_the_ends_of_the_matches_in_order():
    _, problem, _ = small_problem(4)
    poses = cam_from_world(4)
    depths = [depth_map(pose) for pose in poses]
    for k, (a, b) in enumerate(problem.pair.tolist()):
        record = pair_record(poses, depths, a, b)
        ends = problem.match_points[problem.match_start[k] : problem.match_start[k + 1]]
        assert torch.equal(problem.point_xy[ends[:, 0]], record.xy_a)
        assert torch.equal(problem.point_xy[ends[:, 1]], record.xy_b)
        assert (problem.point_view[ends] == torch.tensor([a, b])).all()
    assert torch.equal(problem.match_points.flatten().sort().values, torch.arange(len(problem.point_xy)))
    assert problem.pair_scores[0, 1] == problem.match_start[1]


def test_matches_outside_the_mask_are_left_out():
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[8:20, 10:30] = True
    _, problem, _ = small_problem(3, mask=mask)
    x, y = problem.point_xy.round().long().unbind(1)
    assert bool(mask[y, x].all())
    assert bool(torch.isfinite(problem.anchor_depth).all())
    assert bool(problem.anchor_valid[problem.point_anchor].all())
    assert len(problem.match_conf) > 0


def test_a_pair_without_matches_is_no_error_and_not_good():
    views, _, poses = small_problem(3)
    record = pair_record(poses, [depth_map(pose) for pose in poses], 0, 1)
    empty = replace(record, a=1, b=2, xy_a=record.xy_a[:0], xy_b=record.xy_b[:0], conf=record.conf[:0])
    problem = condense(views, [record, empty])
    assert problem.pair_best_conf[1] == -torch.inf
    assert problem.pair_scores[1, 2] == 0
    assert problem.cross_pair.tolist() == [0, 0, 1, 1]


def test_a_missing_run_is_absent():
    views, _, poses = small_problem(2)
    record = replace(pair_record(poses, [depth_map(pose) for pose in poses], 0, 1), a_in_b=None)
    assert condense(views, [record]).cross.tolist() == [[0, 1]]


def test_no_pairs_give_an_empty_problem():
    views, _, _ = small_problem(2)
    problem = condense(views, [])
    assert len(problem.point_xy) == len(problem.match_conf) == len(problem.cross_conf) == 0


def test_arrays_of_different_length_are_refused():
    _, problem, _ = small_problem(2)
    with pytest.raises(ValueError, match="one entry a match"):
        replace(problem, match_conf=problem.match_conf[1:])


def test_moving_changes_real_numbers_alone():
    _, problem, _ = small_problem(2)
    single = cast(problem, torch.float32)
    assert single.point_xy.dtype == torch.float32
    assert single.match_points.dtype == torch.int64
    assert single.anchor_valid.dtype == torch.bool
