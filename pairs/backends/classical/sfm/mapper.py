"""COLMAP's incremental mapper on our own verified matches (docs/classical_backend.md, "The mapper").

pycolmap is imported only where `run_mapper` runs, which is a process of its own: it installs signal handlers
and prints to standard error, and a crash inside it becomes an error there instead of the end of the program.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from masks.disk.temporary_folder import temporary_folder
from masks.errors import MissingExtraError, OutputError, SolverError
from masks.lens import Lens, distort, pixels_of
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair, shift_fundamental
from pairs.engines.engines import Workers
from pairs.views.cameras import Cameras

if TYPE_CHECKING:
    import pycolmap

HALF_PIXEL = 0.5
"""COLMAP's origin is the corner of the first pixel, ours its centre."""
_EMPTY_DATABASE = 1_000_000
"""Bytes, generously: its tables alone take a fifth of that."""


@dataclass(frozen=True, slots=True)
class CameraStart:
    """What is assumed of one physical camera, in working pixels with integer centres."""

    size: tuple[int, int]
    """(width, height) of the working picture."""
    K: np.ndarray  # (3, 3)
    prior: bool
    """The focal is more than a guess: EXIF said it, or the user."""
    fixed: bool
    """The intrinsics are kept as they are; otherwise the focal is refined, the principal point never."""


@dataclass(frozen=True, slots=True)
class Strictness:
    """Thresholds of the mapper that retries tighten."""

    pose_max_error_px: float = 12.0
    pose_min_inlier_share: float = 0.25
    pose_min_inliers: int = 15


USUAL = Strictness()
"""Thresholds that lose no view on well-textured objects."""
STRICT = Strictness(pose_max_error_px=4.0, pose_min_inlier_share=0.5, pose_min_inliers=30)
"""Thresholds that few wrong matches of look-alike sides pass, at the price of views
(docs/classical_backend.md, "Attempts").
"""


@dataclass(frozen=True, slots=True)
class MapperJob:
    """Everything that the mapper needs."""

    xy: tuple[np.ndarray, ...]  # per view (N, 2), working pixels
    cameras: tuple[CameraStart, ...]
    camera_of_view: tuple[int, ...]
    pairs: dict[Pair, VerifiedPair]
    seed: int
    strictness: Strictness = USUAL


@dataclass(frozen=True, slots=True)
class MapperModel:
    """One scene as the mapper left it."""

    placed: tuple[int, ...]
    """Indices of the placed views, ascending. P of them."""
    cameras: Cameras
    """Of the placed views; K in working pixels with integer centres."""
    points: np.ndarray  # (N, 3), world
    observed_point: np.ndarray  # (M,) int32
    observed_by: np.ndarray  # (M,) int32, position in `placed`
    observed_feature: np.ndarray  # (M,) int32, key point of that view
    lenses: tuple[Lens | None, ...] = ()
    """Of the placed views; none is a pinhole. Empty: all are."""

    @property
    def num_observations(self) -> int:
        """How often scene points are seen."""
        return len(self.observed_point)


def lens_of(model: MapperModel, position: int) -> Lens | None:
    """Return the lens of a placed view; none for a pinhole."""
    return model.lenses[position] if model.lenses else None


def seen_at(model: MapperModel, position: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the working pixels (N, 2) at which a placed view sees world points (N, 3), and their depths
    (N,); NaN where its lens shows nothing. A point behind the camera has pixels, too.
    """
    pose, lens = model.cameras.cam_from_world[position], lens_of(model, position)
    in_cam = points @ pose[:3, :3].T + pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        at = in_cam[:, :2] / in_cam[:, 2:]
        if lens is not None:
            shown = np.linalg.norm(at, axis=1) <= lens.valid_radius
            at = np.where(shown[:, None], distort(lens, at), np.nan)
    return pixels_of(model.cameras.K[position], at), in_cam[:, 2]


def residuals(model: MapperModel, xy: Sequence[np.ndarray]) -> np.ndarray:
    """Return (M, 2) how far every scene point projects from its key point, in working pixels; `xy` are the
    key points of all views.
    """
    off = np.empty((model.num_observations, 2))
    for position, view in enumerate(model.placed):
        mine = model.observed_by == position
        at, _ = seen_at(model, position, model.points[model.observed_point[mine]])
        off[mine] = at - xy[view][model.observed_feature[mine]]
    return off


def require_mapper() -> None:
    """Raise `MissingExtraError` where pycolmap is not installed."""
    if importlib.util.find_spec("pycolmap") is None:
        raise MissingExtraError(
            "pycolmap is not installed: the embedded backend solves the scene with it, and its wheels "
            "cover Linux on x86-64, macOS 14 on Apple "
            "silicon and Windows only. Run: pip install pycolmap; elsewhere use a pair network (`backend`) "
            "instead."
        )


def solve_apart(
    job: MapperJob, workers: Workers, run: Callable[[tuple[Any, Path]], MapperModel | None] | None = None
) -> MapperModel | None:
    """Run the mapper, or another way to a model, in a process of its own; none when no model came out.

    An unexpected death is a `SolverError` with its last words, a temporary folder without room an
    `OutputError`.
    """
    # The folder belongs to this process: the other one is killed on Ctrl-C and could not clear it away.
    with temporary_folder() as folder:
        try:
            return workers.apart(run or run_mapper, (job, folder))
        except (RuntimeError, SolverError) as error:
            # What the mapper says of a full disk names neither the disk nor the folder.
            if (free := shutil.disk_usage(folder).free) > _database_bytes(job):
                raise
            raise OutputError(
                f"{folder.parent}: the database of the scene solve needs more than the {free / 1e6:.1f} MB "
                "that are free there. Free some space, or name another folder in the environment variable "
                "TMPDIR."
            ) from error


def _database_bytes(job: MapperJob) -> int:
    """Return what the mapper's database may take: its numbers, and as much again while they are written."""
    numbers = sum(xy.size for xy in job.xy) + sum(2 * pair.indices.size for pair in job.pairs.values())
    return 8 * numbers + _EMPTY_DATABASE


def run_mapper(task: tuple[MapperJob, Path]) -> MapperModel | None:
    """Run the mapper in this process, with an empty folder to write to; of several models the one with most
    views counts.
    """
    job, folder = task
    # Another machine of a cluster has not the caller's folder.
    with nullcontext(folder) if folder.exists() else temporary_folder() as own:
        return _run_in(own, job)


def _run_in(folder: Path, job: MapperJob) -> MapperModel | None:
    import pycolmap

    quiet_mapper()
    database = folder / "matches.db"
    camera_ids = write_database(database, job)
    # The focal of two views is not observable: bundle adjustment would let it run.
    fixed = {camera_ids[i] for i, camera in enumerate(job.cameras) if camera.fixed or len(job.xy) == 2}
    models = pycolmap.incremental_mapping(database, folder, folder, mapper_options(job, fixed))
    if not models:
        return None
    return read_model(max(models.values(), key=lambda model: model.num_reg_images()))


def quiet_mapper() -> None:
    """Let the mapper say what went wrong, and nothing else."""
    import pycolmap

    # Warnings and worse: its running commentary would crowd out the last words of a crash. It writes files of
    # them into the temporary folder otherwise, and leaves them there.
    pycolmap.logging.minloglevel = 1
    pycolmap.logging.logtostderr = True


def write_database(path: Path, job: MapperJob) -> list[int]:
    """Write cameras, views and verified pairs, and return the cameras' ids there."""
    import pycolmap

    with pycolmap.Database.open(path) as opened:
        camera_ids = _write_cameras(opened, job)
        _write_views(opened, job, camera_ids)
    return camera_ids


def _write_cameras(database: pycolmap.Database, job: MapperJob) -> list[int]:
    import pycolmap

    ids = []
    for start in job.cameras:
        w, h = start.size
        cx, cy = start.K[0, 2] + HALF_PIXEL, start.K[1, 2] + HALF_PIXEL
        # A stated K may have two focals; a solved camera has one, since its pixels are square.
        if start.fixed:
            camera = pycolmap.Camera(
                model="PINHOLE", width=w, height=h, params=[start.K[0, 0], start.K[1, 1], cx, cy]
            )
        else:
            camera = pycolmap.Camera(
                model="SIMPLE_PINHOLE", width=w, height=h, params=[start.K[0, 0], cx, cy]
            )
        camera.has_prior_focal_length = start.prior
        ids.append(database.write_camera(camera))
    return ids


def _write_views(database: pycolmap.Database, job: MapperJob, camera_ids: Sequence[int]) -> None:
    """Write one image, rig and frame a view, numbered from 1, and the verified pairs."""
    import pycolmap

    rigs = [_write_rig(database, camera_id) for camera_id in camera_ids]
    for view, (xy, camera) in enumerate(zip(job.xy, job.camera_of_view)):
        image = pycolmap.Image(name=str(view), camera_id=camera_ids[camera], image_id=view + 1)
        database.write_image(image, use_image_id=True)
        frame = pycolmap.Frame(rig_id=rigs[camera], frame_id=view + 1)
        frame.add_data_id(image.data_id)
        database.write_frame(frame, use_frame_id=True)
        # COLMAP's database numbers images from 1.
        database.write_keypoints(view + 1, (xy + HALF_PIXEL).astype(np.float32))
    for (a, b), pair in job.pairs.items():
        indices = pair.indices.astype(np.uint32)
        geometry = pycolmap.TwoViewGeometry()
        geometry.config = pycolmap.TwoViewGeometryConfiguration.UNCALIBRATED.value
        geometry.F = shift_fundamental(pair.F, HALF_PIXEL)
        geometry.inlier_matches = indices
        database.write_matches(a + 1, b + 1, indices)
        database.write_two_view_geometry(a + 1, b + 1, geometry)


def _write_rig(database: pycolmap.Database, camera_id: int) -> int:
    import pycolmap

    rig = pycolmap.Rig(rig_id=camera_id)
    rig.add_ref_sensor(database.read_camera(camera_id).sensor_id)
    return database.write_rig(rig, use_rig_id=True)


def mapper_options(job: MapperJob, fixed: set[int]) -> pycolmap.IncrementalPipelineOptions:
    """Return the mapper's settings; `fixed` are the ids of cameras whose intrinsics stay."""
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions()
    # A second model would have a world and a scale of its own, and nothing here could join it to the first.
    options.multiple_models = False
    options.min_model_size = min(3, len(job.xy))
    options.extract_colors = False
    # With two threads the same input gave poses that differ in the last bits.
    options.num_threads = options.mapper.num_threads = 1
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = job.seed
    options.constant_cameras = options.mapper.constant_cameras = fixed
    # COLMAP asks for 100, and for 30 below. Neighbours on white plaster share 15 to 100.
    options.mapper.init_min_num_inliers = 50
    options.mapper.abs_pose_max_error = job.strictness.pose_max_error_px
    options.mapper.abs_pose_min_inlier_ratio = job.strictness.pose_min_inlier_share
    options.mapper.abs_pose_min_num_inliers = job.strictness.pose_min_inliers
    # Half of COLMAP's. Largest error of a turntable at 20 degree steps: 3.2 degrees with this alone, 0.68
    # with the 1 px of the verification alone, 0.49 with both.
    options.mapper.filter_max_reproj_error = 2.0
    options.triangulation.complete_max_reproj_error = options.triangulation.merge_max_reproj_error = 2.0
    # Two photos have no longer tracks.
    options.triangulation.ignore_two_view_tracks = len(job.xy) > 2
    return options


def read_model(model: pycolmap.Reconstruction) -> MapperModel:
    """Return a model as arrays, in an order that does not depend on its tables."""
    ids = sorted(model.reg_image_ids())
    position = {image_id: k for k, image_id in enumerate(ids)}
    K, cam_from_world = np.tile(np.eye(3), (len(ids), 1, 1)), np.tile(np.eye(4), (len(ids), 1, 1))
    for k, image_id in enumerate(ids):
        image = model.image(image_id)
        K[k] = model.camera(image.camera_id).calibration_matrix()
        K[k, :2, 2] -= HALF_PIXEL
        cam_from_world[k, :3] = image.cam_from_world().matrix()
    points, observations = [], []
    # In the order of ids: that of the table inside is an accident, and everything after this must be the same
    # bytes again.
    for number, point_id in enumerate(sorted(model.points3D)):
        point = model.points3D[point_id]
        points.append(point.xyz)
        seen = sorted((position[element.image_id], element.point2D_idx) for element in point.track.elements)
        observations += [(number, by, feature) for by, feature in seen]
    table = np.array(observations, np.int32).reshape(-1, 3)
    return MapperModel(
        placed=tuple(image_id - 1 for image_id in ids),
        cameras=Cameras(K, cam_from_world),
        points=np.array(points, np.float64).reshape(-1, 3),
        observed_point=table[:, 0],
        observed_by=table[:, 1],
        observed_feature=table[:, 2],
    )
