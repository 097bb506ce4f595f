"""Whether a solved scene may be believed (docs/classical_backend.md, "Acceptance").

A scene that folded on itself looks healthy: all views placed, small reprojection errors, many points. The
silhouettes betray it: scene points of the wrong side project outside the object. A fold that even the
silhouettes allow tears neighbours in file order apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import cv2
import numpy as np
import roma
import torch

from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.candidates import distance_in_order
from pairs.backends.classical.sfm.mapper import CameraStart, MapperModel, residuals, seen_at
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.rings.outline import outline_of
from pairs.rings.tangency import MOST_TANGENCY_PX, hulls_of, medians_of_views
from pairs.views.cameras import some_cameras

# A right point of the rim may be off by the mapper's limit of 2 px and half a pixel of rounding.
_MASK_SLACK_PX = 3
_FEW_COINCIDING, _MOST_COINCIDING = 0.25, 0.5
# Right scenes: 0.72 to 5.2. Failures: 19, 20, 226. COLMAP's own limit of 10 did not prevent these.
_FOCAL_LIMITS = (0.3, 10.0)
# No proof of anything: wrong scenes passed with 0.38 px. They only keep back what is broken openly.
_MAX_MEDIAN_ERROR_PX = 1.0
_LONG_TRACK, _MIN_LONG_TRACKS = 3, 30


# As many as a verified pair has at least.
_MIN_WITNESSES = 15
_MIN_AGREEMENT = 0.5
"""Right scenes agree in more than nine tenths of the matches of every neighbouring pair, torn ones in next to
none."""
_SAME_PLACE = 0.25
"""Share of the usual step between neighbours within which two views stand at one place, in angle and in
distance."""
_FEW_PLACED, _HARDLY_ANY = 0.5, 3
"""Share of the photos, and views. A free focal of three views ran to 0.4 and to 3 times the right one, which
turns the views by 10 to 25 degrees, and all their points still lay in the masks."""
# Fewer neighbours give no usual step to compare with.
_MIN_STEPS = 3


class Verdict(StrEnum):
    """What the tests say of a scene."""

    SURE = "sure"
    DOUBTFUL = "doubtful"
    """The silhouettes fit almost everywhere, or two neighbours were torn apart: kept unless a better scene is
    found."""
    UNCHECKED = "not checked"
    """No view has a mask, so a folded scene could not be told from a right one."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A verdict and why."""

    verdict: Verdict
    reason: str
    mask_share: np.ndarray | None
    """(P,) share of the scene points inside the picture that project into each placed view's mask, nan
    without a mask; none if never taken."""
    torn: tuple[Pair, ...] = ()
    """Neighbours in file order whose matches the scene contradicts."""
    coinciding: tuple[int, ...] = ()
    """Views at the place of another that is no neighbour, where there are too many of them."""
    few: bool = False
    """Whether there are too few views for a focal that nobody stated."""

    @property
    def folded(self) -> bool:
        """Whether silhouettes, tears or collapsed views were the reason for the rejection."""
        return self.verdict is Verdict.REJECTED and (
            self.mask_share is not None or bool(self.torn) or bool(self.coinciding)
        )


def assess(
    model: MapperModel,
    xy: Sequence[np.ndarray],
    masks: Sequence[np.ndarray | None],
    starts: Sequence[CameraStart],
    options: SolveOptions,
) -> Assessment:
    """Judge a model. `xy`, `masks` (on the working pictures) and `starts` (what was assumed of the camera)
    belong to all views, placed or not.
    """
    implausible = _implausible_focal(model, starts)
    if implausible is not None:
        return Assessment(Verdict.REJECTED, implausible, None)
    if any(mask is not None for mask in masks):
        return _by_silhouettes(mask_shares(model, masks), options)
    return _by_residuals(model, xy)


def with_broken_neighbours(assessment: Assessment, torn: tuple[Pair, ...]) -> Assessment:
    """Return the assessment in the light of neighbours that were torn apart.

    A fold tears a ring at least twice. A single tear may be a wrong pair of two look-alike photos that happen
    to follow each other.
    """
    if not torn or assessment.verdict is Verdict.REJECTED:
        return assessment
    verdict = Verdict.DOUBTFUL if len(torn) == 1 else Verdict.REJECTED
    return replace(
        assessment,
        verdict=verdict,
        reason=f"{assessment.reason}, neighbours torn apart {len(torn)} times",
        torn=torn,
    )


def with_collapsed_views(assessment: Assessment, coinciding: tuple[int, ...], num_placed: int) -> Assessment:
    """Return the assessment in the light of views that share a place.

    A few may be repeated photos, many make a scene doubtful; when most views collapse onto others, the object
    looks alike from several sides.
    """
    if assessment.verdict is Verdict.REJECTED or len(coinciding) <= _FEW_COINCIDING * num_placed:
        return assessment
    reason = f"{assessment.reason}, {len(coinciding)} of {num_placed} views stand where others stand"
    verdict = Verdict.REJECTED if len(coinciding) > _MOST_COINCIDING * num_placed else Verdict.DOUBTFUL
    return replace(assessment, verdict=verdict, reason=reason, coinciding=coinciding)


def with_few_views(assessment: Assessment, num_placed: int, num_views: int, focal_free: bool) -> Assessment:
    """Return the assessment of a scene in the light of how little it holds: a sure one of two or three views
    of many, whose focal is free, becomes doubtful.
    """
    few = focal_free and num_placed <= _HARDLY_ANY and num_placed < _FEW_PLACED * num_views
    if not few or assessment.verdict is not Verdict.SURE:
        return assessment
    reason = f"{assessment.reason}, {num_placed} of {num_views} views"
    return replace(assessment, verdict=Verdict.DOUBTFUL, reason=reason, few=True)


def with_contradicting_outlines(
    assessment: Assessment, model: MapperModel, masks: Sequence[np.ndarray | None]
) -> Assessment:
    """Return the assessment of a doubtful scene of few views in the light of their outlines.

    Three views have hardly a scene point that a wrong pose would throw out of a mask, while any two outlines
    contradict it. A scene of most views has other witnesses, and masks may be poor.
    """
    few = len(model.placed) < _FEW_PLACED * len(masks)
    if assessment.verdict is not Verdict.DOUBTFUL or not few:
        return assessment
    shown = [masks[view] for view in model.placed]
    outlines = [None if mask is None else outline_of(mask) for mask in shown]
    seeing = [k for k, outline in enumerate(outlines) if outline is not None]
    if len(seeing) < 2:
        return assessment
    drawn = [outline for outline in outlines if outline is not None]
    medians = medians_of_views(some_cameras(model.cameras, seeing), drawn)
    limit = MOST_TANGENCY_PX * hulls_of(drawn).scale
    if np.isnan(medians).all() or (off := float(np.nanmedian(medians))) <= limit:
        return assessment
    reason = f"{assessment.reason}, outlines contradict each other by {off:.1f} px"
    return replace(assessment, verdict=Verdict.REJECTED, reason=reason)


def mask_shares(model: MapperModel, masks: Sequence[np.ndarray | None]) -> np.ndarray:
    """Return (P,) the share of scene points that project inside a view's dilated mask, among those inside its
    picture and in front of it.

    A view without a mask has nan, a view that no scene point projects into 0.
    """
    shares = np.full(len(model.placed), np.nan)
    for k, view in enumerate(model.placed):
        mask = masks[view]
        if mask is not None:
            shares[k] = _share_inside(model, k, mask)
    return shares


def _share_inside(model: MapperModel, k: int, mask: np.ndarray) -> float:
    h, w = mask.shape
    square = np.ones((2 * _MASK_SLACK_PX + 1, 2 * _MASK_SLACK_PX + 1), np.uint8)
    slack = cv2.dilate(mask.astype(np.uint8), square).astype(bool)
    projected, depth = seen_at(model, k, model.points)
    x, y = np.rint(projected[depth > 0]).T
    # Points outside the picture do not count, so an object that the frame cuts does no harm.
    visible = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    if not visible.any():
        return 0.0
    return float(slack[y[visible].astype(int), x[visible].astype(int)].mean())


def _implausible_focal(model: MapperModel, starts: Sequence[CameraStart]) -> str | None:
    for k, view in enumerate(model.placed):
        if starts[view].fixed:
            continue
        relative = float(model.cameras.K[k, 0, 0]) / max(starts[view].size)
        if not _FOCAL_LIMITS[0] <= relative <= _FOCAL_LIMITS[1]:
            return f"the focal ran to {relative:.1f} x the longest side"
    return None


def _by_silhouettes(shares: np.ndarray, options: SolveOptions) -> Assessment:
    checked = shares[~np.isnan(shares)]
    if len(checked) == 0:
        return Assessment(Verdict.REJECTED, "none of the placed views has a mask", shares)
    smallest = float(checked.min())
    reason = f"smallest mask share {smallest:.3f}, median {float(np.median(checked)):.3f}"
    if smallest >= options.sure_share:
        return Assessment(Verdict.SURE, reason, shares)
    return Assessment(Verdict.DOUBTFUL if smallest >= options.min_share else Verdict.REJECTED, reason, shares)


def _by_residuals(model: MapperModel, xy: Sequence[np.ndarray]) -> Assessment:
    errors = np.linalg.norm(residuals(model, xy), axis=1)
    error = float(np.median(errors)) if len(errors) else np.inf
    track_length = np.bincount(model.observed_point, minlength=len(model.points))
    is_long = track_length[model.observed_point] >= min(_LONG_TRACK, len(model.placed))
    fewest = (
        int(np.bincount(model.observed_by[is_long], minlength=len(model.placed)).min())
        if len(model.placed)
        else 0
    )
    reason = f"median reprojection error {error:.2f} px, at least {fewest} long tracks a view"
    healthy = error < _MAX_MEDIAN_ERROR_PX and fewest >= _MIN_LONG_TRACKS
    return Assessment(Verdict.UNCHECKED if healthy else Verdict.REJECTED, reason, None)


def broken_neighbours(
    model: MapperModel, pairs: Mapping[Pair, VerifiedPair], num_views: int
) -> tuple[Pair, ...]:
    """Return the verified pairs of neighbours in file order (the last one is a neighbour of the first) whose
    matches the scene contradicts.

    A tear between the last and the first alone is none: where the photos do not go all round, these two may
    merely look alike.
    """
    neighbours = [pair for pair in pairs if distance_in_order(pair, num_views) == 1]
    shares = agreement(model, {pair: pairs[pair] for pair in neighbours})
    torn = tuple(pair for pair, share in shares.items() if share < _MIN_AGREEMENT)
    return () if torn == ((0, num_views - 1),) and num_views > 2 else torn


def agreement(model: MapperModel, pairs: Mapping[Pair, VerifiedPair]) -> dict[Pair, float]:
    """Return, for placed pairs, the share of matches whose key points see one scene point, among those whose
    key points both see some.

    Pairs with too few such matches are left out.
    """
    point_of = {view: _point_of_feature(model, k) for k, view in enumerate(model.placed)}
    shares = {}
    for (a, b), pair in pairs.items():
        if a not in point_of or b not in point_of:
            continue
        in_a, in_b = _looked_up(point_of[a], pair.indices[:, 0]), _looked_up(point_of[b], pair.indices[:, 1])
        both = (in_a >= 0) & (in_b >= 0)
        # Matches of which one side was never triangulated say nothing of the scene, neither for nor against
        # it.
        if both.sum() >= _MIN_WITNESSES:
            shares[a, b] = float((in_a == in_b)[both].mean())
    return shares


def _point_of_feature(model: MapperModel, k: int) -> np.ndarray:
    """Return the scene point that each key point of a placed view sees, -1 for none."""
    mine = model.observed_by == k
    features = model.observed_feature[mine]
    point_of = np.full(int(features.max()) + 1 if len(features) else 0, -1)
    point_of[features] = model.observed_point[mine]
    return point_of


def _looked_up(point_of: np.ndarray, features: np.ndarray) -> np.ndarray:
    known = features < len(point_of)
    found = np.full(len(features), -1)
    found[known] = point_of[features[known]]
    return found


def collapsed_views(model: MapperModel, num_views: int, repeats: Sequence[int] = ()) -> tuple[int, ...]:
    """Return the placed views that share their place with a view that is no neighbour in file order,
    ascending; not those that repeat it: `repeats` says for each view the first one that it repeats.
    """
    placed = np.array(model.placed)
    R = torch.from_numpy(model.cameras.cam_from_world[:, :3, :3])
    angle = roma.rotmat_geodesic_distance(R[:, None], R[None]).numpy()  # (P, P), radians
    centres = model.cameras.centres
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    apart = np.abs(placed[:, None] - placed[None])
    apart = np.minimum(apart, num_views - apart)  # (P, P), files, the last being a neighbour of the first
    first = np.array(repeats or range(num_views))[placed]
    different = first[:, None] != first[None]
    steps = (apart == 1) & different
    if steps.sum() < 2 * _MIN_STEPS:
        return ()
    same = (
        (angle < _SAME_PLACE * np.median(angle[steps]))
        & (distance < _SAME_PLACE * np.median(distance[steps]))
        & (apart > 1)
        & different
    )
    return tuple(int(view) for view in placed[same.any(1)])
