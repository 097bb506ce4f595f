"""Zooms of a made-up turntable, taken for one camera and told apart again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from turning_cameras import seen_from_above

from masks.notice import Level
from masks.pixelmap import identity
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.self_calibration.camera_fits import CameraFit, FitJob, fit_cameras
from pairs.backends.classical.self_calibration.zooms import Zooms, one_focal_is_wrong, partitions, regrouped
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence
from pairs.backends.classical.sfm.mapper import MapperJob, MapperModel, solve_apart
from pairs.backends.classical.sfm.verification import VerifiedPair, verify_pair
from pairs.engines.processes import ProcessWorkers
from pairs.views.cameras import Cameras
from pairs.views.view import View

SIZE, WIDE, TELE = (640, 480), 700.0, 900.0
ALTERNATING = (TELE, WIDE) * 5
POINTS = np.random.default_rng(5).uniform(-1, 1, (200, 3))
WORKERS = ProcessWorkers(1)


def turntable(focals: Sequence[float], **view: object) -> tuple[Evidence, Attempt]:
    """Return what views with these focals see of each other, and their true poses under one focal, as an
    attempt of the mapper.
    """
    noise, xy = np.random.default_rng(6), []
    poses = np.stack([seen_from_above(12.0 * k) for k in range(len(focals))])
    for pose, focal in zip(poses, focals):
        in_cam = POINTS @ pose[:3, :3].T + pose[:3, 3]
        pixels = focal * in_cam[:, :2] / in_cam[:, 2:] + (319.5, 239.5)
        xy.append((pixels + noise.normal(0, 0.2, pixels.shape)).astype(np.float32))
    blank = np.zeros((*SIZE[::-1], 3), np.uint8)
    views = tuple(
        replace(View(f"{k}.png", Path(f"{k}.png"), blank, identity(SIZE), None, f"{k}", camera="c"), **view)
        for k in range(len(focals))
    )
    case = Evidence(views, tuple(xy), (None,) * len(views), _pairs(xy))
    middle = np.exp(np.mean(np.log(focals)))
    K = np.tile([[middle, 0, 319.5], [0, middle, 239.5], [0, 0, 1.0]], (len(views), 1, 1))
    by, point = (g.ravel().astype(np.int32) for g in np.mgrid[: len(views), : len(POINTS)])
    model = MapperModel(tuple(range(len(views))), Cameras(K, poses), POINTS, point, by, point)
    return case, Attempt("all", "start", model, Assessment(Verdict.UNCHECKED, "", None))


def _pairs(xy: Sequence[np.ndarray]) -> dict[tuple[int, int], VerifiedPair]:
    every = np.stack([np.arange(len(POINTS))] * 2, axis=1).astype(np.int32)
    found = {(a, b): verify_pair(xy[a], xy[b], every, 1.0) for a, b in combinations(range(len(xy)), 2)}
    return {pair: verified for pair, verified in found.items() if verified is not None}


def fit(job: FitJob) -> tuple[CameraFit, ...]:
    pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")
    return WORKERS.apart(fit_cameras, job)


def solve(job: MapperJob) -> MapperModel | None:
    return solve_apart(job, WORKERS)


def no_mapper(job: MapperJob) -> MapperModel | None:
    raise AssertionError("the mapper runs again")


def no_fit(job: FitJob) -> tuple[CameraFit, ...]:
    raise AssertionError("a fit is made")


def test_focals_part_at_the_widest_gap_first() -> None:
    focal = np.array([700.0, 900, 702, 560, 905])
    labels = [found.tolist() for found in partitions(focal, np.full(5, 0.002))]
    assert labels == [[0, 1, 0, 0, 1], [1, 2, 1, 0, 2]]  # 25 % between 702 and 900, 22 % between 560 and 700


@pytest.mark.parametrize("sigma", [0.03, np.nan])
def test_focals_that_are_not_known_well_stay_together(sigma: float) -> None:
    assert list(partitions(np.array([700.0, 710, 800, 805]), np.full(4, sigma))) == []


def test_breathing_is_no_zoom() -> None:
    assert list(partitions(700 * 1.029 ** np.arange(6), np.full(6, 1e-4))) == []
    assert len(list(partitions(700 * 1.031 ** np.arange(6), np.full(6, 1e-4)))) == 5


def test_one_focal_pays_one_fit_and_nothing_else() -> None:
    case, best = turntable((TELE,) * 9)
    jobs: list[FitJob] = []

    def counted(job: FitJob) -> tuple[CameraFit, ...]:
        jobs.append(job)
        return fit(job)

    scene = regrouped(case, best, no_mapper, counted, SolveOptions())
    assert scene.evidence is case
    assert scene.best is best
    assert scene.notices == ()
    assert len(jobs) == 1


def test_a_view_whose_own_lens_does_not_reach_its_rim_gains_nothing() -> None:
    case, best = turntable((TELE,) * 9)

    def cut_short(job: FitJob) -> tuple[CameraFit, ...]:
        one, each = fit(job)
        first = replace(each.cameras[0], cost=np.nan)
        return one, replace(each, cameras=(first, *each.cameras[1:]))

    assert regrouped(case, best, no_mapper, cut_short, SolveOptions()).notices == ()
    case, best = turntable(ALTERNATING, camera_stated=True)
    assert len(regrouped(case, best, no_mapper, cut_short, SolveOptions()).notices) == 1


def test_few_views_and_stated_intrinsics_are_left_alone() -> None:
    K = np.array([[800.0, 0, 319.5], [0, 800.0, 239.5], [0, 0, 1]])
    for case, best in (turntable(ALTERNATING[:4]), turntable(ALTERNATING, K=K)):
        assert regrouped(case, best, no_mapper, no_fit, SolveOptions()).notices == ()


def test_cameras_that_the_user_stated_are_doubted_and_not_parted() -> None:
    case, best = turntable(ALTERNATING, camera_stated=True)
    scene = regrouped(case, best, no_mapper, fit, SolveOptions())
    assert scene.best is best
    (said,) = scene.notices
    assert said.level is Level.WARNING
    assert "1.png, 3.png, 5.png, 7.png, 9.png; about" in said.text
    assert "0.png, 2.png, 4.png, 6.png, 8.png" in said.text
    assert "`cameras`" in said.text


def test_zooms_that_no_second_solve_confirms_are_named_in_a_warning() -> None:
    case, best = turntable(ALTERNATING)
    scene = regrouped(case, best, lambda job: None, fit, SolveOptions())
    assert scene.evidence is case
    (said,) = scene.notices
    assert said.level is Level.WARNING
    assert "lines `name group`" in said.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "focals",
    [ALTERNATING, (TELE,) * 7 + (WIDE,) * 3, (TELE,) * 4 + (WIDE,) * 3 + (560.0,) * 3, (WIDE, *(TELE,) * 9)],
    ids=["alternating", "changed once", "three", "one photo"],
)
def test_zooms_are_told_apart_wherever_they_change(focals: tuple[float, ...]) -> None:
    case, best = turntable(focals)
    scene = regrouped(case, best, solve, fit, SolveOptions())
    ids = [view.camera for view in scene.evidence.views]
    assert [ids.index(each) for each in ids] == [focals.index(each) for each in focals]
    assert scene.best.model is not None
    np.testing.assert_allclose(scene.best.model.cameras.K[:, 0, 0], focals, rtol=0.03)
    (said,) = scene.notices
    assert said.level is Level.INFO
    assert f"{len(set(focals))} were solved" in said.text


@pytest.mark.parametrize(
    ("gain", "ratio", "sigma", "wrong"),
    [
        (0.08, 0.6, 0.03, True),  # a zoom that goes on from photo to photo
        (0.08, 0.95, 0.03, False),
        (0.04, 0.6, 0.03, False),
        (0.3, 0.95, 0.03, True),
        (0.08, 0.6, np.nan, False),
    ],
)
def test_one_focal_is_wrong_where_much_is_gained_or_the_focals_clearly_differ(
    gain: float, ratio: float, sigma: float, wrong: bool
) -> None:
    focals = 700 * np.geomspace(1, ratio, 10)
    assert one_focal_is_wrong(Zooms(tuple(range(10)), gain, focals, np.full(10, sigma))) == wrong
