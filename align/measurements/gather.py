"""From streamed predictions to what the aligner keeps of them: canonical views, pair records, and pairwise
similarities' points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from align.measurements.canonical import CanonicalView, canonical_view, masked_canonical_view
from align.measurements.gathered import (
    CrossPointmap,
    DirectedSample,
    Measurements,
    PairRecord,
    ReadingOptions,
    _kept_pairs,
    coarse_grid,
)
from align.measurements.known_cameras import principal_point_of
from align.measurements.pinhole_fit import fit_pinhole
from masks.errors import FormatError, SolverError
from masks.mask import holds
from masks.notice import Notice, first_few, left_out
from masks.progress import Progress
from pairs.prediction.checks import require_fitting, require_sound
from pairs.prediction.predictions import (
    NO_MATCHES,
    Matches,
    PairEntry,
    PairPrediction,
    Predictions,
    select_matches,
)
from pairs.views.view import View, grid_mask


def gather(predictions: Predictions, reading: ReadingOptions, progress: Progress) -> Measurements:
    """Read every pair once and keep what the aligner needs of it, in float64.

    Memory grows with the number of pairs by one pointmap a directed prediction, and not at all where a view's
    own pointmaps are all the same.
    """
    require_sound(predictions)
    masks = [grid_mask(view) for view in predictions.views]
    own = [_OwnMaps() for _ in predictions.views]
    records, samples, unusable = [], [], []
    for k, (a, b) in enumerate(predictions.edges):
        entry = predictions.load(k)
        require_fitting(entry, predictions.views[a], predictions.views[b])
        unusable += _keep_own((a, b), entry, own, masks, reading)
        matches = _inside(entry.matches, masks[a], masks[b])
        records.append(
            _record(
                a, b, entry, on_pixels(matches) if reading.whole_pixels else matches, masks, reading.subsample
            )
        )
        samples += _directed_samples(a, b, entry, masks)
        progress("reading pairs", k + 1, len(predictions.edges))
    views, notices = {}, _unusable_predictions(unusable, predictions.views)
    for k, view in enumerate(predictions.views):
        canonical = _canonical(view, own[k], masks[k], principal_point_of(view, predictions, k), reading)
        if isinstance(canonical, Notice):
            notices.append(canonical)
        else:
            views[k] = canonical
            if view.K is not None:
                views[k] = replace(canonical, own_intrinsics=_own_intrinsics(own[k], masks[k]))
        progress("canonical views", k + 1, len(predictions.views))
    kept_views = list(views)
    kept = _kept_pairs(predictions, records, samples, kept_views)
    return Measurements(kept[0], tuple(views.values()), kept[1], kept[2], tuple(notices))


class _OwnMaps:
    """A view's own pointmaps. Equal ones from the first on are kept once: a weighted mean of copies is the
    map itself.
    """

    def __init__(self) -> None:
        self.maps: list[tuple[np.ndarray, np.ndarray]] = []
        self.copies = 1

    def add(self, points: np.ndarray, conf: np.ndarray) -> None:
        if (
            len(self.maps) == 1
            and np.array_equal(points, self.maps[0][0], equal_nan=True)
            and np.array_equal(conf, self.maps[0][1])
        ):
            self.copies += 1
            return
        if len(self.maps) == 1:
            self.maps *= self.copies
        self.maps.append((points, conf))


def _keep_own(
    pair: tuple[int, int],
    entry: PairEntry,
    own: Sequence[_OwnMaps],
    masks: Sequence[np.ndarray],
    reading: ReadingOptions,
) -> list[tuple[int, int]]:
    """Add the own pointmaps of a pair's directed predictions to those of their views; return those (target,
    source) of which a pointmap cannot be used.
    """
    unusable = []
    for (view, other), prediction in ((pair, entry.ab), (pair[::-1], entry.ba)):
        if prediction is None or not (masks[view].any() and masks[other].any()):
            continue
        tells_own = _usable(prediction.a_in_a, masks[view], reading)
        if tells_own:
            own[view].add(prediction.a_in_a, prediction.a_conf)
        if not (tells_own and _usable(prediction.b_in_a, masks[other], reading)):
            unusable.append((view, other))
    return unusable


def _usable(points: np.ndarray, mask: np.ndarray, reading: ReadingOptions) -> bool:
    """Tell whether a pointmap (H, W, 3) holds a point of the object: a finite one, and, but for the
    reference, one in front of the camera.
    """
    inside = points[mask]
    kept = np.isfinite(inside).all(1)
    return bool((kept & (inside[:, 2] > 0)).any() if reading.average == "object" else kept.any())


def _unusable_predictions(directed: Sequence[tuple[int, int]], views: Sequence[View]) -> list[Notice]:
    if not directed:
        return []
    names = first_few([f"{views[view].name} with {views[other].name}" for view, other in directed])
    text = (
        f"of {len(directed)} a pointmap holds no finite point of the object before the camera, and is not "
        f"used: {names}."
    )
    return [left_out("runs", f"{text} Look at what the network said of these.")]


def _canonical(
    view: View, own: _OwnMaps, mask: np.ndarray, principal_point: Tensor, reading: ReadingOptions
) -> CanonicalView | Notice:
    """Return the canonical view, or why there is none."""
    if not mask.any():
        return left_out(view.name, "its mask is empty on the grid. Paint the object, or leave the view out.")
    if not own.maps:
        return left_out(
            view.name,
            (
                "no run predicts it in its own frame with finite points. Every view must come first in at "
                "least one run."
            ),
        )
    points = torch.from_numpy(np.stack([points for points, _ in own.maps])).double()
    conf = torch.from_numpy(np.stack([conf for _, conf in own.maps])).double()
    inside = torch.from_numpy(mask)
    if reading.average == "object":
        # Blocks must be whole: what is missing of the last ones lies off the object, hence is absent.
        beyond = [0, -mask.shape[1] % reading.subsample, 0, -mask.shape[0] % reading.subsample]
        points, conf, inside = pad(points, [0, 0, *beyond]), pad(conf, beyond), pad(inside, beyond)
        return _with_focal(
            view, lambda: masked_canonical_view(points, conf, inside, principal_point, reading.subsample)
        )
    if any(side % reading.subsample for side in mask.shape):
        size = f"{mask.shape[1]}x{mask.shape[0]}"
        raise FormatError(
            f"{view.name}: the reference's presets need sides that are multiples of {reading.subsample}, "
            f"not {size}. Use `preset=pointloom`."
        )
    # The reference knows no masks: a background without confidence is the least harmful thing to tell it.
    mode = reading.average
    return _with_focal(
        view,
        lambda: canonical_view(
            points, torch.where(inside, conf, 1.0), principal_point, reading.subsample, mode
        ),
    )


def _own_intrinsics(own: _OwnMaps, mask: np.ndarray) -> Tensor | None:
    """Return the intrinsics (3, 3) that a view's own maps suggest, which know nothing of stated ones; none
    where they tell none.
    """
    K = fit_pinhole([points for points, _ in own.maps], mask)
    return torch.from_numpy(K) if K is not None else None


def _with_focal(view: View, average: Callable[[], CanonicalView]) -> CanonicalView | Notice:
    """Return the average, or why the view cannot be used."""
    try:
        canonical = average()
    except SolverError as error:
        return left_out(view.name, str(error))
    if not bool(torch.isfinite(canonical.focal)):
        return left_out(
            view.name,
            (
                "no focal follows from its pointmaps: all their points lie in one direction. Look at what "
                "the "
                "network said of it."
            ),
        )
    return canonical


def _record(
    a: int, b: int, entry: PairEntry, matches: Matches, masks: Sequence[np.ndarray], subsample: int
) -> PairRecord:
    cross = [
        _cross_pointmap(prediction, masks[other], subsample)
        for prediction, other in ((entry.ab, b), (entry.ba, a))
    ]
    xy_a, xy_b, conf = (torch.from_numpy(x).double() for x in (matches.xy_a, matches.xy_b, matches.conf))
    return PairRecord(a, b, xy_a, xy_b, conf, b_in_a=cross[0], a_in_b=cross[1])


def on_pixels(matches: Matches) -> Matches:
    """Return the matches rounded to whole pixels on both sides; of equal ones the most confident stays."""
    xy = np.rint(np.concatenate([matches.xy_a, matches.xy_b], 1))
    order = np.argsort(-matches.conf, kind="stable")
    _, first = np.unique(xy[order], axis=0, return_index=True)
    keep = np.sort(order[first])
    return Matches(xy[keep, :2], xy[keep, 2:], matches.conf[keep])


def _cross_pointmap(
    prediction: PairPrediction | None, mask: np.ndarray, subsample: int
) -> CrossPointmap | None:
    if prediction is None:
        return None
    # Sampled before anything is converted: whole maps in double precision between small arrays that stay
    # would tear the heap apart.
    sample = sample_cross_pointmap(
        torch.from_numpy(prediction.b_in_a),
        torch.from_numpy(prediction.b_conf),
        subsample,
        torch.from_numpy(mask),
    )
    return CrossPointmap(sample.points.double(), sample.conf.double())


def _inside(matches: Matches | None, mask_a: np.ndarray, mask_b: np.ndarray) -> Matches:
    """Return the matches with both ends on the object."""
    if matches is None:
        return NO_MATCHES
    return select_matches(matches, holds(mask_a, matches.xy_a) & holds(mask_b, matches.xy_b))


def _directed_samples(a: int, b: int, entry: PairEntry, masks: Sequence[np.ndarray]) -> list[DirectedSample]:
    """Return the points of both directions; a pair with one has none, since the other view's own frame is not
    in it.
    """
    if entry.ab is None or entry.ba is None:
        return []
    samples = []
    for target, other, prediction, reverse in ((a, b, entry.ab, entry.ba), (b, a, entry.ba, entry.ab)):
        own, in_target = (np.asarray(coarse_grid(p), np.float64) for p in (reverse.a_in_a, prediction.b_in_a))
        conf = [
            np.maximum(np.asarray(coarse_grid(c), np.float64) - 0.999, 0)
            for c in (reverse.a_conf, prediction.b_conf)
        ]
        usable = coarse_grid(masks[other]) & np.isfinite(
            np.concatenate([own, in_target, np.stack(conf, 1)], 1)
        ).all(1)
        samples.append(
            DirectedSample(target, other, own, in_target, np.where(usable, np.sqrt(conf[0] * conf[1]), 0))
        )
    return samples


def sample_cross_pointmap(
    pointmap: Tensor, conf: Tensor, subsample: int, mask: Tensor | None = None
) -> CrossPointmap:
    """Return every `subsample`-th pixel of a pointmap (H, W, 3) and its confidence (H, W), starting at the
    top left one.

    The sample of a block is its corner and not its anchor: so it is in the reference. Outside a `mask` (H, W)
    of the predicted view the confidence is NaN, which makes the sample absent.
    """
    if mask is not None:
        conf = torch.where(mask, conf, torch.nan)
    return CrossPointmap(
        pointmap[::subsample, ::subsample].reshape(-1, 3), conf[::subsample, ::subsample].reshape(-1)
    )
