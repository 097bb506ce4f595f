from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from small_scene import CHAIN, HEIGHT, VIEWS, WIDTH, cam_from_world, depth_map, pair_record, points_in

from align.measurements.canonical import masked_canonical_view
from align.measurements.gather import sample_cross_pointmap
from align.sparse.adam import descend
from align.sparse.condense import condense
from align.sparse.densify import densify
from align.sparse.options import MAST3R, Stage
from align.sparse.problem import Problem
from align.sparse.robust import Gamma
from align.sparse.start import start

MASK = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
MASK[6:26, 9:39] = True
OPTIONS = replace(
    MAST3R,
    coarse=Stage(0.07, 8, Gamma(1.5)),
    fine=Stage(0.01, 8, Gamma(0.5)),
    average="object",
    good_conf=20.9,
)
"""The confidence is such that some pairs fall back to the predictions."""


def solved_with(background: float):
    """Return canonical views, problem and result when every prediction of the background is `background`."""
    poses = cam_from_world(VIEWS)
    depths = [depth_map(pose) for pose in poses]
    centre = torch.tensor([WIDTH / 2, HEIGHT / 2], dtype=torch.float64)
    conf = torch.where(MASK, 3.0, background).double()

    def seen(pose: torch.Tensor, of: int) -> torch.Tensor:
        return torch.where(MASK[..., None], points_in(pose, poses[of], depths[of]), background)

    views = [masked_canonical_view(seen(poses[v], v)[None], conf[None], MASK, centre) for v in range(VIEWS)]
    records = []
    for b in range(VIEWS):
        for a in range(b):
            off_frame = (
                sample_cross_pointmap(seen(poses[frame], of), conf, 8, MASK) for frame, of in ((a, b), (b, a))
            )
            records.append(
                replace(pair_record(poses, depths, a, b), **dict(zip(("b_in_a", "a_in_b"), off_frame)))
            )
    problem = condense(views, records)
    parameters, chain = start(problem, CHAIN, OPTIONS)
    return views, chain, problem, descend(problem, parameters, chain, OPTIONS)


@pytest.mark.parametrize("junk", [torch.nan, torch.inf, 0.0, 1e6])
def test_background_pixels_never_move_a_pose_by_a_bit(junk):
    (_, _, _, clean), (views, chain, problem, spoiled) = solved_with(1.0), solved_with(junk)
    assert clean.stopped == spoiled.stopped == "finished"
    assert _has_good_and_weak_pairs(problem)
    assert torch.equal(clean.losses, spoiled.losses)
    for field in fields(clean.parameters):
        assert torch.equal(getattr(clean.parameters, field.name), getattr(spoiled.parameters, field.name)), (
            field.name
        )
    for view in densify(views, spoiled.placement, chain):
        assert torch.equal(torch.isfinite(view.depth), MASK)


def _has_good_and_weak_pairs(problem: Problem) -> bool:
    good = problem.pair_best_conf > OPTIONS.good_conf
    return bool(good.any()) and not bool(good.all())
