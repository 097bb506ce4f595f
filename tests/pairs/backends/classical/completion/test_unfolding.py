"""Scenes that features fold come out right by their outlines, and right ones come back as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from local_work import working
from look_alike_ring import BLOCK, CAMERAS, folded, look_alike_ring

from masks.notice import Level
from masks.progress import silent
from pairs.backends.classical.completion.unfolding import unfolded
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.sfm.verification import verify_pairs
from pairs.backends.classical.solve_scene import MatchedViews, scene_of
from pairs.engines.engines import Workers
from pairs.engines.processes import Processes
from pairs.prediction.store import PredictionStore
from pairs.views.cameras import Cameras

pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")

MATCHED = look_alike_ring()
USUAL = SolveOptions()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Processes(1).start() as started:
        yield started


def solved(matched: MatchedViews, folder: Path, turntable: str = "auto") -> SceneSolve:
    with working(PredictionStore(folder), silent) as work:
        return scene_of(matched, None, work, SolveOptions(turntable=turntable))


def evidence(*, matches: bool = True) -> Evidence:
    verified = verify_pairs(MATCHED.xy, MATCHED.matches, USUAL.verify_px, USUAL.min_inliers)
    return Evidence(MATCHED.views, MATCHED.xy, MATCHED.masks, verified if matches else {})


def believed(cameras: Cameras, verdict: Verdict = Verdict.SURE) -> Attempt:
    """Return a scene that passed, or that its masks rejected, without points."""
    nothing = np.zeros(0, np.int32)
    views = tuple(range(len(cameras.K)))
    model = MapperModel(views, cameras, np.zeros((0, 3)), nothing, nothing, nothing)
    return Attempt("all verified pairs", "focal", model, Assessment(verdict, "shares", np.ones(len(views))))


def errors_deg(cam_from_world: np.ndarray, placed: Sequence[int]) -> np.ndarray:
    R, true = cam_from_world[:, :3, :3], CAMERAS.cam_from_world[list(placed), :3, :3]
    off = (R @ R[0].T) @ (true @ true[0].T).transpose(0, 2, 1)
    return np.rad2deg(np.arccos(np.clip((np.trace(off, axis1=1, axis2=2) - 1) / 2, -1, 1)))


def test_sides_that_look_alike_fold_a_scene_and_outlines_unfold_it(tmp_path: Path) -> None:
    solve = solved(MATCHED, tmp_path)
    assert solve.placed == tuple(range(16))
    assert errors_deg(solve.cameras.cam_from_world, solve.placed).max() < 0.5
    texts = {notice.subject: notice.text for notice in solve.notices if notice.level is Level.INFO}
    assert "turned by 180 degrees as a whole" in texts["folds"]
    assert "05.png, 06.png, 07.png, 08.png, 09.png, and 1 more" in texts["folds"]
    assert any("cut into 2 and joined by outlines, stated intrinsics" in n.text for n in solve.notices)


def test_a_right_scene_comes_back_as_it_is(workers: Workers) -> None:
    attempts = (believed(CAMERAS),)
    assert unfolded(evidence(), attempts, workers, USUAL) == attempts


def test_nothing_is_cut_where_that_is_switched_off(workers: Workers) -> None:
    attempts = (believed(folded(CAMERAS, BLOCK, 90.0)),)
    assert unfolded(evidence(), attempts, workers, SolveOptions(turntable="off")) == attempts


def test_a_believed_scene_that_outlines_cut_gives_way(workers: Workers) -> None:
    before, after = unfolded(evidence(), (believed(folded(CAMERAS, BLOCK, 90.0)),), workers, USUAL)
    assert before.assessment is not None
    assert before.assessment.verdict is Verdict.REJECTED
    assert "outlines cut it into pieces of 10 and 6 views" in before.assessment.reason
    assert after.accepted
    assert after.model is not None
    assert errors_deg(after.model.cameras.cam_from_world, after.model.placed).max() < 0.5
    assert "turned by 90 degrees" in after.notices[0].text


def test_a_believed_scene_that_outlines_cut_and_nothing_joins_is_doubtful(workers: Workers) -> None:
    before, after = unfolded(
        evidence(matches=False), (believed(folded(CAMERAS, BLOCK, 90.0)),), workers, USUAL
    )
    assert before.doubtful
    assert not after.accepted
    assert "No match says so" in after.notices[0].text


def test_a_single_view_is_dropped_by_name_and_placed_anew(workers: Workers) -> None:
    wrong = believed(folded(CAMERAS, np.array([7]), 168.0), Verdict.REJECTED)
    _, after = unfolded(evidence(), (wrong,), workers, USUAL)
    assert after.model is not None
    assert after.model.placed == tuple(range(16))
    assert errors_deg(after.model.cameras.cam_from_world, after.model.placed).max() < 0.5
    assert "07.png: outlines contradict their places" in after.notices[0].text
    assert "07.png: placed anew by matches" in after.notices[0].text


def test_a_mask_of_something_else_takes_no_view_of_a_believed_scene(workers: Workers) -> None:
    case = evidence()
    masks = list(case.masks)
    masks[7] = masks[0]
    attempts = (believed(CAMERAS),)
    spoilt = Evidence(case.views, case.xy, tuple(masks), case.pairs)
    assert unfolded(spoilt, attempts, workers, USUAL) == attempts
