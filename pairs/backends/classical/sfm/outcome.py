"""What the scene solve hands on and what the report says of it
(docs/classical_backend.md, "What the solve hands on").

A scene that was found after many tries, or that nothing could check, looks like any other: the report is
where the user learns of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx
import numpy as np

from masks.errors import ReconstructionError
from masks.notice import SHOWN, Notice, first_few, info, left_out, warning
from masks.pixelmap import intrinsics_to_source, to_source
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence
from pairs.backends.classical.sfm.camera_groups import FIRST_FACTOR
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.backends.classical.sfm.working_image import working_map
from pairs.views.cameras import Cameras

_MANY_LOST = 0.25
"""Share of the views: more than the usual stragglers."""


def require_enough(evidence: Evidence, attempts: Sequence[Attempt], best: Attempt | None) -> Attempt:
    """Return the attempt to hand on.

    Raises `ReconstructionError` when none was accepted or the best places too few views to show the object
    (docs/classical_backend.md, "Attempts").
    """
    num_views = len(evidence.views)
    if best is None:
        raise ReconstructionError(
            f"{_what_failed(evidence, attempts)} {_counts(evidence)} {_remedy(evidence)}"
        )
    # Fewer show one side of the object, not the object: no list of left-out views makes that a result.
    least = min(num_views, max(3, -(-num_views // 4)))
    if best.num_placed < least:
        raise ReconstructionError(
            f"only {best.num_placed} of {num_views} views could be placed (at least {least} are needed). "
            f"{_counts(evidence)} {_remedy(evidence)}"
        )
    return best


def hand_over(
    evidence: Evidence, attempt: Attempt, notices: Sequence[Notice], options: SolveOptions
) -> SceneSolve:
    """Return the accepted scene in pixels of the upright photos."""
    model = attempt.model
    if model is None:
        raise ValueError("an attempt without a model cannot be handed on")
    maps = [working_map(evidence.views[view], options.working_longest) for view in model.placed]
    K = np.stack([intrinsics_to_source(to_working, K) for to_working, K in zip(maps, model.cameras.K)])
    xy = np.empty((model.num_observations, 2))
    for k, (view, to_working) in enumerate(zip(model.placed, maps)):
        mine = model.observed_by == k
        xy[mine] = to_source(to_working, evidence.xy[view][model.observed_feature[mine]])
    return SceneSolve(
        placed=model.placed,
        cameras=Cameras(K, model.cameras.cam_from_world),
        points=model.points,
        observed_point=model.observed_point,
        observed_by=model.observed_by,
        observed_xy=xy,
        notices=tuple(notices),
        # In normalised coordinates a lens is the same at every resolution.
        lenses=model.lenses,
    )


def scene_notices(
    evidence: Evidence, attempts: Sequence[Attempt], best: Attempt, options: SolveOptions
) -> list[Notice]:
    """Return what the report says of the solve: tries, silhouettes, focal, views left out."""
    num_views = len(evidence.views)
    return [
        info(
            "scene solve",
            (
                f"{_tries_in_words(attempts, num_views)} {best.num_placed} of {num_views} views placed: "
                f"{best.strategy}, {best.start}."
            ),
        ),
        _verdict_notice(evidence, best),
        *best.notices,
        *_strategy_notices(attempts, best),
        *_focal_notices(evidence, best, options),
        *_left_out(evidence, best),
        *_zoom_hint(evidence, best),
    ]


def _tries_in_words(attempts: Sequence[Attempt], num_views: int) -> str:
    said = [f"{a.start}: {a.num_placed} of {num_views}{_why_rejected(a)}" for a in attempts]
    return f"{len(attempts)} tries ({first_few(said, '; ')})." if len(attempts) > 1 else "1 try."


def _why_rejected(attempt: Attempt) -> str:
    if attempt.assessment is None or attempt.accepted:
        return ""
    return f", rejected ({attempt.assessment.reason})"


def _verdict_notice(evidence: Evidence, best: Attempt) -> Notice:
    """Say what the acceptance test found."""
    verdict, reason = (
        (Verdict.UNCHECKED, "")
        if best.assessment is None
        else (best.assessment.verdict, best.assessment.reason)
    )
    match verdict:
        case Verdict.SURE:
            return info("scene solve", f"checked against the silhouettes: {reason}.")
        case Verdict.DOUBTFUL:
            return warning(
                "scene solve", f"{_why_doubtful(evidence, best)} ({reason}). Look at the scene before use."
            )
        case _:
            return warning(
                "scene solve",
                (
                    f"not checked: without masks no silhouettes could be compared ({reason}). Look at the "
                    "scene before use."
                ),
            )


def _why_doubtful(evidence: Evidence, best: Attempt) -> str:
    torn = best.assessment.torn if best.assessment is not None else ()
    shared = best.assessment.coinciding if best.assessment is not None else ()
    if shared:
        names = first_few([evidence.views[view].name for view in shared])
        return (
            f"{names} stand where other views stand: either the object went round more than once, or it "
            "looks alike from several sides"
        )
    if best.assessment is not None and best.assessment.few:
        return (
            "the focal of so few views is hardly more than a guess, and turns them by many degrees where it "
            "is wrong: state it by `calibration`, or take photos in smaller steps"
        )
    if not torn:
        return "the silhouettes fit almost everywhere, but not quite: single views may be off by some degrees"
    return (
        f"the scene contradicts the matches of {_pair_names(evidence, torn)}: the object may look alike "
        "from several sides"
    )


def _pair_names(evidence: Evidence, pairs: Sequence[Pair]) -> str:
    return first_few([f"{evidence.views[a].name} with {evidence.views[b].name}" for a, b in pairs])


def _strategy_notices(attempts: Sequence[Attempt], best: Attempt) -> list[Notice]:
    walked = list(dict.fromkeys(attempt.strategy for attempt in attempts))
    if len(walked) == 1:
        return []
    judged = [attempt.assessment for attempt in attempts if attempt.assessment is not None]
    text = (
        f"the scene of all pairs was not believable, so others were tried: {first_few(walked[1:], '; ')}. "
        f"Handed on: {best.strategy}."
    )
    alike = (
        " The object looks alike from several sides: check that the scene goes round as the photos do."
        if any(a.torn for a in judged)
        else ""
    )
    return [warning("scene solve", text + alike)]


def _focal_notices(evidence: Evidence, best: Attempt, options: SolveOptions) -> list[Notice]:
    if best.model is None:
        return []
    unknown = [k for k, view in enumerate(best.model.placed) if evidence.views[view].K is None]
    if not unknown:
        return [info("focal", "the stated intrinsics were kept.")]
    if len(evidence.views) == 2:
        guessed = [v.name for v in evidence.views if v.K is None and v.focal_exif is None]
        if guessed:
            return [
                warning(
                    "focal",
                    (
                        f"two photos cannot tell the focal: {FIRST_FACTOR:g} longest sides are assumed. "
                        "State "
                        "it, or add photos."
                    ),
                )
            ]
        return [info("focal", "two photos cannot tell the focal: that of EXIF was kept.")]
    focals = [
        best.model.cameras.K[k, 0, 0]
        / working_map(evidence.views[best.model.placed[k]], options.working_longest).scale[0]
        for k in unknown
    ]
    listed = first_few([f"{focal:.1f}" for focal in sorted(set(focals))])
    centre = "is solved as well" if _off_middle(evidence, best.model, options) else "is taken in the middle"
    return [info("focal", f"solved: {listed} px of the photos; the principal point {centre}.")]


def _off_middle(evidence: Evidence, model: MapperModel, options: SolveOptions) -> bool:
    """Tell whether any principal point that was not stated lies off the middle of its picture."""
    for view, K in zip(model.placed, model.cameras.K):
        size = working_map(evidence.views[view], options.working_longest).target_size
        if evidence.views[view].K is None and not np.allclose(K[:2, 2], (np.array(size) - 1) / 2):
            return True
    return False


def _left_out(evidence: Evidence, best: Attempt) -> list[Notice]:
    """Name the views that are not placed, with the number of verified pairs each had; those with an empty
    mask are named elsewhere.
    """
    placed = set(best.model.placed if best.model is not None else ())
    graph = networkx.Graph(list(evidence.pairs))
    return [
        left_out(
            view.name,
            (
                f"could not be placed: {graph.degree(k) if k in graph else 0} verified pairs. Add photos "
                "between it and its neighbours."
            ),
        )
        for k, (view, mask) in enumerate(zip(evidence.views, evidence.masks))
        if k not in placed and (mask is None or mask.any())
    ]


def _zoom_hint(evidence: Evidence, best: Attempt) -> list[Notice]:
    """Say that a changed zoom may be why many views are lost, where nothing says how the photos were zoomed.

    A zoom of 1 : 2 can leave a scene with the views of one zoom, which look right by themselves.
    """
    placed = set(best.model.placed if best.model is not None else ())
    paired = {view for pair in evidence.pairs for view in pair}
    lost = [
        view
        for k, view in enumerate(evidence.views)
        if k in paired - placed
        and not (view.camera_stated or view.K is not None or view.focal_exif is not None)
    ]
    if len(lost) < _MANY_LOST * len(evidence.views):
        return []
    text = (
        f"{len(lost)} views with verified pairs could not be placed. If the zoom was changed between photos, "
        "tell which share one by `cameras`: a file with lines `name group`, one a photo."
    )
    return [info("cameras", text)]


def _what_failed(evidence: Evidence, attempts: Sequence[Attempt]) -> str:
    rejected = [attempt for attempt in attempts if attempt.assessment is not None]
    if not rejected:
        return f"no scene came out of the verified matches ({len(attempts)} tries)."
    # The largest scene says most of what went wrong: smaller ones fail for want of views.
    largest = max(rejected, key=lambda attempt: attempt.num_placed)
    if largest.assessment is not None and largest.assessment.torn:
        return (
            f"every scene of {len(attempts)} tries contradicts photos that follow each other "
            f"({_pair_names(evidence, largest.assessment.torn)}): "
            "the object looks alike from several sides. Name the files in the order in which they were "
            "taken, or mark one side."
        )
    if largest.assessment is not None and largest.assessment.coinciding:
        return (
            f"{len(largest.assessment.coinciding)} of {largest.num_placed} placed views stand where others "
            "stand: the object looks alike from "
            "several sides. Photos in smaller steps tell them apart, or a mark on one side; if it went "
            "round more than once, give one turn alone."
        )
    if largest.assessment is None or largest.assessment.mask_share is None:
        reason = largest.assessment.reason if largest.assessment is not None else ""
        return (
            f"the solved scene is not believable after {len(attempts)} tries: {largest.num_placed} views "
            f"placed, {reason}."
        )
    weakest = weakest_views(evidence, largest)
    return (
        f"the solved scene contradicts the silhouettes after {len(attempts)} tries. Share of the scene "
        f"inside the masks: {weakest}."
    )


def _counts(evidence: Evidence) -> str:
    features = [len(xy) for xy in evidence.xy]
    inliers = [len(pair.indices) for pair in evidence.pairs.values()]
    return (
        f"{int(np.median(features))} features a view, {len(evidence.pairs)} verified pairs of "
        f"{len(evidence.views)} views, "
        f"{int(np.median(inliers)) if inliers else 0} verified matches in the middle pair."
    )


def _remedy(evidence: Evidence) -> str:
    masks = (
        "check that the masks show the whole object"
        if any(mask is not None for mask in evidence.masks)
        else "give masks of the object"
    )
    # The reach of SIFT on rendered turntables: at steps of 30 degrees 5 of 12 views are placed, whatever the
    # start.
    stated = any(view.K is not None for view in evidence.views)
    K = " Check that the stated intrinsics are those of these photos (`calibration`)." if stated else ""
    return f"Take photos at most 20 degrees apart, sharp and with texture, from all around; {masks}.{K}"


def weakest_views(evidence: Evidence, attempt: Attempt) -> str:
    """Return the views with the smallest mask shares as words."""
    if attempt.model is None or attempt.assessment is None or attempt.assessment.mask_share is None:
        return "none taken"
    shares = attempt.assessment.mask_share
    order = [k for k in np.argsort(shares, kind="stable") if np.isfinite(shares[k])][:SHOWN]
    return ", ".join(f"{evidence.views[attempt.model.placed[k]].name} {shares[k]:.2f}" for k in order)
