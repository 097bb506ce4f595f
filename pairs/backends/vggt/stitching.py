"""One group of many views, made of the groups of overlapping windows (docs/vggt.md, "Windows joined")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import roma
import torch

from masks.errors import ReconstructionError
from masks.notice import Notice, warning
from pairs.matching.windows import start_positions
from pairs.prediction.from_group import pointmap
from pairs.prediction.predictions import GroupPrediction
from pairs.views.cameras import Cameras

OVERLAP = 0.5
"""Share of a window that the next one has as well: half, as published for long videos."""

# Neighbouring depths carry the same error: more points cost time and add no evidence.
_STRIDE = 8
"""Every so many pixels of a shared view give a point to the similarity."""
_LEAST_POINTS = 10
_LEAST_CONF = 0.1  # of the smaller median confidence of a view's two predictions
# As in the published joining of windows (arXiv:2507.16443).
_ROUNDS = 5
_OUTLIER = 2.0  # median residuals: a point as far off has a quarter of its weight left
_LEAST_ERROR = 1e-4  # of the distance: below, no depth is wrong
_DOUBTFUL = 0.1  # of the distance


@dataclass(frozen=True, slots=True)
class Similarity:
    """From the world of one group to that of another: x becomes scale R x + t."""

    scale: float
    R: np.ndarray  # (3, 3)
    t: np.ndarray  # (3,)
    residual: float
    """Median distance of what both groups say of the same pixels, as a share of their depth."""


def overlapping_windows(num_views: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Return the views of every window of `size` of them, in order; each has about half of its views in
    common with the next.

    One window when they all fit. Raises `ValueError` for windows of fewer than two views, which have nothing
    in common.
    """
    if size < 2:
        raise ValueError(f"a window of {size} views shares none with the next: take at least 2")
    if num_views <= size:
        return (tuple(range(num_views)),)
    return tuple(
        tuple(range(first, first + size)) for first in start_positions(num_views, size, OVERLAP).tolist()
    )


def stitched(
    groups: Sequence[GroupPrediction], windows: Sequence[Sequence[int]], names: Sequence[str]
) -> tuple[GroupPrediction, tuple[Notice, ...]]:
    """Return the group of all views in the world of the first window, and warnings where windows contradict
    each other.

    `windows` hold the views of the groups; each is brought by a similarity to where the earlier ones put the
    views that it shares with them, and a view stays where the first window puts it. Raises
    `ReconstructionError` when the views in common have no pixel that both are sure of.
    """
    found: dict[int, _Seen] = {view: _seen(groups[0], k) for k, view in enumerate(windows[0])}
    notices = []
    for group, window in zip(groups[1:], windows[1:]):
        shared = [(k, view) for k, view in enumerate(window) if view in found]
        similarity = _similarity(
            [(_seen(group, k), found[view]) for k, view in shared], [names[view] for _, view in shared]
        )
        if similarity.residual > _DOUBTFUL:
            text = (
                f"the groups that share it disagree by {100 * similarity.residual:.0f} % of the distance "
                "on the photos in common, so the views "
                "from here on may stand wrong. Use more photos in one pass, or photos in smaller steps."
            )
            notices.append(warning(names[shared[0][1]], text))
        for k, view in enumerate(window):
            found.setdefault(view, _moved(_seen(group, k), similarity))
    return _group([found[view] for view in range(len(found))]), tuple(notices)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One view of a group."""

    K: np.ndarray  # (3, 3)
    cam_from_world: np.ndarray  # (4, 4)
    depth: np.ndarray  # (H, W)
    conf: np.ndarray  # (H, W)


def _seen(group: GroupPrediction, index: int) -> _Seen:
    return _Seen(
        group.cameras.K[index], group.cameras.cam_from_world[index], group.depth[index], group.conf[index]
    )


def _group(views: Sequence[_Seen]) -> GroupPrediction:
    cameras = Cameras(np.stack([view.K for view in views]), np.stack([view.cam_from_world for view in views]))
    return GroupPrediction(cameras, tuple(view.depth for view in views), tuple(view.conf for view in views))


def _similarity(shared: Sequence[tuple[_Seen, _Seen]], names: Sequence[str]) -> Similarity:
    """Return what brings the first predictions of views to the second ones, robust, by what both say of the
    same pixels.
    """
    parts = [_common_points(*pair) for pair in shared]
    here, there = (np.concatenate([part[k] for part in parts]) for k in range(2))
    weight, depth, ratio = (np.concatenate([part[k] for part in parts]) for k in (2, 3, 4))
    if len(weight) < _LEAST_POINTS:
        raise ReconstructionError(
            f"{', '.join(names)}: two groups of photos share only these, and say nothing sure of the same "
            "pixels of them, so the groups cannot "
            "be joined. Take photos in smaller steps, or more of them in one pass."
        )
    # Both depths of a pixel differ by the same factor everywhere: that tells the wrong ones before any pose
    # is known.
    robust = _redescending(np.abs(np.log(ratio / np.median(ratio))), _LEAST_ERROR)
    # Weights from depths alone start it: residuals of a first fit would already be bent by what they should
    # find.
    for _ in range(_ROUNDS):
        R, t, scale = _registered(here, there, weight * robust)
        distance = np.linalg.norm(scale * here @ R.T + t - there, axis=1)
        robust = _redescending(distance / depth, _LEAST_ERROR)
    return Similarity(scale, R, t, float(np.median(distance / depth)))


def _redescending(error: np.ndarray, least: float) -> np.ndarray:
    """Return Geman-McClure's weights, at a scale of two median errors.

    Wrong depths of a photo all lie on one side: a weight that only stops growing with the error would still
    follow them.
    """
    scale = max(_OUTLIER * float(np.median(error)), least)
    return (scale**2 / (scale**2 + error**2)) ** 2


def _registered(
    points: np.ndarray, targets: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    R, t, scale = roma.rigid_points_registration(
        *(torch.from_numpy(x) for x in (points, targets)), torch.from_numpy(weight), compute_scaling=True
    )
    return R.numpy(), t.numpy(), float(scale)


def _common_points(here: _Seen, there: _Seen) -> tuple[np.ndarray, ...]:
    """Return the points (P, 3) of a view's pixels in both worlds, their weights (P,), depths (P,) in the
    second, and these over the first.
    """
    pixels = np.s_[_STRIDE // 2 :: _STRIDE, _STRIDE // 2 :: _STRIDE]
    conf = np.stack([here.conf[pixels], there.conf[pixels]]).astype(float)  # (2, h, w)
    # Confidence is exactly 1 where a mask or the lack of a depth says so.
    usable = (conf > 1).all(0)
    if usable.any():
        usable &= (conf > _LEAST_CONF * np.median(conf[:, usable], axis=1).min()).all(0)
    points = [
        pointmap(seen.depth, seen.K, _world_from_cam(seen))[pixels][usable].astype(float)
        for seen in (here, there)
    ]
    depth, own = (seen.depth[pixels][usable].astype(float) for seen in (there, here))
    return points[0], points[1], np.sqrt(conf.prod(0)[usable]), depth, depth / own


def _world_from_cam(seen: _Seen) -> np.ndarray:
    return Cameras(seen.K[None], seen.cam_from_world[None]).world_from_cam[0]


def _moved(seen: _Seen, similarity: Similarity) -> _Seen:
    """Return a view of one world in the other, its depth in the other's unit."""
    R = seen.cam_from_world[:3, :3] @ similarity.R.T
    moved = np.eye(4)
    # x' = s R x + t: from R_c x + t_c follows R_c R^T (x' - t) + s t_c in the new unit.
    moved[:3, :3], moved[:3, 3] = R, similarity.scale * seen.cam_from_world[:3, 3] - R @ similarity.t
    return _Seen(seen.K, moved, (seen.depth * np.float32(similarity.scale)).astype(np.float32), seen.conf)
