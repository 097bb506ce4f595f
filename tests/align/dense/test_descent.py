import math
from dataclasses import replace

import pytest
import torch
from plain_dense import plain_descent, plain_pairs
from small_dense import random_problem, random_start

from align.dense.descent import descend
from align.dense.objective import loss
from align.dense.options import DenseOptions
from align.dense.parameters import Frozen
from align.dense.terms import gather_terms

OPTIONS = DenseOptions(num_iterations=20, learning_rate=0.02)


@pytest.mark.parametrize("options", [OPTIONS, replace(OPTIONS, schedule="linear", adaptors=True)])
def test_the_steps_are_those_of_torch_on_the_plain_loop(options: DenseOptions) -> None:
    problem, start = random_problem(), random_start(options)
    found = descend(gather_terms(problem, options, torch.float64), start, Frozen())
    pairs = plain_pairs(problem, options, torch.float64)
    plain = list(plain_descent(pairs, start, problem.sizes, options, Frozen()))
    torch.testing.assert_close(found.losses.tolist(), [value for value, _ in plain], rtol=1e-10, atol=0)
    _, parameters = plain[-1]
    torch.testing.assert_close(found.parameters.pair_poses, parameters.pair_poses.detach(), rtol=1e-8, atol=0)
    torch.testing.assert_close(
        found.parameters.log_depth[1], parameters.log_depth[1].detach(), rtol=1e-8, atol=0
    )
    assert (
        found.last_loss
        == found.losses[-1]
        > loss(gather_terms(problem, options, torch.float64), found.parameters, Frozen())
    )


def test_single_precision_with_half_precision_storage_takes_nearly_the_same_steps() -> None:
    problem, start = random_problem(), random_start(OPTIONS, torch.float32)
    double = descend(
        gather_terms(problem, OPTIONS, torch.float64), random_start(OPTIONS, torch.float64), Frozen()
    )
    single = descend(gather_terms(problem, OPTIONS, torch.float32), start, Frozen())
    torch.testing.assert_close(single.losses, double.losses, rtol=2e-3, atol=0)


def test_what_is_frozen_or_absent_stays_to_the_bit() -> None:
    problem, start = random_problem(), random_start(OPTIONS)
    problem = replace(problem, pairs=[_without_first_row(pair) for pair in problem.pairs])
    frozen = Frozen(poses=frozenset({1}), focals=frozenset({0}))
    end = descend(gather_terms(problem, OPTIONS, torch.float64), start, frozen).parameters
    for before, after in zip(start.log_depth, end.log_depth):
        assert torch.equal(before[0], after[0])
        assert not torch.equal(before[1], after[1])
    assert torch.equal(start.poses[1], end.poses[1])
    assert not torch.equal(start.poses[0], end.poses[0])
    assert torch.equal(start.log_focals[0], end.log_focals[0])
    assert torch.equal(start.pair_adaptors, end.pair_adaptors)


def _without_first_row(pair):
    confs = {name: getattr(pair, name).clone() for name in ("conf_i", "conf_j")}
    for conf in confs.values():
        conf[0] = 0
    return replace(pair, **confs)


def test_a_loss_that_is_not_finite_ends_the_descent_before_it_spoils_anything() -> None:
    options = replace(OPTIONS, learning_rate=1e6)
    start = random_start(options)
    found = descend(gather_terms(random_problem(), options, torch.float64), start, Frozen())
    assert found.stopped.startswith("loss ")
    assert not math.isfinite(found.last_loss)
    assert all(torch.isfinite(depth).all() for depth in found.parameters.log_depth)


def test_no_step_leaves_the_start_and_an_infinite_loss() -> None:
    options = replace(OPTIONS, num_iterations=0)
    start = random_start(options)
    found = descend(gather_terms(random_problem(), options, torch.float64), start, Frozen())
    assert found.parameters is start
    assert found.last_loss == math.inf
    assert found.stopped == "finished"


def test_equal_input_gives_equal_bytes_and_progress_is_told() -> None:
    steps = []
    terms = gather_terms(random_problem(), OPTIONS, torch.float32)
    start = random_start(OPTIONS, torch.float32)
    first, second = (
        descend(terms, start, Frozen(), lambda stage, done, total: steps.append((done, total)))
        for _ in range(2)
    )
    assert torch.equal(first.parameters.log_depth[0], second.parameters.log_depth[0])
    assert torch.equal(first.parameters.poses, second.parameters.poses)
    assert steps[:20] == [(k + 1, 20) for k in range(20)]
