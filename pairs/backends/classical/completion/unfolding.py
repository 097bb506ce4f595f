"""A folded scene cut where its outlines contradict each other, joined again and solved as one
(docs/turntables.md, "Folded scenes").

Sides that look alike fold the scene of all pairs. Fewer pairs mend that at the price of views; but the pieces
of a folded scene are right within themselves, and outlines tell where each belongs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from masks.notice import Notice, first_few, info, warning
from pairs.backends.classical.completion.ring_scene import agreeing_pairs
from pairs.backends.classical.known_mapper import KnownPosesJob, run_known_mapper
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence, assessed
from pairs.backends.classical.sfm.camera_groups import camera_of_view, starts_from
from pairs.backends.classical.sfm.mapper import MapperModel, solve_apart
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.engines.engines import Workers
from pairs.rings.outline import Outline, outline_of
from pairs.rings.ring import Grade, fit_circular_motion
from pairs.rings.splitting import Folds, JoinedPiece, cut_folds, join_fold
from pairs.rings.tangency import MOST_TANGENCY_PX, hulls_of, medians_of_views
from pairs.rings.upright import axis_across_rows
from pairs.views.cameras import Cameras, some_cameras

_LEAST_VIEWS, _MOST_VIEWS = 6, 200
"""Two pieces of three; tangents of 20 000 pairs take 0.2 GB."""
_TURNED_RAD = np.deg2rad(5.0)
"""Sides that look alike are farther apart. A block of other masks (with the plate in them) is cut off, too,
and stays nearly where it was."""
_POOR_MASKS = 2.0
"""By so many times their median within pieces, views with poor masks may contradict each other."""
_AGREE_PX, _AGREE_SHARE = 6.0, 0.5
"""Joined pieces stand some tenths of a degree off, which is pixels in their matches; of a pair of two sides
that only look alike most matches are off by more."""
_START_PX = 12.0


@dataclass(frozen=True, slots=True)
class _Joined:
    """Poses of a folded scene, unfolded."""

    cam_from_world: Mapping[int, np.ndarray]  # (4, 4) by view
    joined: tuple[tuple[tuple[int, ...], JoinedPiece], ...]
    """Views of every piece that was moved, and how."""
    dropped: tuple[tuple[int, ...], ...]
    """Views of every piece that fits nowhere."""
    single: tuple[int, ...]
    """Views that stood wrong on their own."""
    limit_px: float
    """What the outlines of a right view may contradict the others by in the median."""


def unfolded(
    evidence: Evidence, attempts: Sequence[Attempt], workers: Workers, options: SolveOptions
) -> tuple[Attempt, ...]:
    """Return the tries with another one: the largest scene among them, if its outlines cut it into pieces,
    joined by them and adjusted with the verified pairs that agree.

    An accepted scene that is cut is no longer sure, or rejected where the joined one is better. Where
    outlines cut nothing the tries come back as they are; 36 views take 0.8 CPU s, a piece that is joined 2.
    """
    suspect = _largest(attempts)
    if options.turntable == "off" or suspect is None or suspect.model is None:
        return tuple(attempts)
    outlines = _outlines(evidence, suspect.model)
    if not _LEAST_VIEWS <= len(outlines) <= _MOST_VIEWS:
        return tuple(attempts)
    views = tuple(outlines)
    cameras = _cameras_of(suspect.model, views)
    drawn = list(outlines.values())
    limit = MOST_TANGENCY_PX * hulls_of(drawn).scale
    if suspect.accepted and not (medians_of_views(cameras, drawn) > limit).any():
        return tuple(attempts)
    folds = cut_folds(cameras, drawn)
    # A single view of an accepted scene may have a poor mask: the report names it.
    if not folds.pieces or (len(folds.pieces) == 1 and (suspect.accepted or not len(folds.single))):
        return tuple(attempts)
    joined = _joined(cameras, outlines, folds)
    if suspect.accepted and not joined.dropped and _hardly_turned(joined):
        return tuple(attempts)
    attempt = _solved(evidence, suspect, joined, workers, options)
    better = attempt.accepted and not joined.dropped
    judged = [_in_doubt(a, folds, better) if a is suspect and a.accepted else a for a in attempts]
    return (*judged, attempt)


def _largest(attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the scene with most views among the believable and the folded ones."""
    return max(
        (attempt for attempt in attempts if attempt.accepted or attempt.folded),
        key=lambda attempt: (attempt.num_placed, attempt.accepted, not attempt.doubtful),
        default=None,
    )


def _outlines(evidence: Evidence, model: MapperModel) -> dict[int, Outline]:
    masks = {view: evidence.masks[view] for view in model.placed}
    found = {view: outline_of(mask) for view, mask in masks.items() if mask is not None}
    return {view: outline for view, outline in found.items() if outline is not None}


def _cameras_of(model: MapperModel, views: Sequence[int]) -> Cameras:
    return some_cameras(model.cameras, [model.placed.index(view) for view in views])


def _joined(cameras: Cameras, outlines: Mapping[int, Outline], folds: Folds) -> _Joined:
    """Join piece after piece to the largest one: one that fits nowhere yet may fit when others have come."""
    views, drawn = np.array(list(outlines)), list(outlines.values())
    poses = cameras.cam_from_world.copy()
    rest, left = folds.pieces[0], list(folds.pieces[1:])
    moved: list[tuple[tuple[int, ...], JoinedPiece]] = []
    axis = _axis(poses[rest])
    while left:
        tried = [join_fold(Cameras(cameras.K, poses), drawn, rest, piece, axis) for piece in left]
        good = [k for k, found in enumerate(tried) if found.accepted]
        if not good:
            break
        best = min(good, key=lambda k: tried[k].tangency)
        piece = left.pop(best)
        poses[piece] = tried[best].cam_from_world
        moved.append((tuple(map(int, views[piece])), tried[best]))
        rest = np.sort(np.concatenate([rest, piece]))
    limit = max(MOST_TANGENCY_PX * hulls_of(drawn).scale, _POOR_MASKS * folds.tangency)
    return _Joined(
        {int(views[k]): poses[k] for k in rest},
        tuple(moved),
        tuple(tuple(map(int, views[piece])) for piece in left),
        tuple(map(int, views[folds.single])),
        limit,
    )


def _hardly_turned(joined: _Joined) -> bool:
    return all(piece.turned_by < _TURNED_RAD for _, piece in joined.joined)


def _axis(cam_from_world: np.ndarray) -> np.ndarray:
    """Return the axis (3,) of the circle on which cameras stand; of others that about which they were held
    upright.
    """
    motion = fit_circular_motion(cam_from_world)
    if motion.grade is Grade.EXACT:
        return motion.rings[0].axis_from_world[2, :3]
    return axis_across_rows(cam_from_world)


def _solved(
    evidence: Evidence, suspect: Attempt, joined: _Joined, workers: Workers, options: SolveOptions
) -> Attempt:
    """Return the scene of the joined poses after a bundle adjustment of the verified pairs that agree with
    them. Views that fit nowhere by their outlines may be placed by their matches, and stay where outlines
    agree there.
    """
    num_pieces = 1 + len(joined.joined) + len(joined.dropped)
    strategy = f"{suspect.strategy}, cut into {num_pieces} and joined by outlines"
    model, poses = suspect.model, joined.cam_from_world
    if model is None:
        raise ValueError("an attempt without a model has no folds")
    agreeing = _tied(evidence, model, poses)
    others = {pair: found for pair, found in evidence.pairs.items() if not set(pair) <= set(poses)}
    found = _adjusted(evidence, model, poses, {**agreeing, **others}, workers, options)
    if found is not None and set(found.placed) > set(poses):
        # Matches of sides that look alike have come back with these views.
        wrong = _off(evidence, found, joined.limit_px) - set(poses)
        poses = {v: pose for v, pose in zip(found.placed, found.cameras.cam_from_world) if v not in wrong}
        found = _adjusted(evidence, found, poses, _tied(evidence, found, poses), workers, options)
    assessment = None if found is None else _judged(evidence, found, joined, options)
    return Attempt(strategy, suspect.start, found, assessment, _notices(evidence, joined, agreeing, found))


def _tied(
    evidence: Evidence, model: MapperModel, poses: Mapping[int, np.ndarray]
) -> dict[Pair, VerifiedPair]:
    """Return the verified pairs that agree with poses by view, and intrinsics of a model."""
    views = sorted(poses)
    cameras = Cameras(_cameras_of(model, views).K, np.stack([poses[view] for view in views]))
    kept = agreeing_pairs(evidence, cameras, views, _AGREE_PX)
    return {
        pair: found
        for pair, found in kept.items()
        if len(found.indices) >= _AGREE_SHARE * len(evidence.pairs[pair].indices)
    }


def _adjusted(
    evidence: Evidence,
    model: MapperModel,
    poses: Mapping[int, np.ndarray],
    pairs: dict[Pair, VerifiedPair],
    workers: Workers,
    options: SolveOptions,
) -> MapperModel | None:
    """Return the bundle adjustment that begins at these poses, by view, and a model's intrinsics."""
    cameras = camera_of_view(evidence.views, options.working_longest)
    K = dict(zip(model.placed, model.cameras.K))
    starts = starts_from(evidence.views, options.working_longest, K, fixed=False)
    if not pairs:
        return None
    job = KnownPosesJob(evidence.xy, starts, cameras, pairs, options.seed, starts=poses, start_px=_START_PX)
    return solve_apart(job, workers, run_known_mapper)


def _off(evidence: Evidence, model: MapperModel, limit_px: float) -> set[int]:
    """Return the views whose outlines contradict the others."""
    outlines = _outlines(evidence, model)
    views = list(outlines)
    off = medians_of_views(_cameras_of(model, views), list(outlines.values())) > limit_px
    return {view for view, bad in zip(views, off) if bad}


def _judged(evidence: Evidence, model: MapperModel, joined: _Joined, options: SolveOptions) -> Assessment:
    """Return what the tests say, and the outlines: no view may contradict the others, nor the scene fall into
    pieces again.
    """
    assessment = assessed(evidence, model, options)
    outlines = _outlines(evidence, model)
    cameras = _cameras_of(model, tuple(outlines))
    drawn = list(outlines.values())
    worst = float(np.nanmax(medians_of_views(cameras, drawn)))
    pieces = len(cut_folds(cameras, drawn).pieces)
    reason = f"{assessment.reason}, outlines agree within {worst:.1f} px in the worst view's median"
    if worst <= joined.limit_px and pieces == 1:
        return replace(assessment, reason=reason)
    return replace(assessment, verdict=Verdict.REJECTED, reason=f"{reason}, in {pieces} pieces")


def _in_doubt(suspect: Attempt, folds: Folds, better: bool) -> Attempt:
    """Return an accepted scene that outlines cut: rejected where the joined one is better, in doubt else, for
    masks may be at fault.
    """
    assessment = suspect.assessment
    if assessment is None:
        return suspect
    sizes = " and ".join(str(len(piece)) for piece in folds.pieces)
    reason = f"{assessment.reason}, outlines cut it into pieces of {sizes} views"
    verdict = Verdict.REJECTED if better else Verdict.DOUBTFUL
    return replace(suspect, assessment=replace(assessment, verdict=verdict, reason=reason))


def _notices(
    evidence: Evidence, joined: _Joined, agreeing: Mapping[Pair, VerifiedPair], model: MapperModel | None
) -> tuple[Notice, ...]:
    """Say what was cut, joined by which turn, and dropped."""
    placed = set(model.placed) if model is not None else set()
    said: list[Notice] = []
    for views, piece in joined.joined:
        ties = sum((a in views) != (b in views) for a, b in agreeing)
        text = (
            f"features folded the scene: {_named(evidence, views)} fit among themselves, and their outlines "
            f"contradict the others. They were turned by {np.rad2deg(piece.turned_by):.0f} degrees as a "
            f"whole, to where outlines agree within {piece.tangency:.1f} px"
        )
        if ties:
            said.append(info("folds", f"{text}, and {ties} verified pairs tie them to the others there."))
        else:
            said.append(warning("folds", f"{text}. No match says so: look at the scene before use."))
    for views in joined.dropped:
        text = (
            f"features folded the scene: {_named(evidence, views)} fit among themselves, their outlines "
            "contradict the others, and no turn brings them to agree. They were taken out"
        )
        said.append(warning("folds", f"{text}{_back(evidence, views, placed)}"))
    if joined.single:
        text = (
            f"{_named(evidence, joined.single)}: outlines contradict their places in the scene that features "
            "folded. They were taken out"
        )
        said.append(warning("folds", f"{text}{_back(evidence, joined.single, placed)}"))
    return tuple(said)


def _back(evidence: Evidence, views: Sequence[int], placed: set[int]) -> str:
    back = [view for view in views if view in placed]
    return f"; {_named(evidence, back)}: placed anew by matches." if back else "."


def _named(evidence: Evidence, views: Sequence[int]) -> str:
    return first_few([evidence.views[view].name for view in views])
