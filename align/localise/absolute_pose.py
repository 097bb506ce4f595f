"""The camera that sees given world points at given pixels: robust perspective-n-point, refined.

The estimator is COLMAP's LO-RANSAC with its bundle of one camera (pycolmap), the one road for every published
mode. It is a dependency anyhow, its sampler takes a seed, it models distortion and can search the focal
length. It is as exact as OpenCV's SQPNP under RANSAC and as PoseLib (docs/localisation.md, "The pose of one
photo").
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from masks.errors import MissingExtraError

if TYPE_CHECKING:
    import pycolmap

LEAST_POINTS = 5
"""Four always agree with some camera."""
_HALF = 0.5
"""COLMAP's first pixel centre; ours is 0."""
_LOSS_SHARE = 0.2
"""Scale of the refinement's Cauchy loss, of the largest error: COLMAP's one pixel at the published five."""
_MEDIAN_LENGTH = 1.1774
"""Median length of a vector of two normal numbers, in their standard deviation."""


@dataclass(frozen=True, slots=True)
class QueryCamera:
    """What is known of a photo's lens; pixel centres at integers."""

    K: np.ndarray  # (3, 3), no skew
    size: tuple[int, int]
    """(width, height) of the photo."""
    distortion: tuple[float, float, float, float] | None = None
    """k1, k2, p1, p2 of OpenCV's model; none for a pinhole."""
    focal_known: bool = True
    """Otherwise one focal of both directions is sought, `K` gives the principal point alone."""

    def __post_init__(self) -> None:
        if self.distortion is not None and not self.focal_known:
            raise ValueError("distortion means nothing without its focal: state both, or neither")


@dataclass(frozen=True, slots=True)
class PoseOptions:
    """Random samples and what counts as agreeing."""

    error_share: float = 1 / 160
    """Largest reprojection error of an inlier, as a share of the image's diagonal: 5 pixels at 640 x 480."""
    error_px: float | None = None
    """The same in pixels of this image, instead."""
    iterations: int = 10_000
    confidence: float = 0.9999
    """Sampling ends early once a better camera is this improbable."""
    fewest_inliers: int = LEAST_POINTS
    seed: int = 0


@dataclass(frozen=True, slots=True)
class AbsolutePose:
    """A camera's pose among world points, float64."""

    cam_from_world: np.ndarray  # (4, 4)
    K: np.ndarray  # (3, 3), the given one, or with the focal that was found
    inliers: np.ndarray  # (N,) bool
    covariance: np.ndarray  # (6, 6)
    """Of a small turn (rotation vector in radians) and of the centre (scene units), both along the camera's
    axes; infinite where the points don't fix them. Errors of points are taken as independent, which matches
    of one photo pair are not: a lower bound."""

    @property
    def num_inliers(self) -> int:
        """Points that agree."""
        return int(self.inliers.sum())

    @property
    def rotation_sd_deg(self) -> float:
        """Standard deviation of the rotation over all axes."""
        return float(np.rad2deg(np.sqrt(np.trace(self.covariance[:3, :3]))))

    @property
    def centre_sd(self) -> float:
        """Standard deviation of the centre over all axes, in scene units."""
        return float(np.sqrt(np.trace(self.covariance[3:, 3:])))


def absolute_pose(
    points: np.ndarray, pixels: np.ndarray, camera: QueryCamera, options: PoseOptions | None = None
) -> AbsolutePose | None:
    """Return the pose from which world points (N, 3) are seen at pixels (N, 2), or none when fewer than
    `fewest_inliers` (and five) agree.

    Rows that are not finite are never inliers. Equal calls give equal results, to the bit. Raises
    `MissingExtraError` where pycolmap is not installed.
    """
    options = options or PoseOptions()
    require_pycolmap()
    points, pixels = np.asarray(points, np.float64), np.asarray(pixels, np.float64)
    usable = np.flatnonzero(np.isfinite(points).all(1) & np.isfinite(pixels).all(1))
    if len(usable) < LEAST_POINTS:
        return None
    lens = _colmap_camera(camera)
    found = _estimate(points[usable], pixels[usable], lens, camera, options)
    if found is None or found["num_inliers"] < max(options.fewest_inliers, LEAST_POINTS):
        return None
    cam_from_world = np.eye(4)
    cam_from_world[:3] = found["cam_from_world"].matrix()
    inliers = np.zeros(len(points), bool)
    inliers[usable[found["inlier_mask"]]] = True
    K = camera.K.astype(np.float64)
    if not camera.focal_known:
        K[0, 0] = K[1, 1] = lens.params[0]
    in_cam = points[inliers] @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    error = lens.img_from_cam(in_cam) - _HALF - pixels[inliers]
    covariance = _covariance(in_cam, error, lens, focal_known=camera.focal_known)
    return AbsolutePose(cam_from_world, K, inliers, covariance)


def largest_error_px(size: tuple[int, int], options: PoseOptions) -> float:
    """Return the largest reprojection error of an inlier in pixels of an image of (width, height)."""
    if options.error_px is not None:
        return options.error_px
    return options.error_share * float(np.hypot(*size))


def require_pycolmap() -> None:
    """Raise `MissingExtraError` where pycolmap is not installed."""
    if importlib.util.find_spec("pycolmap") is None:
        raise MissingExtraError(
            "pycolmap is not installed: poses of photos in a scene are estimated with it, and its wheels "
            "cover Linux on x86-64, macOS 14 on Apple silicon and Windows only. Run: pip install pycolmap"
        )


def _colmap_camera(camera: QueryCamera) -> pycolmap.Camera:
    import pycolmap

    fx, fy = camera.K[0, 0], camera.K[1, 1]
    cx, cy = camera.K[:2, 2] + _HALF
    width, height = camera.size
    if not camera.focal_known:
        # A start that the sampler replaces.
        model, params = "SIMPLE_PINHOLE", [max(camera.size), cx, cy]
    elif camera.distortion is None:
        model, params = "PINHOLE", [fx, fy, cx, cy]
    else:
        model, params = "OPENCV", [fx, fy, cx, cy, *camera.distortion]
    return pycolmap.Camera(model=model, width=width, height=height, params=params)


def _estimate(
    points: np.ndarray, pixels: np.ndarray, lens: pycolmap.Camera, camera: QueryCamera, options: PoseOptions
) -> dict | None:
    import pycolmap

    largest = largest_error_px(camera.size, options)
    sampling = pycolmap.AbsolutePoseEstimationOptions()
    sampling.estimate_focal_length = not camera.focal_known
    sampling.ransac.max_error = largest
    # The iterations and the confidence alone decide when to stop, not an assumed share of inliers.
    sampling.ransac.min_inlier_ratio = 0.01
    sampling.ransac.max_num_trials = options.iterations
    sampling.ransac.min_num_trials = min(sampling.ransac.min_num_trials, options.iterations)
    sampling.ransac.confidence = options.confidence
    sampling.ransac.random_seed = options.seed
    refinement = pycolmap.AbsolutePoseRefinementOptions()
    refinement.loss_function_scale = _LOSS_SHARE * largest
    refinement.refine_focal_length = not camera.focal_known
    return pycolmap.estimate_and_refine_absolute_pose(pixels + _HALF, points, lens, sampling, refinement)


def _covariance(
    in_cam: np.ndarray, error: np.ndarray, lens: pycolmap.Camera, *, focal_known: bool
) -> np.ndarray:
    """Return the covariance (6, 6) of turn and centre for points (M, 3) in the camera's frame that are seen
    with errors (M, 2).

    COLMAP's own supposes errors of one pixel and down-weights them, which makes it up to 1.8 times too wide.
    """
    step = 1e-6 * np.linalg.norm(in_cam, axis=1).mean()
    by_point = np.stack(
        [
            (lens.img_from_cam(in_cam + shift) - lens.img_from_cam(in_cam - shift)) / (2 * step)
            for shift in step * np.eye(3)
        ],
        2,
    )  # (M, 2, 3)
    # A turn w takes X to X + w x X, a step c of the centre to X - c.
    turn = np.cross(np.eye(3), in_cam[:, None]).transpose(0, 2, 1)  # (M, 3, 3)
    columns = [by_point @ turn, -by_point]
    if not focal_known:
        columns.append((lens.img_from_cam(in_cam) - lens.params[1:3])[..., None])
    jacobian = np.concatenate(columns, 2).reshape(2 * len(in_cam), -1)
    sigma = np.median(np.linalg.norm(error, axis=1)) / _MEDIAN_LENGTH
    try:
        return sigma**2 * np.linalg.inv(jacobian.T @ jacobian)[:6, :6]
    except np.linalg.LinAlgError:
        return np.full((6, 6), np.inf)
