"""Fits of a made-up scene whose lens and principal point are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rolled_views import CENTRE, FOCAL, MIDDLE, NOISE_PX, NUM_POINTS, rolled_scene

from masks.lens import Lens
from pairs.backends.classical.self_calibration.camera_fits import FitJob, FreeParameters, fit_cameras
from pairs.backends.classical.sfm.mapper import MapperModel, residuals
from pairs.engines.processes import ProcessWorkers
from pairs.views.cameras import Cameras

pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")

TRUE_LENS = Lens("RADIAL", (-0.15, 0.05))


def pinhole_start(model: MapperModel) -> MapperModel:
    """Return the model with the principal point in the middle of 640 x 480 and without its lens."""
    K = model.cameras.K.copy()
    K[:, :2, 2] = MIDDLE
    return replace(model, cameras=Cameras(K, model.cameras.cam_from_world), lenses=())


def fits_of(model: MapperModel, xy: tuple[np.ndarray, ...], *wanted: FreeParameters, **job: object):
    cameras = {"camera_of_view": (0,) * len(xy), "fixed": frozenset(), **job}
    return ProcessWorkers(1).apart(fit_cameras, FitJob(pinhole_start(model), xy, wanted=wanted, **cameras))


def test_the_lens_and_the_principal_point_come_back_within_their_sigmas() -> None:
    model, xy = rolled_scene(lenses=(TRUE_LENS,) * 8)
    pinhole, fit = fits_of(model, xy, FreeParameters(), FreeParameters(2, centre=True))
    (camera,) = fit.cameras
    assert camera.lens is not None
    found = np.array([camera.focal, *camera.centre, *camera.lens.coefficients])
    sigma = np.array([camera.sigma_focal, *camera.sigma_centre, *camera.sigma_lens])
    assert (np.abs(found - (FOCAL, *CENTRE, *TRUE_LENS.coefficients)) < 4 * sigma).all()
    assert (sigma < (1, 0.5, 0.5, 0.005, 0.01)).all()
    # Two coordinates an observation, less what was adjusted.
    freedom = 2 * fit.observations - 6 * 8 - 3 * NUM_POINTS
    assert fit.cost == pytest.approx(freedom * NOISE_PX**2, rel=0.06)
    assert fit.cost < 0.5 * pinhole.cost
    assert pinhole.cameras[0].lens is None
    assert pinhole.cameras[0].centre == MIDDLE
    assert np.isnan(pinhole.cameras[0].sigma_centre).all()


def test_a_fit_says_what_its_model_costs() -> None:
    model, xy = rolled_scene(lenses=(TRUE_LENS,) * 8)
    (fit,) = fits_of(model, xy, FreeParameters(1))
    assert fit.cost == pytest.approx(float((residuals(fit.model, xy) ** 2).sum()))
    assert fit.cost == pytest.approx(sum(camera.cost for camera in fit.cameras))


def test_every_view_has_its_focal_where_they_are_asked_for() -> None:
    focals = (600.0, 780.0) * 4
    model, xy = rolled_scene(focals, centre=MIDDLE)
    same, each = fits_of(model, xy, FreeParameters(), FreeParameters(focal_of_each_view=True))
    assert [camera.positions for camera in each.cameras] == [(k,) for k in range(8)]
    for camera, focal in zip(each.cameras, focals):
        assert camera.sigma_focal < 0.01 * focal
        assert np.abs(camera.focal - focal) < 4 * camera.sigma_focal
    assert each.cost < 0.2 * same.cost


def test_cameras_that_are_fixed_do_not_move() -> None:
    model, xy = rolled_scene()
    cameras = (0, 1) * 4
    fit = fits_of(model, xy, FreeParameters(1, centre=True), camera_of_view=cameras, fixed=frozenset({1}))[0]
    free, fixed = fit.cameras
    assert (fixed.focal, *fixed.centre, fixed.lens) == (FOCAL, *MIDDLE, None)
    assert np.isnan(fixed.sigma_focal)
    assert free.lens is not None
    assert np.abs(np.array(free.centre) - MIDDLE).max() > 1
