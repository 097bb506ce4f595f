"""Lens and principal point of a scene that the mapper solved as a pinhole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from rolled_views import CENTRE, FOCAL, MIDDLE, SIZE, rolled_scene

from masks.lens import Lens
from masks.mask import Mask
from masks.notice import Level
from masks.pixelmap import identity
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.self_calibration.chosen_cameras import with_chosen_cameras
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, best_attempt, run_attempts
from pairs.backends.classical.sfm.mapper import solve_apart
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import verify_pairs
from pairs.engines.processes import ProcessWorkers
from pairs.views.grid import GridOptions
from pairs.views.view import View

pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")

USUAL = SolveOptions()
WORKERS = ProcessWorkers(1)
BARREL = Lens("SIMPLE_RADIAL", (-0.2,))
Matches = dict[Pair, np.ndarray]


def views_of(num_views: int, cameras: Sequence[str] = ()) -> tuple[View, ...]:
    blank = np.zeros((*SIZE[::-1], 3), np.uint8)
    return tuple(
        View(f"{k}.png", None, blank, identity(SIZE), None, f"{k}", camera=camera, grid=GridOptions(640))
        for k, camera in enumerate(cameras or ("",) * num_views)
    )


def solved(
    lenses: Sequence[Lens | None],
    centre: tuple[float, float] = CENTRE,
    cameras: Sequence[str] = (),
) -> tuple[Evidence, Matches, Attempt]:
    """Return what the solve of a pinhole makes of views through these lenses, all points seen by all."""
    num_views = len(lenses)
    _, xy = rolled_scene((FOCAL,) * num_views, lenses, centre)
    every = np.stack([np.arange(len(xy[0]))] * 2, axis=1).astype(np.int32)
    matches = dict.fromkeys(combinations(range(num_views), 2), every)
    xy = tuple(points.astype(np.float32) for points in xy)
    pairs = verify_pairs(xy, matches, USUAL.verify_px, USUAL.min_inliers)
    evidence = Evidence(views_of(num_views, cameras), xy, (None,) * num_views, pairs)
    attempts = run_attempts(evidence, lambda job: solve_apart(job, WORKERS), USUAL, lambda done: None)
    best = best_attempt(attempts)
    assert best is not None
    return evidence, matches, best


@pytest.fixture(scope="module")
def barrel() -> tuple[Evidence, Matches, Attempt]:
    """Eight views with a lens and an off-centre frame."""
    return solved([BARREL] * 8)


def test_lens_and_principal_point_come_out_of_a_scene_solved_as_a_pinhole(barrel) -> None:
    evidence, matches, best = barrel
    attempt, (notice,) = with_chosen_cameras(evidence, matches, best, WORKERS, USUAL)
    assert attempt.num_placed == 8
    lens, K = attempt.model.lenses[0], attempt.model.cameras.K[0]
    assert lens.model == "SIMPLE_RADIAL"
    assert lens.coefficients[0] == pytest.approx(-0.2, abs=0.004)
    assert K[0, 0] == pytest.approx(FOCAL, rel=0.003)
    np.testing.assert_allclose(K[:2, 2], CENTRE, atol=1.0)
    # The pinhole lost what its limits of 1 and 2 px cut off.
    assert attempt.model.num_observations > best.model.num_observations
    assert attempt.start.startswith("focal found before")
    corner = "-9.5%"  # -0.2 r^2 at the farthest corner, r = 0.69
    for words in ("k1 = -0.19", f"corner by {corner}", "The principal point is solved: 3"):
        assert words in notice.text


def test_a_scene_in_which_nothing_is_freed_comes_back_as_it_is() -> None:
    evidence, matches, best = solved([None] * 6, MIDDLE)
    attempt, (notice,) = with_chosen_cameras(evidence, matches, best, WORKERS, USUAL)
    assert attempt is best
    assert "none assumed" in notice.text
    assert "in the middle" in notice.text
    assert notice.level is Level.INFO


def test_an_off_centre_frame_is_solved_without_a_second_run() -> None:
    evidence, matches, best = solved([None] * 6)
    attempt, (notice,) = with_chosen_cameras(evidence, matches, best, WORKERS, USUAL)
    assert not any(attempt.model.lenses)
    assert (attempt.start, attempt.num_placed) == (best.start, 6)
    np.testing.assert_allclose(attempt.model.cameras.K[0, :2, 2], CENTRE, atol=1.0)
    assert "none assumed" in notice.text


def test_where_the_second_run_fails_the_first_choice_is_kept(barrel) -> None:
    evidence, _, best = barrel
    attempt, (notice,) = with_chosen_cameras(evidence, {}, best, WORKERS, USUAL)
    assert attempt.start == best.start
    assert attempt.model.num_observations == best.model.num_observations
    assert attempt.model.lenses[0].coefficients[0] == pytest.approx(-0.2, abs=0.02)
    assert "k1 = -0." in notice.text


def test_cameras_that_the_silhouettes_refuse_are_dropped(barrel) -> None:
    evidence, matches, best = barrel
    # A verdict from other silhouettes than those that the adjusted scene meets.
    beside = np.zeros(SIZE[::-1], bool)
    beside[:40, :40] = True
    masked = replace(
        evidence,
        masks=(beside,) * 8,
        views=tuple(replace(view, mask=Mask(beside, "")) for view in evidence.views),
    )
    sure = replace(best, assessment=Assessment(Verdict.DOUBTFUL, "", None))
    attempt, (notice,) = with_chosen_cameras(masked, matches, sure, WORKERS, USUAL)
    assert attempt is sure
    assert notice.level is Level.WARNING
    assert "mask share" in notice.text


def test_too_few_views_and_stated_intrinsics_free_nothing(barrel) -> None:
    evidence, matches, best = solved([BARREL] * 4)
    assert with_chosen_cameras(evidence, matches, best, WORKERS, USUAL) == (best, ())
    evidence, matches, best = barrel
    stated = tuple(replace(view, K=np.eye(3)) for view in evidence.views)
    assert with_chosen_cameras(replace(evidence, views=stated), matches, best, WORKERS, USUAL) == (best, ())


def test_each_camera_has_its_own_lens() -> None:
    evidence, matches, best = solved([BARREL, None] * 5, MIDDLE, ("wide", "long") * 5)
    attempt, notices = with_chosen_cameras(evidence, matches, best, WORKERS, USUAL)
    wide, long = attempt.model.lenses[0], attempt.model.lenses[1]
    assert wide.coefficients[0] == pytest.approx(-0.2, abs=0.005)
    assert long is None
    assert [("k1 = " in notice.text, "none assumed" in notice.text) for notice in notices] == [
        (True, False),
        (False, True),
    ]
