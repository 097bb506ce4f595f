"""Scene points at stated poses, and views without one placed among them, by COLMAP's triangulation and
resection (docs/known_poses.md, "Frozen and soft"). It runs where the incremental mapper does, in a process of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from masks.disk.temporary_folder import temporary_folder
from pairs.backends.classical.sfm.mapper import (
    MapperJob,
    MapperModel,
    mapper_options,
    quiet_mapper,
    read_model,
    write_database,
)

if TYPE_CHECKING:
    import pycolmap

_LAST_PX = 2.0
"""Largest reprojection error in the end, as of scenes without known poses."""
_NARROWER = 3.0
"""Every round over poses that are to be improved triangulates within so many times less than the last."""
_LEAST_MATCHES = 8
_MOST_REFINEMENTS, _LEAST_CHANGE = 5, 0.0005
_PRIOR_CENTRES = 3
"""Centres that hold a world by themselves."""
_PRIOR_ROUNDS = 4
"""After one the temple's views, begun one degree off, stand up to 5.3 degrees off, after four 0.7."""


@dataclass(frozen=True, slots=True)
class KnownPosesJob(MapperJob):
    """A job of the mapper with poses, world from the user."""

    cam_from_world: Mapping[int, np.ndarray] = field(default_factory=dict)  # (4, 4) each
    """Stated poses by view."""
    starts: Mapping[int, np.ndarray] = field(default_factory=dict)  # (4, 4) each
    """Where other views may stand: first guesses, by view."""
    fixed: bool = True
    """Stated poses stay; otherwise they are where the bundle adjustment starts, and its prior."""
    start_px: float = _LAST_PX
    """Reprojection errors to begin with, where poses or focals are to be improved."""
    centre_sigma: float = 0.0
    """How far a stated centre is believed, in units of the world, where poses are to be improved."""
    two_view_tracks: bool = False
    """Points that two views see count, too: for poses that need no matches to be believed."""


def run_known_mapper(task: tuple[KnownPosesJob, Path]) -> MapperModel | None:
    """Run in this process, with an empty folder to write to; none where no point came out."""
    job, folder = task
    # Another machine of a cluster has not the caller's folder.
    with nullcontext(folder) if folder.exists() else temporary_folder() as own:
        return _run_in(own, job)


def _run_in(folder: Path, job: KnownPosesJob) -> MapperModel | None:
    import pycolmap

    quiet_mapper()
    job = _of_matched_views(job)
    database = folder / "matches.db"
    camera_ids = write_database(database, job)
    options = mapper_options(job, {camera_ids[i] for i, camera in enumerate(job.cameras) if camera.fixed})
    options.min_num_matches = _LEAST_MATCHES
    if job.two_view_tracks:
        options.triangulation.ignore_two_view_tracks = False
    # Fixed poses tell where the optical axis meets the picture; solved ones do not (an object in the middle
    # looks the same from a turned camera).
    options.ba_refine_principal_point = job.fixed and len(job.cam_from_world) >= _PRIOR_CENTRES
    options.fix_existing_frames = options.mapper.fix_existing_frames = job.fixed
    with pycolmap.Database.open(database) as opened:
        wanted = pycolmap.DatabaseCacheOptions()
        wanted.min_num_matches = _LEAST_MATCHES
        cache = pycolmap.DatabaseCache.create(opened, wanted)
    model = pycolmap.Reconstruction()
    model.load(cache)
    for view, pose in job.cam_from_world.items():
        _set_pose(model, view, pose)
        model.register_frame(view + 1)
    mapper = pycolmap.IncrementalMapper(cache)
    mapper.begin_reconstruction(model)
    scene = _Scene(model, mapper, options, job)
    for view, pose in job.starts.items():
        _set_pose(model, view, pose)
        mapper.observation_manager.register_frame(view + 1)
    for limit in scene.limits():
        scene.triangulate(limit)
        scene.refine(limit)
    scene.place_others()
    if model.num_points3D() == 0:
        return None
    return read_model(model)


def _of_matched_views(job: KnownPosesJob) -> KnownPosesJob:
    """Return the job with poses of views that have matches: COLMAP does not load others."""
    pairs = [pair for pair, found in job.pairs.items() if len(found.indices) >= _LEAST_MATCHES]
    matched = {view for pair in pairs for view in pair}
    poses, starts = (
        {view: pose for view, pose in each.items() if view in matched}
        for each in (job.cam_from_world, job.starts)
    )
    return replace(job, cam_from_world=poses, starts=starts)


def _set_pose(model: pycolmap.Reconstruction, view: int, pose: np.ndarray) -> None:
    import pycolmap

    # Frames, rigs and images have been given the same numbers.
    model.frame(view + 1).rig_from_world = pycolmap.Rigid3d(pose[:3])


@dataclass(frozen=True, slots=True)
class _Scene:
    """A scene that grows."""

    model: pycolmap.Reconstruction
    mapper: pycolmap.IncrementalMapper
    options: pycolmap.IncrementalPipelineOptions
    job: KnownPosesJob

    def limits(self) -> Iterable[float]:
        """Yield reprojection errors, from the one to begin with down to the last."""
        limit = self.job.start_px
        while limit > _LAST_PX:
            yield limit
            limit /= _NARROWER
        yield _LAST_PX

    def triangulate(self, limit: float) -> None:
        """Make all points anew, within a reprojection error."""
        for point in list(self.model.points3D):
            self.mapper.observation_manager.delete_point3D(point)
        options = self._triangulation(limit)
        for image in sorted(self.model.reg_image_ids()):
            self.mapper.triangulate_image(options, image)
        self.mapper.complete_and_merge_tracks(options)

    def refine(self, limit: float) -> None:
        """Adjust what may move: focals, poses that are not fixed, points."""
        options = self.options.get_mapper()
        options.filter_max_reproj_error = limit
        if not self.job.fixed and len(self.job.cam_from_world) >= _PRIOR_CENTRES:
            # Poses some degrees off tear tracks apart, which only join once these are better.
            for _ in range(_PRIOR_ROUNDS):
                self._adjust_by_priors()
                self.mapper.complete_and_merge_tracks(self._triangulation(limit))
                self.mapper.retriangulate(self._triangulation(limit))
                self.mapper.filter_points(options)
        elif limit > _LAST_PX:
            self.mapper.adjust_global_bundle(options, self.options.get_global_bundle_adjustment())
            self.mapper.filter_points(options)
        else:
            # Not normalised: the world is the user's.
            self.mapper.iterative_global_refinement(
                _MOST_REFINEMENTS,
                _LEAST_CHANGE,
                options,
                self.options.get_global_bundle_adjustment(),
                self._triangulation(limit),
                normalize_reconstruction=False,
            )

    def place_others(self) -> None:
        """Place the views that have no pose yet, those that see most of the scene first."""
        options, placed = self.options.get_mapper(), True
        while placed:
            placed = False
            for image in self.mapper.find_next_images(options, structure_less=False):
                if not self.mapper.register_next_image(options, image):
                    continue
                placed = True
                triangulation = self._triangulation(_LAST_PX)
                self.mapper.triangulate_image(triangulation, image)
                self.mapper.iterative_local_refinement(
                    2, 0.001, options, self.options.get_local_bundle_adjustment(), triangulation, image
                )
                break
        if self.model.num_reg_images() > len(self.job.cam_from_world) + len(self.job.starts):
            self.refine(_LAST_PX)

    def _triangulation(self, limit: float) -> pycolmap.IncrementalTriangulatorOptions:
        options = self.options.get_triangulation()
        options.merge_max_reproj_error = options.complete_max_reproj_error = limit
        focal = min(camera.K[0, 0] for camera in self.job.cameras)
        angle = max(options.create_max_angle_error, float(np.degrees(limit / focal)))
        options.create_max_angle_error = options.continue_max_angle_error = angle
        return options

    def _adjust_by_priors(self) -> None:
        import pycolmap

        config = pycolmap.BundleAdjustmentConfig()
        for image in self.model.reg_image_ids():
            config.add_image(image)
        for camera in self.options.constant_cameras:
            config.set_constant_cam_intrinsics(camera)
        priors = []
        for view, pose in self.job.cam_from_world.items():
            prior = pycolmap.PosePrior()
            prior.corr_data_id = self.model.image(view + 1).data_id
            prior.position = -pose[:3, :3].T @ pose[:3, 3]
            prior.position_covariance = self.job.centre_sigma**2 * np.eye(3)
            prior.coordinate_system = pycolmap.PosePriorCoordinateSystem.CARTESIAN
            priors.append(prior)
        pycolmap.create_pose_prior_bundle_adjuster(
            self.options.get_global_bundle_adjustment(),
            pycolmap.PosePriorBundleAdjustmentOptions(),
            config,
            priors,
            self.model,
        ).solve()
