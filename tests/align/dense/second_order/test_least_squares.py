from dataclasses import replace

import pytest
import torch
from small_dense import consistent_problem

from align.dense.descent import descend
from align.dense.objective import loss
from align.dense.options import DenseOptions
from align.dense.parameters import DenseParameters, Frozen
from align.dense.poses import view_poses
from align.dense.second_order.least_squares import descend_by_least_squares
from align.dense.terms import gather_terms, thinned


def _relative_poses(parameters: DenseParameters) -> torch.Tensor:
    poses = view_poses(parameters.poses)
    return poses[:1].inverse() @ poses


@pytest.mark.parametrize(
    "options",
    [
        DenseOptions(),
        DenseOptions(distance="l2", mean="pairs"),
        DenseOptions(conf_transform="sqrt", adaptors=True, free_principal_point=True),
    ],
)
def test_it_ends_where_adam_ends_or_below(options: DenseOptions) -> None:
    problem, _, near = consistent_problem(noise=0.01)
    terms = gather_terms(problem, options, torch.float32)
    found = descend_by_least_squares(terms, near, Frozen())
    adam = descend(terms, near, Frozen())
    assert found.stopped == "finished"
    assert found.losses[-1] <= loss(terms, adam.parameters, Frozen()) * (1 + 1e-5)
    assert float(found.losses[-1]) == loss(terms, found.parameters, Frozen())


def test_predictions_that_agree_are_followed_to_the_truth() -> None:
    problem, truth, near = consistent_problem(noise=0)
    terms = gather_terms(problem, DenseOptions(), torch.float32)
    found = descend_by_least_squares(terms, near, Frozen())
    assert found.losses[-1] < 1e-3 * found.losses[0]
    torch.testing.assert_close(_relative_poses(found.parameters), _relative_poses(truth), rtol=0, atol=2e-3)


def test_what_is_known_stays_to_the_bit_and_the_rest_comes_to_it() -> None:
    problem, truth, near = consistent_problem(noise=0)
    frozen = Frozen(poses=frozenset({0, 1}), focals=frozenset({2}))
    poses, log_focals = near.poses.clone(), near.log_focals.clone()
    poses[:2], log_focals[2] = truth.poses[:2], truth.log_focals[2]
    start = replace(near, poses=poses, log_focals=log_focals)
    terms = gather_terms(problem, DenseOptions(), torch.float32)
    end = descend_by_least_squares(terms, start, frozen).parameters
    assert torch.equal(end.poses[:2], truth.poses[:2])
    assert torch.equal(end.log_focals[2], truth.log_focals[2])
    torch.testing.assert_close(view_poses(end.poses), view_poses(truth.poses), rtol=0, atol=3e-3)


def test_a_start_that_cannot_be_bettered_is_returned() -> None:
    problem, _, near = consistent_problem(noise=0.01)
    terms = gather_terms(problem, DenseOptions(), torch.float32)
    start = replace(near, log_focals=torch.full_like(near.log_focals, torch.nan))
    found = descend_by_least_squares(terms, start, Frozen())
    assert found.parameters is start
    assert found.stopped.startswith("no loss below that of the start")


def test_equal_input_gives_equal_bytes_and_progress_goes_to_its_end() -> None:
    problem, _, near = consistent_problem(noise=0.01)
    terms = gather_terms(problem, DenseOptions(), torch.float32)
    told = []
    first, second = (
        descend_by_least_squares(terms, near, Frozen(), lambda stage, done, total: told.append((done, total)))
        for _ in range(2)
    )
    assert torch.equal(first.parameters.log_depth[0], second.parameters.log_depth[0])
    assert torch.equal(first.parameters.poses, second.parameters.poses)
    assert told[-1][0] == told[-1][1]


def test_thinned_terms_keep_a_grid_and_the_sum_of_shares() -> None:
    problem, _, near = consistent_problem(noise=0.01)
    terms = gather_terms(problem, DenseOptions(), torch.float32)
    some = thinned(terms, 12)
    for view, part in zip(terms.views, some.views):
        assert 6 <= len(part.pixel) <= 24
        assert torch.equal(part.points, view.points[:, :, torch.isin(view.pixel, part.pixel)])
        torch.testing.assert_close(part.share * len(part.pixel), view.share * len(view.pixel))
    assert loss(some, near, Frozen()) == pytest.approx(loss(terms, near, Frozen()), rel=0.3)
    assert thinned(terms, 10**6).views[0] is terms.views[0]
