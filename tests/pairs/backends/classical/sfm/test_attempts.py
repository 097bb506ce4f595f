"""The tries of the mapper, and what is tried when they fail."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, best_attempt, run_attempts, strategies
from pairs.backends.classical.sfm.mapper import STRICT, MapperJob, MapperModel
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.views.cameras import Cameras
from pairs.views.view import View

SIZE = (60, 40)
K = np.array([[50, 0, 29.5], [0, 50, 19.5], [0, 0, 1.0]])
POINTS = np.random.default_rng(0).uniform((-1, -1, 4), (1, 1, 5), (60, 3))


def pair(num_inliers: int, share: float = 1.0) -> VerifiedPair:
    return VerifiedPair(np.eye(3), np.stack([np.arange(num_inliers)] * 2, axis=1).astype(np.int32), share)


def evidence(num_views: int, pairs: dict[tuple[int, int], VerifiedPair], *, known: bool = False) -> Evidence:
    """Views that all look at the same points from one place, with masks that hold the whole picture."""
    mask = np.ones(SIZE[::-1], bool)
    stated, blank = K if known else None, np.zeros((*SIZE[::-1], 3), np.uint8)
    views = tuple(
        View(f"{k}.png", None, blank, identity(SIZE), Mask(mask, ""), f"{k}", K=stated)
        for k in range(num_views)
    )
    projected = POINTS @ K.T
    xy = (projected[:, :2] / projected[:, 2:]).astype(np.float32)
    return Evidence(views, (xy,) * num_views, (mask,) * num_views, pairs)


def model(num_placed: int, num_points: int = 60) -> MapperModel:
    """A scene of views that stand at one place."""
    poses = np.tile(np.eye(4), (num_placed, 1, 1))
    points = POINTS[:num_points]
    by, point = np.divmod(np.arange(num_placed * num_points), num_points)
    cameras = Cameras(np.tile(K, (num_placed, 1, 1)), poses)
    return MapperModel(
        tuple(range(num_placed)),
        cameras,
        points,
        point.astype(np.int32),
        by.astype(np.int32),
        point.astype(np.int32),
    )


def all_pairs(num_views: int) -> dict[tuple[int, int], VerifiedPair]:
    return {p: pair(40) for p in combinations(range(num_views), 2)}


def recorded(
    answer: Callable[[MapperJob], MapperModel | None],
) -> tuple[list[MapperJob], Callable[[MapperJob], MapperModel | None]]:
    jobs: list[MapperJob] = []

    def solve(job: MapperJob) -> MapperModel | None:
        jobs.append(job)
        return answer(job)

    return jobs, solve


def half_masked(case: Evidence) -> Evidence:
    """The same with masks that hold half of the points, so that every scene folds."""
    mask = case.masks[0].copy()
    mask[:, :30] = False
    return Evidence(case.views, case.xy, (mask,) * len(case.views), case.pairs)


def test_a_whole_scene_ends_the_tries() -> None:
    jobs, solve = recorded(lambda job: model(5))
    attempts = run_attempts(evidence(5, all_pairs(5)), solve, SolveOptions(), lambda done: None)
    assert len(jobs) == len(attempts) == 1
    assert jobs[0].cameras[0].K[0, 0] == 1.2 * 60


def test_a_partial_scene_is_tried_from_other_focals_and_seeds() -> None:
    jobs, solve = recorded(lambda job: model(5 if job.seed == 1 and job.cameras[0].K[0, 0] == 2 * 60 else 3))
    attempts = run_attempts(evidence(5, all_pairs(5)), solve, SolveOptions(), lambda done: None)
    assert [(job.cameras[0].K[0, 0] / 60, job.seed) for job in jobs] == [
        (1.2, 0),
        (0.8, 0),
        (2, 0),
        (3.5, 0),
        (6, 0),
        (1.2, 1),
        (0.8, 1),
        (2, 1),
    ]
    best = best_attempt(attempts)
    assert best is attempts[-1]


def test_with_stated_intrinsics_only_the_seed_varies() -> None:
    jobs, solve = recorded(lambda job: model(3))
    run_attempts(evidence(5, all_pairs(5), known=True), solve, SolveOptions(), lambda done: None)
    assert [job.seed for job in jobs] == [0, 1, 2]
    assert all(job.cameras[0].fixed for job in jobs)


def test_a_folded_scene_leads_to_windows_in_file_order_at_once() -> None:
    case = half_masked(evidence(24, all_pairs(24)))
    jobs, solve = recorded(lambda job: model(24))
    attempts = run_attempts(case, solve, SolveOptions(), lambda done: None)
    assert best_attempt(attempts) is None
    widest = [max(min(b - a, 24 - b + a) for a, b in job.pairs) for job in jobs]
    assert widest[:3] == [12, 6, 4]
    assert jobs[-1].strictness is STRICT


def test_the_pairs_of_the_scene_graph_are_tried_after_the_windows() -> None:
    case = half_masked(evidence(24, all_pairs(24)))
    ring = frozenset((k, k + 1) for k in range(23))
    names = [strategy.name for strategy in strategies(case.pairs, 24, ring)]
    assert names[1:5] == [
        "pairs up to 6 files apart",
        "pairs up to 4 files apart",
        "pairs of the scene graph",
        "pairs up to 3 files apart",
    ]


def test_a_step_of_the_ladder_that_changes_nothing_is_skipped() -> None:
    strong = {(0, 1): pair(40), (1, 2): pair(40)}
    assert [strategy.strictness for strategy in strategies(strong, 3)] == [
        strategy.strictness for strategy in strategies(strong, 3, frozenset(strong))
    ]
    assert len(list(strategies(strong, 3))) == 2


def test_a_partial_scene_that_never_folded_does_not_climb() -> None:
    jobs, solve = recorded(lambda job: model(4))
    run_attempts(evidence(12, all_pairs(12)), solve, SolveOptions(), lambda done: None)
    assert len(jobs) == 15
    assert all(len(job.pairs) == 66 for job in jobs)


def test_a_lost_straggler_is_not_sought_with_every_seed() -> None:
    jobs, solve = recorded(lambda job: model(11))
    run_attempts(evidence(12, all_pairs(12)), solve, SolveOptions(), lambda done: None)
    assert {job.seed for job in jobs} == {0}


def test_views_beyond_the_largest_component_are_not_waited_for() -> None:
    jobs, solve = recorded(lambda job: model(4))
    run_attempts(evidence(6, all_pairs(4)), solve, SolveOptions(), lambda done: None)
    assert len(jobs) == 1


def test_most_views_win_then_most_observations_then_the_first() -> None:
    answers = iter([model(3), model(4, num_points=40), model(4), model(4), model(2)])
    _, solve = recorded(lambda job: next(answers, None))
    attempts = run_attempts(evidence(6, all_pairs(6)), solve, SolveOptions(), lambda done: None)
    assert best_attempt(attempts) is attempts[2]


def test_a_doubtful_scene_gives_way_to_a_sure_one_of_nearly_as_many_views() -> None:
    def attempt(verdict: Verdict, num_placed: int) -> Attempt:
        return Attempt("", "", model(num_placed), Assessment(verdict, "", None))

    doubtful = attempt(Verdict.DOUBTFUL, 8)
    nearly, few = attempt(Verdict.SURE, 6), attempt(Verdict.SURE, 5)
    assert best_attempt([doubtful, few, nearly]) is nearly
    assert best_attempt([doubtful, few]) is doubtful
    assert best_attempt([attempt(Verdict.REJECTED, 8), few]) is few


def test_no_model_at_all_is_no_scene() -> None:
    _, solve = recorded(lambda job: None)
    attempts: tuple[Attempt, ...] = run_attempts(
        evidence(4, all_pairs(4)), solve, SolveOptions(), lambda done: None
    )
    assert best_attempt(attempts) is None
    assert all(attempt.num_placed == 0 for attempt in attempts)
