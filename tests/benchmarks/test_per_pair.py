"""What the aligner is measured against minimises the same losses by the same steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from per_pair import (
    flat_parameters,
    plain_descent,
    plain_loss_2d,
    plain_loss_3d,
    plain_parameters,
    plain_problem,
)
from small_scene import CHAIN, random_state, small_problem

from align.sparse.adam import descend
from align.sparse.camera_chain import place
from align.sparse.losses import lift, loss_2d, loss_3d, match_terms
from align.sparse.options import MAST3R
from align.sparse.robust import Gamma
from align.sparse.start import start

OPTIONS = replace(
    MAST3R, fix_root=False, coarse=replace(MAST3R.coarse, steps=20), fine=replace(MAST3R.fine, steps=20)
)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_both_losses_are_the_aligners_at_the_same_parameters(seed: int) -> None:
    _, problem, _ = small_problem(5)
    parameters, chain = random_state(problem, seed, MAST3R)
    terms = match_terms(problem, 0.0, torch.zeros(5))
    placement = place(parameters, chain)
    depth = lift(terms.ends, placement, chain)
    plain, cut = plain_parameters(parameters, chain), plain_problem(problem, chain)
    torch.testing.assert_close(
        plain_loss_3d(plain, cut, Gamma(1.5)),
        loss_3d(terms, depth, placement, Gamma(1.5)),
        rtol=1e-12,
        atol=0,
    )
    torch.testing.assert_close(
        plain_loss_2d(plain, cut, Gamma(0.5)),
        loss_2d(terms, depth, placement, Gamma(0.5)),
        rtol=1e-12,
        atol=0,
    )


def test_both_descents_take_the_same_steps() -> None:
    _, problem, _ = small_problem(5)
    parameters, chain = start(problem, CHAIN, OPTIONS)
    ours = descend(problem, parameters, chain, OPTIONS)
    plain = plain_parameters(parameters, chain)
    coarse, fine = plain_descent(plain, plain_problem(problem, chain), OPTIONS, (20, 20))
    torch.testing.assert_close(
        torch.tensor(coarse.losses + fine.losses, dtype=torch.float64), ours.losses, rtol=1e-9, atol=0
    )
    torch.testing.assert_close(
        flat_parameters(plain).depth_params, ours.parameters.depth_params, rtol=0, atol=1e-8
    )


def test_a_start_taken_apart_and_put_together_is_the_same() -> None:
    parameters, chain = random_state(small_problem(5)[1], 0, MAST3R)
    again = flat_parameters(plain_parameters(parameters, chain))
    for name in ("quat", "t", "log_scale", "log_focal", "principal_point", "depth_params"):
        torch.testing.assert_close(getattr(again, name), getattr(parameters, name), rtol=0, atol=0)
