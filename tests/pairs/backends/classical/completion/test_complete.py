"""What outlines add to a scene, and what they refuse, on silhouettes without a single feature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from ellipsoid_masks import BODY, EGG, SIZE, Ellipsoid, around_origin, masks_of, pinholes, turntable

from masks.errors import ReconstructionError, UserError
from masks.mask import Mask
from masks.notice import Level, left_out
from masks.pixelmap import identity
from pairs.backends.classical.completion.complete import (
    Completion,
    completed,
    completion_notices,
    require_completion,
    require_masks,
)
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence
from pairs.backends.classical.sfm.mapper import MapperJob, MapperModel
from pairs.engines.processes import Processes
from pairs.views.cameras import Cameras
from pairs.views.view import View

CAMERAS = turntable(12, 30.0)
IMAGE = np.zeros((*SIZE[::-1], 3), np.uint8)


def evidence_of(masks: Sequence[np.ndarray]) -> Evidence:
    views = tuple(
        View(f"{k}.png", None, IMAGE, identity(SIZE), Mask(mask, "drawn"), str(k), camera="one")
        for k, mask in enumerate(masks)
    )
    return Evidence(views, tuple(np.zeros((0, 2)) for _ in views), tuple(masks), {})


def evidence_about(solid: tuple[Ellipsoid, ...], cameras: Cameras = CAMERAS) -> Evidence:
    return evidence_of(masks_of(cameras, solid))


def attempt_with(views: Sequence[int], cameras: Cameras = CAMERAS) -> Attempt:
    """Return an accepted scene of some views that has no points."""
    nothing = np.zeros(0, np.int32)
    placed = Cameras(cameras.K[list(views)], cameras.cam_from_world[list(views)])
    model = MapperModel(tuple(views), placed, np.zeros((0, 3)), nothing, nothing, nothing)
    return Attempt("all verified pairs", "focal", model, Assessment(Verdict.SURE, "", None))


def never(job: MapperJob) -> MapperModel | None:
    raise AssertionError("the mapper has nothing to solve here")


def completion(evidence: Evidence, best: Attempt | None, turntable: str | float = "auto") -> Completion:
    with Processes(1).start() as workers:
        return completed(evidence, best, never, workers, SolveOptions(turntable=turntable))


def largest_error_deg(found: Completion, cameras: Cameras = CAMERAS) -> float:
    assert found.attempt is not None
    assert found.attempt.model is not None
    R = found.attempt.model.cameras.cam_from_world[:, :3, :3]
    true = cameras.cam_from_world[list(found.attempt.model.placed), :3, :3]
    off = (R @ R[0].T) @ (true @ true[0].T).transpose(0, 2, 1)
    return float(np.rad2deg(np.arccos(np.clip((np.trace(off, axis1=1, axis2=2) - 1) / 2, -1, 1))).max())


def test_missing_views_are_placed_and_named() -> None:
    found = completion(evidence_about(BODY), attempt_with([4, 5, 6, 7, 8]))
    assert found.attempt is not None
    assert found.attempt.num_placed == 12
    assert found.attempt.assessment is not None
    assert found.attempt.assessment.verdict is Verdict.SURE
    assert found.by_outline == (0, 1, 2, 3, 9, 10, 11)
    assert [notice.subject for notice in found.notices] == [f"{k}.png" for k in found.by_outline]
    assert all("by its outline" in notice.text for notice in found.notices)
    assert largest_error_deg(found) < 0.5


@pytest.mark.parametrize("step", ["auto", 30.0])
def test_views_of_two_heights_are_placed_each_on_its_circle(step: str | float) -> None:
    azimuths = 30.0 * np.arange(12)
    heights = [around_origin(azimuths, 15.0), around_origin(azimuths + 7.0, 45.0)]
    cameras = pinholes(np.concatenate(heights))
    left = [3, 8, 14, 20, 21]
    placed = [view for view in range(24) if view not in left]
    found = completion(evidence_about(BODY, cameras), attempt_with(placed, cameras), step)
    assert found.by_outline == tuple(left)
    # A stated step is that of one circle.
    warned = [n.text for n in found.notices if n.level is Level.WARNING]
    assert ["It was not used" in text for text in warned] == ([] if step == "auto" else [True])
    assert found.attempt is not None
    assert "2 circles of one axis" in found.attempt.strategy
    assert largest_error_deg(found, cameras) < 0.5


def test_nothing_runs_where_nothing_is_missing_or_it_is_switched_off() -> None:
    evidence = evidence_about(BODY)
    assert completion(evidence, attempt_with(range(12))) == Completion()
    assert completion(evidence, attempt_with([4, 5, 6, 7, 8]), "off") == Completion()
    assert completion(evidence, None) == Completion()


def test_nothing_runs_where_the_cameras_stand_on_no_circle() -> None:
    poses = CAMERAS.cam_from_world.copy()
    poses[:, :3, 3] += np.random.default_rng(0).normal(0, 0.2, (12, 3))
    handheld = Cameras(CAMERAS.K, poses)
    assert completion(evidence_about(BODY), attempt_with(range(3, 11), handheld)) == Completion()


def test_a_short_arc_is_no_circle_yet() -> None:
    dense = turntable(12, 10.0)
    assert completion(evidence_about(BODY, dense), attempt_with([0, 1, 2, 3, 4], dense)) == Completion()


def test_a_side_that_cannot_be_told_is_said_with_its_left_out_view() -> None:
    found = completion(evidence_about(EGG), attempt_with([4, 5, 6, 7, 8]))
    assert found.attempt is None
    said = completion_notices(found, [left_out("0.png", "could not be placed.")], attempt_with([4]))
    assert said[0].level is Level.LEFT_OUT
    assert "does not tell the sides apart" in said[0].text


def test_masks_and_a_step_are_a_scene() -> None:
    found = completion(evidence_about(BODY), None, 30.0)
    assert found.by_outline == tuple(range(12))
    assert largest_error_deg(found) < 0.5
    assert any("30.0" in notice.text for notice in found.notices)


@pytest.mark.slow
def test_a_full_turn_needs_no_number() -> None:
    assert largest_error_deg(completion(evidence_about(BODY), None, "full")) < 0.5


@pytest.mark.slow
def test_exchanged_photos_are_left_out_by_name() -> None:
    masks = masks_of(CAMERAS, BODY)
    masks[3], masks[4] = masks[4], masks[3]
    found = completion(evidence_of(masks), None, 30.0)
    assert {n.subject for n in found.notices if n.level is Level.LEFT_OUT} == {"3.png", "4.png"}
    assert found.attempt is not None
    assert found.attempt.num_placed == 10
    assert largest_error_deg(found) < 0.5


def test_a_body_of_revolution_is_refused_by_name() -> None:
    found = completion(evidence_about(EGG), None, 30.0)
    with pytest.raises(ReconstructionError, match="body of revolution"):
        require_completion(found, None)


def test_six_photos_are_too_few() -> None:
    sixth = turntable(6, 60.0)
    with pytest.raises(ReconstructionError, match="needs 8 photos"):
        require_completion(completion(evidence_about(BODY, sixth), None, 60.0), None)


@pytest.mark.slow
def test_a_wrong_step_is_refused_and_the_right_one_named() -> None:
    found = completion(evidence_about(BODY), None, 17.0)
    with pytest.raises(ReconstructionError, match=r"30\.0\d degrees do fit"):
        require_completion(found, None)


def test_a_step_that_the_placed_views_contradict_is_not_used() -> None:
    found = completion(evidence_about(BODY), attempt_with([4, 5, 6, 7, 8]), 40.0)
    assert any(n.level is Level.WARNING and "contradicts" in n.text for n in found.notices)
    assert largest_error_deg(found) < 0.5


def test_a_stated_turntable_needs_masks() -> None:
    with pytest.raises(UserError, match="outlines are the evidence"):
        require_masks([None, None], SolveOptions(turntable=30.0))
    require_masks([None, None], SolveOptions())


@pytest.mark.slow
def test_a_missing_photo_is_stepped_over_with_a_warning() -> None:
    eighteen = turntable(18, 20.0)
    kept = [k for k in range(18) if k != 9]
    cameras = Cameras(eighteen.K[kept], eighteen.cam_from_world[kept])
    found = completion(evidence_about(BODY, cameras), None, 20.0)
    assert any(n.level is Level.WARNING and "not one even turn" in n.text for n in found.notices)
    assert found.attempt is not None
    assert found.attempt.num_placed == 17
    assert largest_error_deg(found, cameras) < 0.6
