"""The reference's stages by damped least squares: where they end, and what they leave alone."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from small_measurements import small_measurements
from small_scene import CHAIN, FOCAL, HEIGHT, VIEWS, WIDTH, intrinsics, small_problem

from align.measurements.known_cameras import Known
from align.sparse.adam import descend
from align.sparse.camera_chain import Placement, place
from align.sparse.low_rank import LowRank
from align.sparse.options import DepthModel, Intrinsics, Priors, SparseOptions, Stage
from align.sparse.problem import Problem, cast
from align.sparse.robust import Gamma, Sharpening
from align.sparse.second_order.stages import SecondOrderDescent, descend_by_least_squares
from align.sparse.sparse_alignment import sparse_align
from align.sparse.start import start
from masks.errors import UserError
from masks.progress import silent

OPTIONS = SparseOptions(good_conf=0.0)
NO_STAGE = Stage(0.0, 0, Gamma(1.5))


@pytest.fixture(scope="module")
def scene():
    return small_problem(VIEWS)


@pytest.fixture(scope="module")
def noisy(scene) -> Problem:
    """The scene with matches half a pixel off, and one in ten of them wrong."""
    generator = torch.Generator().manual_seed(0)
    _, problem, _ = scene
    xy = problem.point_xy + 0.5 * torch.randn(
        problem.point_xy.shape, generator=generator, dtype=torch.float64
    )
    wrong = torch.rand(len(xy), generator=generator) < 0.05
    anywhere = torch.rand(xy.shape, generator=generator, dtype=torch.float64) * torch.tensor([WIDTH, HEIGHT])
    return replace(problem, point_xy=torch.where(wrong[:, None], anywhere, xy))


def solved(
    problem: Problem, options: SparseOptions = OPTIONS, known: Known | None = None
) -> tuple[Placement, SecondOrderDescent]:
    """Return where everything stood, and the descent."""
    parameters, chain = start(problem, CHAIN, options, known)
    return place(parameters, chain), descend_by_least_squares(problem, parameters, chain, options, known)


def relative(cam_from_world: torch.Tensor) -> torch.Tensor:
    return cam_from_world @ torch.linalg.inv(cam_from_world[CHAIN.root])


def test_true_poses_are_found_from_the_common_start(scene) -> None:
    _, problem, poses = scene
    known = Known(K={view: intrinsics() for view in range(VIEWS)})
    _, result = solved(problem, replace(OPTIONS, intrinsics=Intrinsics(free_principal_point=False)), known)
    actual, expected = relative(result.placement.cam_from_world), relative(poses)
    scale = expected[:, :3, 3].norm() / actual[:, :3, 3].norm()
    assert (actual[:, :3, :3] - expected[:, :3, :3]).norm(dim=(1, 2)).max() < 2e-3
    assert (scale * actual[:, :3, 3] - expected[:, :3, 3]).norm(dim=1).max() < 5e-3
    torch.testing.assert_close(
        result.placement.K[:, 0, 0], torch.full((VIEWS,), FOCAL).double(), rtol=2e-3, atol=0
    )
    assert result.stopped == "finished"


@pytest.mark.parametrize("intrinsics_", [Intrinsics(), Intrinsics(free_principal_point=False, share="all")])
@pytest.mark.parametrize("free_depth", [True, False])
def test_both_losses_end_at_adams_or_below(noisy: Problem, intrinsics_: Intrinsics, free_depth: bool) -> None:
    options = SparseOptions(
        Stage(0.07, 150, Gamma(1.5)),
        Stage(0.01, 100, Gamma(0.5)),
        good_conf=0.0,
        intrinsics=intrinsics_,
        free_depth=free_depth,
    )
    adam = descend(noisy, *start(noisy, CHAIN, options), options)
    coarse, both = (solved(noisy, each)[1] for each in (replace(options, fine=NO_STAGE), options))
    assert float(coarse.losses[-1]) < 1.001 * float(adam.losses[149])
    assert float(both.losses[-1]) < 1.005 * float(adam.losses[-1])
    assert both.num_steps < 100


@pytest.mark.parametrize("good_conf", [0.0, 12.0, 1e9])
def test_no_stage_ends_higher_than_it_began(noisy: Problem, good_conf: float) -> None:
    coarse_only = replace(OPTIONS, good_conf=good_conf, fine=NO_STAGE)
    losses = solved(noisy, coarse_only)[1].losses
    assert (losses.diff() <= 0).all()
    losses = solved(noisy, replace(OPTIONS, good_conf=good_conf, coarse=NO_STAGE))[1].losses
    assert (losses[1:].diff() <= 0).all()
    assert losses[-1] <= losses[0]


def test_a_descent_from_its_own_end_stays_there(noisy: Problem) -> None:
    options = replace(OPTIONS, coarse=NO_STAGE)
    _, first = solved(noisy, options)
    K = dict(enumerate(first.placement.K))
    depth = first.placement.anchor_depth.split(noisy.anchor_start.diff().tolist())
    known = Known(
        K=K,
        anchor_depth=dict(enumerate(depth)),
        cam_from_world=dict(enumerate(first.placement.cam_from_world)),
    )
    # The reference flattens the relief by the focal it is given, so the two begin a little apart.
    again = descend_by_least_squares(noisy, *start(noisy, CHAIN, options, known), options, known)
    assert float(again.losses[-1]) <= float(again.losses[0])
    assert float(again.losses[-1]) < 1.01 * float(first.losses[-1])


def test_the_root_stays_and_the_smallest_size_is_the_unit(noisy: Problem) -> None:
    before, result = solved(noisy, replace(OPTIONS, fine=NO_STAGE))
    after, root = result.placement, CHAIN.root
    assert torch.equal(after.R_world_from_cam[root], before.R_world_from_cam[root])
    assert float((after.depth_scale / before.depth_scale).min()) == pytest.approx(1, abs=1e-12)
    assert not torch.equal(after.R_world_from_cam[0], before.R_world_from_cam[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_frozen_view_stays_to_the_bit_and_a_half_frozen_one_keeps_its_pose(
    noisy: Problem, dtype: torch.dtype
) -> None:
    problem = cast(noisy, dtype)
    before, result = solved(problem, known=Known(fixed={0: 1.0, 4: 0.5}))
    after = result.placement
    for view in (0, 4):
        assert torch.equal(after.world_from_cam[view], before.world_from_cam[view])
    assert torch.equal(after.K[0], before.K[0])
    anchors = [before.anchor_view == view for view in (0, 4)]
    assert torch.equal(after.anchor_depth[anchors[0]], before.anchor_depth[anchors[0]])
    assert not torch.equal(after.anchor_depth[anchors[1]], before.anchor_depth[anchors[1]])
    assert not torch.equal(after.K[4], before.K[4])
    assert after.centre.dtype == dtype


def test_all_views_frozen_is_no_error_and_moves_nothing(noisy: Problem) -> None:
    before, result = solved(noisy, known=Known(fixed=dict.fromkeys(range(VIEWS), 1.0)))
    for field in fields(before):
        assert torch.equal(getattr(result.placement, field.name), getattr(before, field.name))
    assert result.stopped == "finished"


def test_no_steps_return_the_start(noisy: Problem) -> None:
    before, result = solved(noisy, replace(OPTIONS, coarse=NO_STAGE, fine=NO_STAGE))
    assert torch.equal(result.placement.K, before.K)
    assert torch.equal(result.placement.cam_from_world, before.cam_from_world)
    assert len(result.losses) == result.num_steps == 0


def test_a_low_rank_basis_is_refused(noisy: Problem) -> None:
    options = replace(OPTIONS, depth=DepthModel(low_rank=LowRank()))
    parameters, chain = start(noisy, CHAIN, OPTIONS)
    with pytest.raises(UserError, match="low-rank"):
        descend_by_least_squares(noisy, parameters, chain, options)


def test_equal_input_gives_equal_bytes(noisy: Problem) -> None:
    first, second = (solved(noisy)[1] for _ in range(2))
    for field in fields(first.placement):
        assert torch.equal(getattr(first.placement, field.name), getattr(second.placement, field.name))


def test_a_focal_is_held_at_its_limit(scene) -> None:
    _, problem, poses = scene
    longest = 10 * (WIDTH**2 + HEIGHT**2) ** 0.5
    K = intrinsics() @ torch.diag(torch.tensor([20.0, 20.0, 1.0])).double()
    K[:2, 2] = intrinsics()[:2, 2]
    known = Known(K=dict.fromkeys(range(VIEWS), K), cam_from_world=dict(enumerate(poses)))
    before, result = solved(problem, replace(OPTIONS, coarse=NO_STAGE), known)
    assert before.K[:, 0, 0].max() == pytest.approx(longest)
    assert result.placement.K[:, 0, 0].max() <= longest
    assert result.placement.K[:, 0, 0].min() < longest
    assert result.losses[-1] < result.losses[0]


def test_shared_intrinsics_stay_shared_and_what_is_not_free_stays(noisy: Problem) -> None:
    _, result = solved(noisy, replace(OPTIONS, intrinsics=Intrinsics(share="all")))
    assert (result.placement.K[0] == result.placement.K).all()
    before, result = solved(
        noisy, replace(OPTIONS, intrinsics=Intrinsics(free_focal=False, free_principal_point=False))
    )
    assert torch.equal(result.placement.K, before.K)


def test_anchors_without_matches_follow_the_others(scene) -> None:
    _, problem, _ = scene
    lonely = int(problem.point_anchor[0])
    first = problem.match_points[:, 0]
    drop = (problem.point_anchor[problem.match_points] == lonely).any(1)
    kept = replace(problem, match_conf=torch.where(drop, 0, problem.match_conf))
    assert 0 < len(first[drop]) < len(first)
    depth = problem.anchor_depth.clone()
    depth[problem.anchor_view == 0] *= 1.5
    known = Known(
        anchor_depth={0: depth[problem.anchor_view == 0]}, K={view: intrinsics() for view in range(VIEWS)}
    )
    before, result = solved(kept, OPTIONS, known)
    ratio = (result.placement.anchor_depth / before.anchor_depth)[problem.anchor_view == 0]
    assert float(ratio[lonely]) == pytest.approx(float(ratio.median()), rel=0.02)


def test_a_function_that_sharpens_ends_below_where_it_started(noisy: Problem) -> None:
    options = replace(OPTIONS, coarse=Stage(0.07, 30, Sharpening()), fine=Stage(0.01, 30, Sharpening()))
    coarse = solved(noisy, replace(options, fine=NO_STAGE))[1]
    assert coarse.losses[-1] < coarse.losses[0]
    assert solved(noisy, options)[1].stopped == "finished"


def test_a_tight_prior_holds_the_focal(noisy: Problem) -> None:
    moved_by = []
    for sigma in (1e-7, None):
        before, result = solved(noisy, replace(OPTIONS, priors=Priors(log_focal_sigma=sigma)))
        moved_by.append(float((result.placement.K - before.K)[:, 0, 0].abs().max()))
    assert moved_by[0] < 1e-3 * moved_by[1]


def test_a_loss_that_is_not_finite_stops_the_descent_and_spoils_nothing(scene) -> None:
    _, problem, _ = scene
    xy = problem.point_xy.clone()
    xy[3] = torch.nan
    before, result = solved(replace(problem, point_xy=xy))
    assert result.stopped == "loss nan at the start of the coarse stage"
    assert torch.equal(result.placement.centre, before.centre)


def test_progress_is_told_of_every_level(noisy: Problem) -> None:
    told = []
    parameters, chain = start(noisy, CHAIN, OPTIONS)
    descend_by_least_squares(noisy, parameters, chain, OPTIONS, progress=lambda *what: told.append(what))
    assert told[0] == ("coarse", 1, 1)
    assert [done for stage, done, total in told[1:]] == list(range(1, told[-1][2] + 1))


def test_the_alignment_takes_either_solver() -> None:
    options = replace(OPTIONS, coarse=Stage(0.07, 60, Gamma(1.5)), fine=Stage(0.01, 40, Gamma(0.5)))
    adam, ours = (
        sparse_align(small_measurements(4), replace(options, solver=solver), Known(), silent)
        for solver in ("adam", "least-squares")
    )
    assert ours.figures["refinement kept"]
    assert ours.figures["steps"] < 100
    assert ours.figures["final loss"] <= adam.figures["final loss"]
    np.testing.assert_allclose(ours.cameras.K[:, 0, 0], FOCAL, rtol=0.02)


def test_a_view_without_matches_stays_and_spoils_nothing(noisy: Problem) -> None:
    alone = (noisy.point_view[noisy.match_points] == 4).any(1)
    lost = replace(noisy, match_conf=torch.where(alone, 0, noisy.match_conf))
    before, result = solved(lost)
    assert result.stopped == "finished"
    assert torch.equal(result.placement.cam_from_world[4], before.cam_from_world[4])
    assert torch.equal(result.placement.K[4], before.K[4])
    assert result.losses[-1] < 2 * solved(noisy)[1].losses[-1]
