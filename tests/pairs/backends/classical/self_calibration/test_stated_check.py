"""Stated cameras of a made-up turntable, right and wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from masks.lens import Lens, distort, ideal_frame, pixels_of, undistort
from masks.notice import Notice
from masks.pixelmap import identity
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.self_calibration.camera_fits import CameraFit, FitJob, fit_cameras
from pairs.backends.classical.self_calibration.stated_check import stated_camera_notices
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.engines.processes import ProcessWorkers
from pairs.views.cameras import Cameras
from pairs.views.view import View

FOCAL, TRUE = 700.0, Lens("SIMPLE_RADIAL", (-0.2,))
K = np.array([[FOCAL, 0, 319.5], [0, FOCAL, 239.5], [0, 0, 1]])
Fitter = Callable[[FitJob], tuple[CameraFit, ...]]
POINTS = np.random.default_rng(5).uniform(-1, 1, (200, 3)) * (1.6, 1.2, 1)


def fit(job: FitJob) -> tuple[CameraFit, ...]:
    pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")
    return ProcessWorkers(1).apart(fit_cameras, job)


def no_fit(job: FitJob) -> tuple[CameraFit, ...]:
    raise AssertionError("a fit is made")


def doubts(
    lens: Lens | None, num_views: int = 8, stated: bool = True, how: Fitter = fit
) -> tuple[Notice, ...]:
    """Return what is said when this lens is stated for photos that the true one took."""
    noise, poses, xy = np.random.default_rng(6), [], []
    blank = np.zeros((480, 640, 3), np.uint8)
    view = View("", Path("a.png"), blank, identity((640, 480)), None, "", K=K if stated else None)
    frame = None if lens is None else ideal_frame(lens, K, (640, 480))
    if frame is not None:
        pixel_map = replace(identity(frame.ideal_size), source_size=(640, 480), undistortion=frame)
        w, h = frame.ideal_size
        view = replace(view, image=np.zeros((h, w, 3), np.uint8), pixel_map=pixel_map, K=frame.K_ideal)
    for k in range(num_views):
        a = np.deg2rad(12.0 * k)
        pose = np.eye(4)
        pose[:3, :3] = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
        pose[2, 3] = 6
        in_cam = POINTS @ pose[:3, :3].T + pose[:3, 3]
        photo = pixels_of(K, distort(TRUE, in_cam[:, :2] / in_cam[:, 2:])) + noise.normal(0, 0.2, (200, 2))
        at = (photo - K[:2, 2]) / FOCAL
        straight = at if lens is None else undistort(lens, at)
        xy.append(pixels_of(K if frame is None else frame.K_ideal, straight).astype(np.float32))
        poses.append(pose)
    views = tuple(replace(view, name=f"{k}.png", camera="calibration 1") for k in range(num_views))
    by, point = (g.ravel().astype(np.int32) for g in np.mgrid[:num_views, : len(POINTS)])
    model_K = K if frame is None else frame.K_ideal
    cameras = Cameras(np.tile(model_K, (num_views, 1, 1)), np.stack(poses))
    model = MapperModel(tuple(range(num_views)), cameras, POINTS, point, by, point)
    evidence = Evidence(views, tuple(xy), (None,) * num_views, {})
    best = Attempt("all", "start", model, Assessment(Verdict.UNCHECKED, "", None))
    return stated_camera_notices(evidence, best, how, SolveOptions())


def test_the_right_calibration_is_not_doubted() -> None:
    assert not doubts(TRUE)


@pytest.mark.parametrize(("lens", "said"), [(None, 0.0), (Lens("SIMPLE_RADIAL", (0.06,)), 0.06)])
def test_a_calibration_of_another_lens_is_doubted_with_what_it_would_be(
    lens: Lens | None, said: float
) -> None:
    (notice,) = doubts(lens)
    assert f"instead of {said:.3g} would remove" in notice.text
    k1 = float(notice.text.split("k1 = ")[1].split()[0])
    assert k1 == pytest.approx(-0.2, abs=0.03)
    focal = float(notice.text.split("a focal of ")[1].split()[0])
    assert focal == pytest.approx(FOCAL, rel=0.02)
    assert notice.text.endswith(
        "2.png, 3.png, 4.png, and 3 more. Give the calibration of this lens and zoom, or none."
    )


def test_few_views_and_cameras_that_nobody_stated_pay_no_fit() -> None:
    assert not doubts(None, num_views=4, how=no_fit)
    assert not doubts(None, stated=False, how=no_fit)
