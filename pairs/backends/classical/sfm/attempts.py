"""The tries of the mapper, and what is tried when they fail (docs/classical_backend.md, "Attempts").

The mapper grows a scene from one pair: a poor focal or first pair loses most of the views, and look-alike
sides fold it. Another start mends the former, fewer pairs the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx
import numpy as np

from masks.notice import Notice
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import (
    Assessment,
    Verdict,
    assess,
    broken_neighbours,
    collapsed_views,
    with_broken_neighbours,
    with_collapsed_views,
    with_contradicting_outlines,
    with_few_views,
)
from pairs.backends.classical.sfm.camera_groups import (
    FIRST_FACTOR,
    OTHER_FACTORS,
    camera_of_view,
    camera_starts,
)
from pairs.backends.classical.sfm.candidates import distance_in_order
from pairs.backends.classical.sfm.mapper import STRICT, USUAL, CameraStart, MapperJob, MapperModel, Strictness
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.views.view import View

Solver = Callable[[MapperJob], MapperModel | None]
"""Runs the mapper; none when no model came out."""
Mender = Callable[[Sequence["Attempt"]], Sequence["Attempt"]]
"""Returns attempts with better ones made of them."""

# Success from one start depended on seed and focal alike (9 of 12 starts on one ring); one more solve of 18
# views takes a second.
_SEEDS = 3
# Wrong pairs of look-alike sides had up to 85 inliers. Half of the matches verified leaves only right ones,
# but breaks the graph: hence after the windows.
_GOOD_INLIER_SHARE, _MANY_INLIERS = 0.5, 30
# Of 36 views, windows of 4 to 12 placed all within 1.0 degree, 3 within 3.2, and 2 only two thirds of them.
_MIN_WINDOW, _LEAST_WINDOW = 4, 2
_NEARLY_ALL, _SURE_VIEWS = 0.9, 0.75


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the views say of each other."""

    views: tuple[View, ...]
    xy: tuple[np.ndarray, ...]  # per view (N, 2), working pixels
    masks: tuple[np.ndarray | None, ...]  # per view, on the working picture
    pairs: dict[Pair, VerifiedPair]
    graph: frozenset[Pair] | None = None
    """The pairs of the scene graph: views that the user holds for neighbours, if anything was said."""
    found: tuple[np.ndarray, ...] = ()
    """Intrinsics (3, 3) of every camera, working pixels, when a solve before found them: its focals are tried
    first, its principal points are kept."""
    repeats: tuple[int, ...] = ()
    """For each view the first one that it repeats; empty where none does."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """One step of the retry strategy: a choice of pairs and of the mapper's thresholds."""

    name: str
    pairs: dict[Pair, VerifiedPair]
    strictness: Strictness = USUAL


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the mapper and what became of it."""

    strategy: str
    start: str
    """The focal it started from and the seed, in words."""
    model: MapperModel | None
    assessment: Assessment | None
    """None without a model."""
    notices: tuple[Notice, ...] = ()
    """What the report must say of it beside verdict and views."""

    @property
    def accepted(self) -> bool:
        """Whether the scene may be handed on."""
        return self.assessment is not None and self.assessment.verdict is not Verdict.REJECTED

    @property
    def doubtful(self) -> bool:
        """Whether the scene may be handed on only if there is no better one."""
        return self.assessment is not None and self.assessment.verdict is Verdict.DOUBTFUL

    @property
    def folded(self) -> bool:
        """Whether silhouettes or tears rejected the scene."""
        return self.assessment is not None and self.assessment.folded

    @property
    def num_placed(self) -> int:
        """How many views the scene holds."""
        return len(self.model.placed) if self.model is not None else 0


def run_attempts(
    evidence: Evidence,
    solve: Solver,
    options: SolveOptions,
    done: Callable[[int], None],
    mend: Mender | None = None,
) -> tuple[Attempt, ...]:
    """Run the mapper from several starts, and again on safer pairs while the scene is not believable. Returns
    every attempt in order. `mend` is asked before pairs are left out, for that costs views.
    """
    attempts: list[Attempt] = []
    for number, strategy in enumerate(strategies(evidence.pairs, len(evidence.views), evidence.graph)):
        for attempt in _tries(evidence, strategy, solve, options, seeds=_SEEDS if number == 0 else 1):
            attempts.append(attempt)
            done(len(attempts))
        if number == 0 and mend is not None:
            attempts = list(mend(attempts))
        if not _worth_another_strategy(attempts):
            break
    return tuple(attempts)


def best_attempt(attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the accepted attempt to hand on: most views, then most observations, then the first.

    A doubtful one gives way to any other that places nearly as many views as the largest.
    """
    accepted = [attempt for attempt in attempts if attempt.accepted]
    enough = _SURE_VIEWS * max((attempt.num_placed for attempt in accepted), default=0)
    sure = [attempt for attempt in accepted if not attempt.doubtful and attempt.num_placed >= enough]
    return max(sure or accepted, key=_views_and_observations, default=None)


def strategies(
    pairs: Mapping[Pair, VerifiedPair], num_views: int, graph: frozenset[Pair] | None = None
) -> Iterator[Strategy]:
    """Yield what is tried in turn: all pairs, windows in file order, the scene graph, clear pairs, strong
    pairs, strict thresholds.

    A step that changes nothing is skipped. An object with two similar sides folds whatever the thresholds,
    for its wrong pairs have many inliers. Neighbours in file order are rarely two sides that look alike; on
    unordered files the windows are harmless: their scenes must pass the same test. Wide windows come first,
    since they give the more accurate scene.
    """
    wide, narrow, least = (
        max(_MIN_WINDOW, num_views // 4),
        max(_MIN_WINDOW, num_views // 8),
        max(_LEAST_WINDOW, num_views // 8),
    )
    strong = _only(pairs, lambda pair: len(pairs[pair].indices) >= _MANY_INLIERS)
    in_order = [
        Strategy("all verified pairs", dict(pairs)),
        _window(pairs, num_views, wide),
        _window(pairs, num_views, narrow),
        Strategy(
            "pairs of the scene graph", {} if graph is None else _only(pairs, lambda pair: pair in graph)
        ),
        _window(pairs, num_views, least),
        Strategy(
            "pairs with half of their matches verified",
            _only(pairs, lambda pair: pairs[pair].share >= _GOOD_INLIER_SHARE),
        ),
        Strategy(f"pairs with {_MANY_INLIERS} verified matches", strong),
        Strategy(f"pairs with {_MANY_INLIERS} verified matches, strict thresholds", strong, STRICT),
    ]
    seen: list[tuple[set[Pair], Strictness]] = []
    for strategy in in_order:
        content = (set(strategy.pairs), strategy.strictness)
        if strategy.pairs and content not in seen:
            seen.append(content)
            yield strategy


def largest_component(pairs: Mapping[Pair, VerifiedPair]) -> int:
    """Return how many views hang together."""
    graph = networkx.Graph(list(pairs))
    return max((len(component) for component in networkx.connected_components(graph)), default=0)


def _window(pairs: Mapping[Pair, VerifiedPair], num_views: int, width: int) -> Strategy:
    return Strategy(
        f"pairs up to {width} files apart",
        _only(pairs, lambda pair: distance_in_order(pair, num_views) <= width),
    )


def _only(pairs: Mapping[Pair, VerifiedPair], wanted: Callable[[Pair], bool]) -> dict[Pair, VerifiedPair]:
    return {pair: verified for pair, verified in pairs.items() if wanted(pair)}


def _tries(
    evidence: Evidence, strategy: Strategy, solve: Solver, options: SolveOptions, seeds: int
) -> Iterator[Attempt]:
    """Yield attempts until all views that hang together are placed, or the starts are exhausted."""
    # Views that no verified pair ties to the rest are lost whatever the start: waiting for them would run
    # through all starts every time.
    reachable = largest_component(strategy.pairs)
    most_placed = 0
    for seed in range(options.seed, options.seed + seeds):
        for factor in _focal_factors(evidence.views):
            attempt = _attempt(evidence, strategy, solve, options, (factor, seed))
            yield attempt
            most_placed = max(most_placed, attempt.num_placed if attempt.accepted else 0)
            # All views placed but folded: the pairs are at fault, and other starts fold as well.
            if attempt.num_placed >= reachable and (attempt.accepted or attempt.folded):
                return
        # A failed start loses most of the views; a straggler is lost by its own weak pairs, whatever the
        # seed.
        if most_placed >= _NEARLY_ALL * reachable:
            return


def _attempt(
    evidence: Evidence,
    strategy: Strategy,
    solve: Solver,
    options: SolveOptions,
    start: tuple[float | None, int],
) -> Attempt:
    """Run the mapper once, from a start (focal factor, seed), and judge what comes out."""
    factor, seed = start
    cameras = camera_of_view(evidence.views, options.working_longest)
    starts = _starts(evidence, options, factor)
    model = solve(MapperJob(evidence.xy, starts, cameras, strategy.pairs, seed, strategy.strictness))
    name = f"{_start_name(factor, evidence)}, seed {seed}"
    return Attempt(strategy.name, name, model, None if model is None else assessed(evidence, model, options))


def assessed(evidence: Evidence, model: MapperModel, options: SolveOptions) -> Assessment:
    """Return what all tests say of a model."""
    cameras = camera_of_view(evidence.views, options.working_longest)
    starts = _starts(evidence, options, None)
    assessment = assess(model, evidence.xy, evidence.masks, [starts[camera] for camera in cameras], options)
    num_views = len(evidence.views)
    assessment = with_broken_neighbours(assessment, broken_neighbours(model, evidence.pairs, num_views))
    collapsed = collapsed_views(model, num_views, evidence.repeats)
    assessment = with_collapsed_views(assessment, collapsed, len(model.placed))
    focal_free = any(view.K is None for view in evidence.views)
    assessment = with_few_views(assessment, len(model.placed), num_views, focal_free)
    return with_contradicting_outlines(assessment, model, evidence.masks)


def _starts(evidence: Evidence, options: SolveOptions, factor: float | None) -> tuple[CameraStart, ...]:
    starts = camera_starts(evidence.views, options.working_longest, factor)
    if not evidence.found:
        return starts
    beside = []
    for start, found in zip(starts, evidence.found, strict=True):
        K = found.copy()
        if factor is not None:
            K[0, 0] = K[1, 1] = start.K[0, 0]
        beside.append(start if start.fixed else replace(start, K=K, prior=factor is None))
    return tuple(beside)


def _focal_factors(views: Sequence[View]) -> tuple[float | None, ...]:
    """Return the focal starts; one where nothing depends on them: intrinsics are stated, or two views, whose
    focal stays.
    """
    return (None,) if len(views) == 2 or all(view.K is not None for view in views) else (None, *OTHER_FACTORS)


def _start_name(factor: float | None, evidence: Evidence) -> str:
    views = evidence.views
    if factor is not None:
        return f"focal {factor:g} x"
    if evidence.found:
        return "focal found before"
    if all(view.K is not None for view in views):
        return "stated intrinsics"
    return (
        "focal from EXIF"
        if any(view.focal_exif is not None for view in views)
        else f"focal {FIRST_FACTOR:g} x"
    )


def _worth_another_strategy(attempts: Sequence[Attempt]) -> bool:
    """Tell whether safer pairs may give a better scene: none was accepted, the best is doubtful, or a folded
    one held more views than it.
    """
    best = best_attempt(attempts)
    if best is None or best.doubtful:
        return True
    return any(attempt.num_placed > best.num_placed for attempt in attempts if attempt.folded)


def _views_and_observations(attempt: Attempt) -> tuple[int, int]:
    return attempt.num_placed, attempt.model.num_observations if attempt.model is not None else 0
