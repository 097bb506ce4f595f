"""A finished scene adjusted with more or fewer free camera parameters
(docs/lenses.md, "Which parameters are freed").

All fits start from the same model and keep its observations, so their costs can be compared. pycolmap is
imported only where `fit_cameras` runs, which is a process of its own (see the mapper).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from masks.lens import Lens
from pairs.backends.classical.sfm.mapper import HALF_PIXEL, MapperModel, lens_of, residuals
from pairs.views.cameras import Cameras

if TYPE_CHECKING:
    import pycolmap

_MODELS = ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
"""COLMAP's cameras with one focal, by the number of their radial coefficients. With a focal a direction
turntables are degenerate: the two run apart by 6 to 14 %."""
_ROUNDS = 60
_TURNS = 2
"""Cameras with other free parameters meet in the points alone: the second turn moves them by little."""
# The start is the minimum of the smallest fit: nearly whole Gauss-Newton steps need 2 to 6 rounds where
# COLMAP's own settings (1e4 and 0) need 7 to 31 for the same costs to eight digits.
_TRUST_RADIUS, _COST_TOLERANCE = 1e6, 1e-8


@dataclass(frozen=True, slots=True)
class FreeParameters:
    """What a bundle adjustment may move beside points, poses and focals."""

    coefficients: int = 0
    """Radial distortion: 0 none, 1 k1, 2 k1 and k2."""
    centre: bool = False
    """The principal point."""
    focal_of_each_view: bool = False
    """Every view has a focal of its own; otherwise the views of one camera share it."""

    def __str__(self) -> str:
        lens = ("no lens", "k1", "k1 k2")[self.coefficients]
        return lens + ", centre" * self.centre + ", a focal for each view" * self.focal_of_each_view


@dataclass(frozen=True, slots=True)
class FitJob:
    """A finished scene, and the fits that are wanted of it."""

    model: MapperModel
    xy: tuple[np.ndarray, ...]  # per view of the solve (N, 2), working pixels
    camera_of_view: tuple[int, ...]
    """Number of each view's camera, placed or not."""
    fixed: frozenset[int]
    """Cameras whose intrinsics and lens stay as the model has them."""
    wanted: tuple[FreeParameters, ...]


@dataclass(frozen=True, slots=True)
class FittedCamera:
    """One camera of a fit."""

    positions: tuple[int, ...]
    """Its views, as positions among the placed ones."""
    cost: float
    """Sum of its squared residuals, working pixels."""
    observations: int
    focal: float
    """In working pixels, as all lengths."""
    sigma_focal: float
    """Standard deviation with poses and points free; nan for what was fixed, here and below."""
    sigma_centre: tuple[float, float]
    sigma_lens: tuple[float, ...]
    """Of the radial coefficients."""
    lens: Lens | None
    centre: tuple[float, float]
    freedom: float
    """Its share of the scene's degrees of freedom, by observations."""


@dataclass(frozen=True, slots=True)
class CameraFit:
    """A bundle adjustment that came to rest."""

    free: FreeParameters
    cost: float
    """Sum of the squared residuals, working pixels; two an observation."""
    observations: int
    cameras: tuple[FittedCamera, ...]
    """Ascending by camera number, those without placed views left out; one a view where each has its
    focal."""
    model: MapperModel
    """The scene with its adjusted cameras, lenses and points."""


def fit_cameras(job: FitJob) -> tuple[CameraFit, ...]:
    """Return the wanted fits, each from the job's model; a task for a process of its own."""
    return tuple(fit_camera(job, free) for free in job.wanted)


def fit_camera(job: FitJob, free: FreeParameters) -> CameraFit:
    """Return one fit; `job.wanted` does not matter."""
    import pycolmap

    pycolmap.logging.minloglevel = 1
    pycolmap.logging.logtostderr = True
    members = _members(job, free)
    scene = _scene(job, free, members)
    config = pycolmap.BundleAdjustmentConfig()
    for image_id in scene.reg_image_ids():
        config.add_image(image_id)
    for camera_id, positions in members.items():
        if _is_fixed(job, positions):
            config.set_constant_cam_intrinsics(camera_id)
    # Seven parameters of the world are free; two cameras hold them, and no point or pose is preferred.
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_principal_point = free.centre
    options.print_summary = False
    solver = options.ceres.solver_options
    solver.max_num_iterations = _ROUNDS
    solver.initial_trust_region_radius, solver.function_tolerance = _TRUST_RADIUS, _COST_TOLERANCE
    # With two threads the last bits of the sums depend on the machine.
    solver.num_threads = 1
    adjuster = pycolmap.create_default_ceres_bundle_adjuster(options, config, scene)
    adjuster.solve()
    covariance = pycolmap.estimate_ba_covariance(pycolmap.BACovarianceOptions(), scene, adjuster)
    return _read_fit(job, free, members, scene, covariance)


def fit_mixed(job: FitJob, free: Mapping[int, FreeParameters]) -> MapperModel:
    """Return the scene adjusted with other free parameters for each camera, by its number. All that are equal
    move together; the groups of them take turns.
    """
    model = job.model
    for _ in range(_TURNS):
        for parameters in dict.fromkeys(free.values()):
            others = frozenset(camera for camera, mine in free.items() if mine != parameters)
            turn = replace(job, model=model, fixed=job.fixed | others)
            model = fit_camera(turn, parameters).model
    return model


def _members(job: FitJob, free: FreeParameters) -> dict[int, tuple[int, ...]]:
    """Return the positions of each COLMAP camera's views, by its id (from 1)."""
    if free.focal_of_each_view:
        return {position + 1: (position,) for position in range(len(job.model.placed))}
    cameras = [job.camera_of_view[view] for view in job.model.placed]
    return {
        camera + 1: tuple(k for k, mine in enumerate(cameras) if mine == camera)
        for camera in sorted(set(cameras))
    }


def _is_fixed(job: FitJob, positions: Sequence[int]) -> bool:
    return job.camera_of_view[job.model.placed[positions[0]]] in job.fixed


def _scene(job: FitJob, free: FreeParameters, members: dict[int, tuple[int, ...]]) -> pycolmap.Reconstruction:
    """Return the model as COLMAP's: images numbered from 1 by position, points from 1 in order."""
    import pycolmap

    model = job.model
    scene = pycolmap.Reconstruction()
    for camera_id, positions in members.items():
        scene.add_camera_with_trivial_rig(_camera(job, free, camera_id, positions))
    camera_of = {position: camera_id for camera_id, positions in members.items() for position in positions}
    slots = np.empty(model.num_observations, int)
    for position, view in enumerate(model.placed):
        mine = np.flatnonzero(model.observed_by == position)
        slots[mine] = np.arange(len(mine))
        keypoints = job.xy[view][model.observed_feature[mine]].astype(np.float64) + HALF_PIXEL
        image = pycolmap.Image(
            name=str(view), keypoints=keypoints, camera_id=camera_of[position], image_id=position + 1
        )
        pose = pycolmap.Rigid3d(model.cameras.cam_from_world[position, :3])
        scene.add_image_with_trivial_frame(image, pose)
    order = np.argsort(model.observed_point, kind="stable")
    ends = np.searchsorted(model.observed_point[order], np.arange(len(model.points) + 1))
    for number, xyz in enumerate(model.points):
        seen = order[ends[number] : ends[number + 1]]
        track = pycolmap.Track(
            [pycolmap.TrackElement(int(model.observed_by[m]) + 1, int(slots[m])) for m in seen]
        )
        scene.add_point3D(xyz, track)
    return scene


def _camera(job: FitJob, free: FreeParameters, camera_id: int, positions: Sequence[int]) -> pycolmap.Camera:
    import pycolmap

    first = positions[0]
    K, lens = job.model.cameras.K[first], lens_of(job.model, first)
    cx, cy = K[:2, 2] + HALF_PIXEL
    known = () if lens is None else lens.coefficients
    if _is_fixed(job, positions):
        # A stated K may have two focals and any lens; nothing of it moves.
        coefficients = Lens("OPENCV", (0.0,) * 4).opencv if lens is None else lens.opencv
        model, params = "FULL_OPENCV", [K[0, 0], K[1, 1], cx, cy, *coefficients]
    else:
        model = _MODELS[free.coefficients]
        params = [K[0, 0], cx, cy, *(*known, 0.0, 0.0)[: free.coefficients]]
    # The size bounds nothing in an adjustment.
    side = int(2 * max(cx, cy))
    return pycolmap.Camera(model=model, width=side, height=side, params=params, camera_id=camera_id)


def _read_fit(
    job: FitJob,
    free: FreeParameters,
    members: dict[int, tuple[int, ...]],
    scene: pycolmap.Reconstruction,
    covariance: pycolmap.BACovariance | None,
) -> CameraFit:
    model = _adjusted(job.model, members, scene)
    squared = (residuals(model, job.xy) ** 2).sum(1)
    cost = float(squared.sum())
    num_views, num_points = len(model.placed), len(model.points)
    moved = sum(
        1 + free.coefficients + 2 * free.centre
        for positions in members.values()
        if not _is_fixed(job, positions)
    )
    freedom = 2 * len(squared) - 6 * num_views - 3 * num_points - moved + 7
    variance = cost / max(1, freedom)
    by_view = np.bincount(model.observed_by, squared, num_views)
    counts = np.bincount(model.observed_by, minlength=num_views)
    cameras = []
    for camera_id, positions in members.items():
        sigma = _sigmas(scene.camera(camera_id), free, None if _is_fixed(job, positions) else covariance)
        sigma = sigma * np.sqrt(variance)
        K = model.cameras.K[positions[0]]
        cameras.append(
            FittedCamera(
                positions,
                float(by_view[list(positions)].sum()),
                int(counts[list(positions)].sum()),
                float(K[0, 0]),
                float(sigma[0]),
                (float(sigma[1]), float(sigma[2])),
                tuple(sigma[3:].tolist()),
                lens_of(model, positions[0]),
                (float(K[0, 2]), float(K[1, 2])),
                freedom * float(counts[list(positions)].sum()) / max(1, len(squared)),
            )
        )
    return CameraFit(free, cost, len(squared), tuple(cameras), model)


def _adjusted(
    model: MapperModel, members: dict[int, tuple[int, ...]], scene: pycolmap.Reconstruction
) -> MapperModel:
    num_views = len(model.placed)
    K, cam_from_world = np.tile(np.eye(3), (num_views, 1, 1)), np.tile(np.eye(4), (num_views, 1, 1))
    lenses: list[Lens | None] = [None] * num_views
    for camera_id, positions in members.items():
        camera = scene.camera(camera_id)
        coefficients = tuple(np.array(camera.params)[list(camera.extra_params_idxs())].tolist())
        # A fixed lens is carried as the widest model; what it is called stays as it was.
        fixed = camera.model_name not in _MODELS
        lens = lens_of(model, positions[0]) if fixed or not any(coefficients) else None
        if lens is None and any(coefficients):
            lens = Lens(camera.model_name, coefficients)
        for k in positions:
            K[k], lenses[k] = camera.calibration_matrix(), lens
    K[:, :2, 2] -= HALF_PIXEL
    for k in range(num_views):
        cam_from_world[k, :3] = scene.image(k + 1).cam_from_world().matrix()
    points = np.array([scene.point3D(number + 1).xyz for number in range(len(model.points))])
    return replace(
        model, cameras=Cameras(K, cam_from_world), points=points.reshape(-1, 3), lenses=tuple(lenses)
    )


def _sigmas(
    camera: pycolmap.Camera, free: FreeParameters, covariance: pycolmap.BACovariance | None
) -> np.ndarray:
    """Return (3 + k,) standard deviations, at unit variance, of focal, principal point and coefficients;
    nan where fixed or unknown.
    """
    sigma = np.full(3 + free.coefficients, np.nan)
    found = None if covariance is None else covariance.get_other_params_cov(camera.params)
    if found is not None:
        moved = [0, *((1, 2) if free.centre else ()), *range(3, 3 + free.coefficients)]
        sigma[moved] = np.sqrt(np.maximum(np.diag(found), 0))
    return sigma
