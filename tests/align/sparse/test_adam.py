from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from small_scene import CHAIN, VIEWS, intrinsics, small_problem

from align.measurements.known_cameras import Known
from align.sparse.adam import descend
from align.sparse.camera_chain import place
from align.sparse.losses import lift, loss_3d, match_terms
from align.sparse.options import ALIGNER_FUNCTION, Intrinsics, Priors, SparseOptions, Stage
from align.sparse.problem import cast
from align.sparse.robust import Gamma, Sharpening
from align.sparse.start import start

GIVEN_K = {view: intrinsics() for view in range(VIEWS)}
SHORT = replace(
    ALIGNER_FUNCTION, coarse=Stage(0.07, 12, Gamma(1.5)), fine=Stage(0.01, 12, Gamma(0.5)), good_conf=0.0
)


@pytest.fixture(scope="module")
def scene():
    return small_problem(VIEWS)


def solved(problem, options: SparseOptions = SHORT, known: Known | None = None):
    parameters, chain = start(problem, CHAIN, options, known)
    return parameters, chain, descend(problem, parameters, chain, options, known)


def relative(cam_from_world: torch.Tensor) -> torch.Tensor:
    return cam_from_world @ torch.linalg.inv(cam_from_world[CHAIN.root])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_root_never_moves_by_a_bit(scene, dtype):
    before, _, after = solved(cast(scene[1], dtype))
    assert torch.equal(after.parameters.quat[CHAIN.root], before.quat[CHAIN.root])
    assert torch.equal(after.parameters.t[CHAIN.root], before.t[CHAIN.root])
    assert not torch.equal(after.parameters.quat[0], before.quat[0])


def test_a_frozen_view_stays_to_the_bit_and_a_half_frozen_one_keeps_its_pose(scene):
    before, chain, after = solved(scene[1], known=Known(fixed={0: 1.0, 4: 0.5}))
    for name in ("quat", "t", "log_scale"):
        for view in (0, 4):
            assert torch.equal(getattr(after.parameters, name)[view], getattr(before, name)[view])
    first, last = slice(*chain.depth_start[:2].tolist()), slice(*chain.depth_start[-2:].tolist())
    assert torch.equal(after.parameters.depth_params[first], before.depth_params[first])
    assert after.parameters.log_focal[0] == before.log_focal[0]
    assert not torch.equal(after.parameters.depth_params[last], before.depth_params[last])
    assert after.parameters.log_focal[4] != before.log_focal[4]


def test_all_views_frozen_is_no_error_and_moves_nothing(scene):
    before, _, after = solved(scene[1], known=Known(fixed=dict.fromkeys(range(VIEWS), 1.0)))
    for field in fields(before):
        assert torch.equal(getattr(before, field.name), getattr(after.parameters, field.name))


def test_true_poses_are_found_from_the_common_start(scene):
    _, problem, poses = scene
    options = replace(
        SHORT,
        coarse=Stage(0.07, 150, Gamma(1.5)),
        fine=Stage(0.01, 150, Gamma(0.5)),
        intrinsics=Intrinsics(free_principal_point=False),
    )
    known = Known(K=GIVEN_K)
    _, _, result = solved(problem, options, known)
    actual, expected = relative(result.placement.cam_from_world), relative(poses)
    scale = expected[:, :3, 3].norm() / actual[:, :3, 3].norm()
    angle = (actual[:, :3, :3] - expected[:, :3, :3]).norm(dim=(1, 2)) / 2**0.5
    assert angle.max() < 0.01
    assert (scale * actual[:, :3, 3] - expected[:, :3, 3]).norm(dim=1).max() < 0.05
    assert result.stopped == "finished"
    assert len(result.losses) == len(result.rates) == 300


def test_a_start_from_true_poses_begins_at_a_small_loss(scene):
    _, problem, poses = scene
    options = replace(SHORT, coarse=Stage(0.07, 0, Gamma(1.5)), fine=Stage(0.01, 1, Gamma(0.5)))
    known = Known(K=GIVEN_K)
    loss = [
        float(solved(problem, options, each)[2].losses[0])
        for each in (known, replace(known, cam_from_world=dict(enumerate(poses))))
    ]
    assert loss[1] < 0.2 * loss[0]


def test_no_steps_return_the_start(scene):
    options = replace(SHORT, coarse=Stage(0.07, 0, Gamma(1.5)), fine=Stage(0.01, 0, Gamma(0.5)))
    before, chain, result = solved(scene[1], options)
    assert torch.equal(result.placement.cam_from_world, place(before, chain).cam_from_world)
    assert len(result.losses) == 0


def test_steps_equal_those_of_the_library(scene):
    _, problem, _ = scene
    options = replace(SHORT, fix_root=False, fine=Stage(0.01, 0, Gamma(0.5)))
    parameters, chain, result = solved(problem, options)
    quat, t, log_scale = (
        getattr(parameters, name).clone().requires_grad_() for name in ("quat", "t", "log_scale")
    )
    adam = torch.optim.Adam([quat, t, log_scale], betas=(0.9, 0.9))
    terms = match_terms(problem, 0.0, torch.zeros(VIEWS))
    assert terms is not None
    for rate in result.rates.tolist():
        placement = place(replace(parameters, quat=quat, t=t, log_scale=log_scale), chain)
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        loss_3d(terms, lift(terms.ends, placement, chain), placement, Gamma(1.5)).backward()
        adam.step()
        with torch.no_grad():
            quat /= quat.norm(dim=1, keepdim=True)
    others = [view for view in range(VIEWS) if view != CHAIN.root]
    torch.testing.assert_close(result.parameters.quat[others], quat.detach()[others], rtol=0, atol=1e-9)
    torch.testing.assert_close(result.parameters.log_scale, log_scale.detach(), rtol=0, atol=1e-9)


def test_a_loss_that_is_not_finite_stops_the_descent_before_it_spoils_the_state(scene):
    _, problem, _ = scene
    xy = problem.point_xy.clone()
    xy[3] = torch.nan
    before, _, result = solved(replace(problem, point_xy=xy))
    assert result.stopped == "loss nan in step 1 of 12"
    for field in fields(before):
        assert bool(torch.isfinite(getattr(result.parameters, field.name)).all())


def test_equal_input_gives_equal_bytes(scene):
    first, second = (solved(scene[1])[2] for _ in range(2))
    for field in fields(first.parameters):
        assert torch.equal(getattr(first.parameters, field.name), getattr(second.parameters, field.name))


def test_shared_intrinsics_stay_shared_and_start_at_the_weighted_mean(scene):
    _, problem, _ = scene
    options = replace(SHORT, intrinsics=Intrinsics(share="all"))
    before, _, result = solved(problem, options)
    assert len(before.log_focal) == 1
    weight = problem.mean_conf / problem.mean_conf.sum()
    torch.testing.assert_close(before.log_focal[0].exp(), (weight * problem.base_focal).sum())
    assert (result.placement.K[0] == result.placement.K).all()


def test_a_principal_point_that_is_not_free_stays(scene):
    before, _, result = solved(scene[1], replace(SHORT, intrinsics=Intrinsics(free_principal_point=False)))
    assert torch.equal(result.parameters.principal_point, before.principal_point)


def test_a_tight_prior_holds_the_focal_and_a_loose_one_lets_go(scene):
    moved_by = []
    for sigma in (1e-7, 10.0):
        before, _, result = solved(scene[1], replace(SHORT, priors=Priors(log_focal_sigma=sigma)))
        moved_by.append(float((result.parameters.log_focal - before.log_focal).abs().max()))
    assert moved_by[0] < 0.2 * moved_by[1]


def test_a_pose_prior_pulls_back_to_the_given_poses(scene):
    _, problem, poses = scene
    known = Known(K=GIVEN_K, cam_from_world=dict(enumerate(poses)))
    off = []
    for sigma in (1e-5, None):
        options = replace(
            SHORT,
            coarse=Stage(0.07, 0, Gamma(1.5)),
            priors=Priors(rotation_sigma_rad=sigma, centre_sigma=sigma),
        )
        off.append(float((solved(problem, options, known)[2].placement.cam_from_world - poses).abs().max()))
    assert off[0] < off[1]


def test_limits_of_the_focal_can_be_switched_off_where_K_is_given(scene):
    _, problem, _ = scene
    K = intrinsics() @ torch.diag(torch.tensor([20.0, 20.0, 1.0])).double()
    K[:2, 2] = intrinsics()[:2, 2]
    known = Known(K=dict.fromkeys(range(VIEWS), K))
    for limited, expected in ((True, 10 * (48**2 + 32**2) ** 0.5), (False, 1000.0)):
        parameters, chain = start(
            problem, CHAIN, replace(SHORT, intrinsics=Intrinsics(limited=limited)), known
        )
        torch.testing.assert_close(
            place(parameters, chain).K[:, 0, 0], torch.full((VIEWS,), expected).double()
        )


def test_pivot_is_the_median_of_the_object_alone():
    mask = torch.zeros(32, 48, dtype=torch.bool)
    mask[8:24, 8:40] = True
    _, problem, _ = small_problem(VIEWS, mask=mask)
    depth = problem.anchor_depth.clone()
    depth[~problem.anchor_valid] = 1000.0
    far = replace(problem, anchor_depth=depth)
    kept = [start(each, CHAIN, SHORT)[1].pivot_depth for each in (problem, far)]
    assert torch.equal(*kept)
    everything = replace(far, anchor_valid=torch.ones_like(far.anchor_valid))
    assert (start(everything, CHAIN, SHORT)[1].pivot_depth != kept[0]).all()


def test_sharpening_ends_below_where_it_started(scene):
    options = replace(SHORT, coarse=Stage(0.07, 30, Sharpening()), fine=Stage(0.01, 0, Gamma(0.5)))
    losses = solved(scene[1], options)[2].losses
    assert losses[-1] < losses[0]


def test_progress_is_told_of_every_step(scene):
    told = []
    parameters, chain = start(scene[1], CHAIN, SHORT)
    descend(scene[1], parameters, chain, SHORT, progress=lambda *what: told.append(what))
    assert told == [(stage, k, 12) for stage in ("coarse", "fine") for k in range(1, 13)]
