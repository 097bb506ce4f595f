"""A start without given cameras: pair similarities chained along the maximum spanning tree (the default aligner's design, chapters 2.2 and 2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import roma
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from align.sparse.canonical import CanonicalView
from align.sparse.gather import RunSample, coarse_grid
from align.sparse.pair_poses import PointPairs, similarities, weighted_median
from align.sparse.spanning_tree import Tree

_LEAST_SPREAD = 1e-3
"""A run is never trusted to better than a thousandth of the object's extent."""


@dataclass(frozen=True, slots=True)
class PosedViews:
    """Poses and the factors that bring every view's canonical depth to the world's unit."""

    cam_from_world: Tensor  # (V, 4, 4)
    size: Tensor  # (V,)


def tree_start(views: Sequence[CanonicalView], samples: Sequence[RunSample], tree: Tree) -> PosedViews:
    """Return poses chained from the root, whose camera is the world and whose canonical depth its unit.

    Both runs of a pair measure its pose; the one that a rigid body explains better counts more. An edge without runs leaves its child at its
    parent's place: the descent must move it.
    """
    measured = _measurements(samples, views)
    pose = [torch.eye(4, dtype=torch.float64) for _ in views]
    size = torch.ones(len(views), dtype=torch.float64)
    for parent, child in tree.edges:
        words = [word for word in (measured.get((parent, child)), measured.get((child, parent))) if word is not None]
        if not words:
            pose[child], size[child] = pose[parent].clone(), size[parent]
            continue
        child_from_parent, size[child] = _combined(words, parent, size[parent])
        pose[child] = child_from_parent @ pose[parent]
    return PosedViews(torch.stack(pose), size)


@dataclass(frozen=True, slots=True)
class _Word:
    """What one run says of two views, in units of their canonical depths."""

    frame: int
    R_frame_from_other: Tensor  # (3, 3)
    ratio: Tensor  # ()
    """Size of `other` over that of `frame`."""
    frame_point: Tensor  # (3,)
    other_point: Tensor  # (3,), the same physical point
    trust: Tensor  # ()


def _measurements(samples: Sequence[RunSample], views: Sequence[CanonicalView]) -> dict[tuple[int, int], _Word]:
    """Return what every usable run says, by (frame, other)."""
    if not samples:
        return {}
    own, seen = (pad_sequence([torch.from_numpy(getattr(s, name)) for s in samples], batch_first=True) for name in ("own", "seen"))
    weight = pad_sequence([torch.from_numpy(s.weight) for s in samples], batch_first=True)
    fits = similarities(PointPairs(own, seen, weight))
    unit = _units(own[..., 2], weight, pad_sequence([coarse_grid(views[s.other].depth) for s in samples], batch_first=True))
    index = {(s.frame, s.other): k for k, s in enumerate(samples)}
    words = {}
    for k, s in enumerate(samples):
        # The run in whose frame a point is seen is the one in which that view comes first: its unit is the reverse sample's.
        frame_unit, other_unit = unit[index[s.other, s.frame]], unit[k]
        ratio = fits.scale[k] * other_unit / frame_unit
        if not bool(torch.isfinite(fits.spread[k]) & torch.isfinite(ratio) & (ratio > 0)):
            continue
        words[s.frame, s.other] = _Word(
            frame=s.frame,
            R_frame_from_other=fits.R[k],
            ratio=ratio,
            frame_point=fits.target_mean[k] / frame_unit,
            other_point=fits.source_mean[k] / other_unit,
            trust=fits.spread[k].clamp(min=_LEAST_SPREAD) ** -2,
        )
    return words


def _units(own_depth: Tensor, weight: Tensor, canonical_depth: Tensor) -> Tensor:
    """Return the unit (R,) of each run over the canonical one: weighted median of depth (R, S) over canonical depth; NaN without weight."""
    ratio = own_depth / canonical_depth
    weight = torch.where(torch.isfinite(ratio), weight, 0)
    unit = weighted_median(torch.where(weight > 0, ratio, 0), weight)
    return torch.where(unit > 0, unit, torch.nan)


def _combined(words: Sequence[_Word], parent: int, parent_size: Tensor) -> tuple[Tensor, Tensor]:
    """Return child_from_parent (4, 4) in the world's unit and the child's size: the mean of the runs, weighted by their trust."""
    trust = torch.stack([word.trust for word in words])
    trust = trust / trust.sum()
    log_ratio = torch.stack([word.ratio.log() if word.frame == parent else -word.ratio.log() for word in words])
    child_size = parent_size * (trust * log_ratio).sum().exp()
    R = roma.special_procrustes(
        sum(w * (word.R_frame_from_other.mT if word.frame == parent else word.R_frame_from_other) for w, word in zip(trust, words))
    )
    transform = torch.eye(4, dtype=R.dtype)
    transform[:3, :3] = R
    for w, word in zip(trust, words):
        in_parent, in_child = (word.frame_point, word.other_point) if word.frame == parent else (word.other_point, word.frame_point)
        transform[:3, 3] += w * (child_size * in_child - R @ (parent_size * in_parent))
    return transform, child_size
