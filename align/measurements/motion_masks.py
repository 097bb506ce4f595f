"""A still scene behind a turning object, found in unmasked predictions
(docs/bundle_alignment.md, "Motion segmentation without masks").

On a turntable before a static backdrop most pixels say that the camera never moved, and they agree with one
another perfectly: only a test for a second motion can tell. "Nothing moved" is tested as a hypothesis, since
a plain robust fit mixes both motions where neither is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from align.measurements.gathered import DirectedSample
from align.measurements.similarity import (
    Correspondences,
    Similarities,
    distances,
    fit_similarities,
    register_similarities,
)
from masks.mask import Mask
from masks.notice import Notice, warning
from masks.pixelmap import image_to_source
from pairs.prediction.predictions import PairPrediction, Predictions

# Measured together on simulated turntables of 5.6 to 45 degrees a step: 47 to 100 % of the directed
# predictions show two motions before a still backdrop, and none where the backdrop turns along or is missing.
_LEAST_WEIGHT = 0.1
"""Of both confidences above 1, in the geometric mean: surer pixels alone decide what moves."""
_LOG_SCALES = torch.linspace(-0.6, 0.6, 121, dtype=torch.float64)
"""From 1 / 1.8 to 1.8, in steps of a third of the tolerance."""
_SAME_LOG_SCALE, _SAME_PLACE = 0.03, 0.06
"""What stands still stays this close: several times the error of canonical depths, about 1 %."""
_SCALE = 0.03
"""Width of the robust weights, as a share of the distance."""
_EXPLAINED = 0.04
"""A point whose error is below this share of its distance follows the motion."""
_STILL_ROUNDS, _MOVING_ROUNDS = 6, 4
"""The second fit begins at a robust one already, the first at a mere scale."""
_STILL_RAD, _APART_RAD = np.deg2rad(5.0), np.deg2rad(4.0)
"""A still fit turns by less than the first; the other motion differs by more than the second, which steps of
5.6 degrees pass in half of the predictions."""
_LEAST_STILL, _LEAST_MOVING, _LEAST_OF_REST = 0.15, 0.02, 0.3
"""Shares of pixels: a small object is 2 % of its picture, and what is left of a single motion are wrong
points that no second motion explains."""
_LEAST_ERROR, _LARGEST_VOTE = 0.003, 2.0
"""Errors below the first are noise alike; no single prediction outvotes several others."""
_ALARMING_SHARE = 0.1
"""Of the directed predictions: with more showing two motions, unmasked predictions are of a turntable."""
_MASK_SOURCE = "two motions"


@dataclass(frozen=True, slots=True)
class Motions:
    """What each of R directed predictions says of the camera's motion: target_from_source by what stands
    still,
    and by the rest.
    """

    direction: tuple[tuple[int, int], ...]
    """(target, source) of each."""
    still: Similarities
    moving: Similarities
    two: Tensor  # (R,) bool, both are there
    still_share: Tensor  # (R,), of the pixels, explained by the first motion
    moving_share: Tensor  # (R,)

    @property
    def share(self) -> float:
        """Share of the directed predictions that show two motions."""
        return float(self.two.double().mean()) if len(self.two) else 0.0


def masked_by_motion(
    predictions: Predictions, samples: Sequence[DirectedSample]
) -> tuple[Predictions, tuple[Notice, ...]]:
    """Return unmasked predictions of a turntable with masks of what turns, and a warning that says so; others
    as they are.

    `samples` are those of the predictions. Reads every pair once more where masks are made.
    """
    if not samples or any(view.mask is not None for view in predictions.views):
        return predictions, ()
    motions = segment_motions(samples)
    if motions.share <= _ALARMING_SHARE:
        return predictions, ()
    masks = object_masks(predictions, motions)
    views = [
        replace(view, mask=Mask(image_to_source(view.grid_from_photo, mask), _MASK_SOURCE))
        for view, mask in zip(predictions.views, masks)
    ]
    text = (
        f"an object turns before a backdrop that stands still: {100 * motions.share:.0f} % of the pair "
        "predictions show both. What turns was cut out "
        "and aligned alone. Give masks to decide for yourself."
    )
    return replace(predictions, views=tuple(views)), (warning("masks", text),)


def segment_motions(samples: Sequence[DirectedSample]) -> Motions:
    """Return both motions of every directed prediction. Samples must not be masked."""
    in_source, in_target = (
        pad_sequence([torch.from_numpy(getattr(s, name)) for s in samples], batch_first=True)
        for name in ("in_source", "in_target")
    )
    weight = pad_sequence([torch.from_numpy(s.weight) for s in samples], batch_first=True)
    present = (weight > _LEAST_WEIGHT) & (in_source.norm(dim=-1) > 0) & (in_target.norm(dim=-1) > 0)
    weight = torch.where(present, weight, 0)
    in_source, in_target = (torch.where(present[..., None], points, 1) for points in (in_source, in_target))
    still = _settled(_still(in_source, in_target, weight), in_source, in_target, weight, _STILL_ROUNDS)
    rest = present & (relative_errors(still, in_source, in_target) > _EXPLAINED)
    left = torch.where(rest, weight, 0)
    moving = _settled(
        register_similarities(Correspondences(in_source, in_target, left))[0],
        in_source,
        in_target,
        left,
        _MOVING_ROUNDS,
    )
    explained = rest & (relative_errors(moving, in_source, in_target) < _EXPLAINED)
    count, left_over = present.sum(1).clamp(min=1).double(), rest.sum(1).clamp(min=1).double()
    still_share, moving_share = 1 - rest.sum(1) / count, explained.sum(1) / count
    two = (
        (_angle(still.R) < _STILL_RAD)
        & (still_share > _LEAST_STILL)
        & (_angle(still.R.mT @ moving.R) > _APART_RAD)
    )
    two &= (moving_share > _LEAST_MOVING) & (explained.sum(1) / left_over > _LEAST_OF_REST) & present.any(1)
    return Motions(
        tuple((s.target, s.source) for s in samples), still, moving, two, still_share, moving_share
    )


def _still(in_source: Tensor, in_target: Tensor, weight: Tensor) -> Similarities:
    """Return the identity with the log scale at which the most weight stays where it was."""
    length = in_source.norm(dim=-1)
    log_ratio = (in_target.norm(dim=-1) / length).log()
    best = weight.new_zeros(len(weight)), weight.new_zeros(len(weight))
    for x in _LOG_SCALES:
        stays = ((log_ratio - x).abs() < _SAME_LOG_SCALE) & (
            (in_target * (-x).exp() - in_source).norm(dim=-1) < _SAME_PLACE * length
        )
        held = (weight * stays).sum(1)
        better = held > best[0]
        best = torch.where(better, held, best[0]), torch.where(better, x, best[1])
    nowhere = in_source.new_zeros(len(in_source), 3)
    eye = torch.eye(3).to(in_source).expand(len(in_source), 3, 3)
    return Similarities(best[1].exp(), eye, nowhere, nowhere)


def _settled(
    fitted: Similarities, in_source: Tensor, in_target: Tensor, weight: Tensor, rounds: int
) -> Similarities:
    """Return the robust fit that begins at a given one; errors are shares of a point's distance."""
    per_square = 1 / in_target.square().sum(-1)
    for _ in range(rounds):
        robust = (1 + (relative_errors(fitted, in_source, in_target) / _SCALE).square()) ** -2
        fitted, _ = fit_similarities(in_source, in_target, weight * robust * per_square)
    return fitted


def relative_errors(fitted: Similarities, in_source: Tensor, in_target: Tensor) -> Tensor:
    """Return the distances (R, S) of moved points (R, S, 3) from where they were seen, over the distance of
    these.
    """
    return distances(fitted, in_source, in_target) / in_target.norm(dim=-1)


def _angle(R: Tensor) -> Tensor:
    return roma.rotmat_to_rotvec(R).norm(dim=-1)


def object_masks(predictions: Predictions, motions: Motions) -> tuple[np.ndarray, ...]:
    """Return per view the pixels (H, W) bool that follow the second motion, by the votes of all directed
    predictions that show two.

    Reads every pair once more. A view without one keeps all its pixels.
    """
    votes: list[Tensor | None] = [None] * len(predictions.views)
    number = {direction: k for k, direction in enumerate(motions.direction) if bool(motions.two[k])}
    for edge, (a, b) in enumerate(predictions.edges):
        if (a, b) not in number and (b, a) not in number:
            continue
        entry = predictions.load(edge)
        for target, source, prediction, reverse in ((a, b, entry.ab, entry.ba), (b, a, entry.ba, entry.ab)):
            if (target, source) in number and prediction is not None and reverse is not None:
                vote = _vote(motions, number[target, source], prediction, reverse)
                before = votes[source]
                votes[source] = vote if before is None else before + vote
    sizes = [view.pixel_map.target_size for view in predictions.views]
    return tuple(
        np.ones((h, w), bool) if vote is None else (vote > 0).numpy() for vote, (w, h) in zip(votes, sizes)
    )


def _vote(motions: Motions, number: int, prediction: PairPrediction, reverse: PairPrediction) -> Tensor:
    """Return for each pixel (H, W) of the source view how much better the second motion explains it; 0
    where nothing is known.
    """
    in_source, in_target = (
        torch.from_numpy(np.asarray(points, np.float64)).reshape(1, -1, 3)
        for points in (reverse.a_in_a, prediction.b_in_a)
    )
    errors = [
        relative_errors(_only(motion, number), in_source, in_target).clamp(min=_LEAST_ERROR)
        for motion in (motions.still, motions.moving)
    ]
    vote = (errors[0] / errors[1]).log().clamp(-_LARGEST_VOTE, _LARGEST_VOTE)
    return torch.where(torch.isfinite(vote), vote, 0).reshape(prediction.b_conf.shape)


def _only(motion: Similarities, number: int) -> Similarities:
    """Return one of the similarities, still as a batch."""
    one = slice(number, number + 1)
    return Similarities(motion.scale[one], motion.R[one], motion.source_mean[one], motion.target_mean[one])
