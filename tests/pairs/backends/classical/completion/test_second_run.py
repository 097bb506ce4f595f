"""A second run, with the object turned over, joins the scene by outlines, or is named and kept apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ellipsoid_masks import BODY, EGG, SIZE, Ellipsoid, masks_of, outlines_of, turntable
from scipy.spatial.transform import Rotation
from turning_cameras import moved

from align.evaluation.camera_errors import rotation_errors_deg
from masks.mask import Mask
from masks.notice import Level, left_out
from masks.pixelmap import identity
from pairs.backends.classical.completion.complete import Completion, completed, completion_notices
from pairs.backends.classical.completion.second_run import second_run
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence
from pairs.backends.classical.sfm.mapper import MapperJob, MapperModel
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.engines.processes import Processes
from pairs.views.cameras import Cameras, nearest_to_lines
from pairs.views.view import View

ONE = turntable(8, 45.0)
OVER = np.eye(4)
OVER[:3, :3] = Rotation.from_euler("xz", [90.0, 20.0], degrees=True).as_matrix()
BOTH = Cameras(np.tile(ONE.K, (2, 1, 1)), np.concatenate([ONE.cam_from_world, ONE.cam_from_world @ OVER]))
"""The first eight views see the object standing, the others see it on its side."""


def evidence_about(solid: tuple[Ellipsoid, ...]) -> Evidence:
    masks = masks_of(BOTH, solid)
    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    views = tuple(
        View(f"{k}.png", None, image, identity(SIZE), Mask(mask, "drawn"), str(k), camera="one")
        for k, mask in enumerate(masks)
    )
    # Views are solved apart where some pair ties them.
    pair = VerifiedPair(np.eye(3), np.zeros((0, 2), np.int32), 1.0)
    return Evidence(views, tuple(np.zeros((0, 2)) for _ in views), tuple(masks), {(8, 9): pair})


def model_of(views: Sequence[int], poses: np.ndarray) -> MapperModel:
    """Return a scene whose one point is what the cameras look at."""
    cameras = Cameras(BOTH.K[list(views)], poses)
    middle = nearest_to_lines(cameras.centres, poses[:, 2, :3])
    nothing = np.zeros(0, np.int32)
    return MapperModel(tuple(views), cameras, middle[None], nothing, nothing, nothing)


def completion(solid: tuple[Ellipsoid, ...], second: Sequence[int] = range(8, 16)) -> Completion:
    """Return what becomes of views that features solve apart, or not at all where `second` is empty."""
    elsewhere = moved(BOTH.cam_from_world[list(second)], seed=3, scale=1.7) if second else None

    def solve(job: MapperJob) -> MapperModel | None:
        return None if elsewhere is None else model_of(second, elsewhere)

    first = model_of(range(8), BOTH.cam_from_world[:8])
    best = Attempt("all verified pairs", "focal", first, Assessment(Verdict.SURE, "", None))
    with Processes(1).start() as workers:
        return completed(evidence_about(solid), best, solve, workers, SolveOptions())


def test_both_runs_become_one_scene() -> None:
    found = completion(BODY)
    assert found.attempt is not None
    assert found.attempt.model is not None
    assert found.attempt.model.placed == tuple(range(16))
    assert found.by_outline == tuple(range(8, 16))
    poses = found.attempt.model.cameras.cam_from_world
    assert rotation_errors_deg(poses, BOTH.cam_from_world).max() < 0.5
    np.testing.assert_array_equal(poses[:8], BOTH.cam_from_world[:8])
    (notice,) = found.notices
    assert "a second run" in notice.text
    assert notice.text.startswith("8.png, ")


def test_runs_that_could_lie_several_ways_are_named_and_kept_apart() -> None:
    found = completion(EGG)
    assert found.attempt is None
    (notice,) = found.notices
    assert notice.level is Level.WARNING
    assert "The larger scene was kept" in notice.text
    said = completion_notices(found, [left_out("12.png", "could not be placed.")], None)
    assert "a second run" in said[0].text


def test_an_arc_is_no_second_run() -> None:
    first = model_of(range(8), BOTH.cam_from_world[:8])
    best = Attempt("all verified pairs", "focal", first, Assessment(Verdict.SURE, "", None))
    evidence = evidence_about(BODY)
    outlines = dict(enumerate(outlines_of(BOTH, BODY)))
    arc = model_of(range(8, 12), BOTH.cam_from_world[8:12])
    with Processes(1).start() as workers:
        assert second_run(evidence, outlines, best, lambda job: arc, workers, SolveOptions()) is None


def test_views_about_another_axis_are_not_put_on_the_circle() -> None:
    found = completion(BODY, second=())
    assert found.attempt is None
    assert set(found.reasons) == {f"{k}.png" for k in range(8, 16)}
    assert all("nowhere clearly" in reason for reason in found.reasons.values())
