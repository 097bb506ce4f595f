"""Depths from matches alone: each triangulated with the cameras as they stand
(docs/sparse_alignment.md, "Triangulation").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from align.depth_maps.dense_view import DenseView
from align.depth_maps.source import Depths, Posed, at_depth
from align.depth_maps.triangulation import triangulate
from align.pinhole import in_camera, project
from masks.errors import UserError
from masks.notice import Notice, info, warning
from masks.progress import Progress
from pairs.prediction.predictions import Matches


@dataclass(frozen=True, slots=True)
class MatchedDepth:
    """Which matches give depths, and which pixels get them."""

    most_error_px: float = 2.0
    """A match whose point reprojects farther off, at either end, is wrong: so the report counts it, too."""
    least_angle_deg: float = 1.0
    """Rays that meet at less say nothing of the depth."""
    enough_share: float = 0.0
    """A pixel needs more pairs than this share of its view's pairs, rounded down."""
    block: int | None = 8
    """Side of the blocks, in pixels, in which the aligner's depths are scaled to the matched ones by the
    median ratio. None: matched pixels alone have a depth, as published."""
    least_matches: int = 20
    """A view with fewer keeps the aligner's depths, and a warning names it."""

    def depths(self, posed: Posed, progress: Progress) -> Depths:
        """Return the views with depths from their matches. Raises `UserError` where there are none."""
        if not any(len(matches.conf) for matches in posed.matches.values()):
            raise UserError(
                "`depth=matches`: no matches are known between the views; a backend that looks at all photos "
                "together predicts none. Use `depth=tsdf`, or a backend that matches pairs."
            )
        ends: list[list[_Ends]] = [[] for _ in posed.dense]
        for done, (pair, matches) in enumerate(posed.matches.items()):
            for view, found in zip(pair, _sound_ends(pair, matches, posed, self)):
                ends[view].append(found)
            progress("triangulating matches", done + 1, len(posed.matches))
        dense, notices = [], []
        for k, (view, found) in enumerate(zip(posed.dense, ends)):
            count = sum(len(pair.depth) for pair in found)
            if count < self.least_matches:
                text = f"only {count} of its matches give a point: it keeps the aligner's depths."
                notices.append(warning(posed.names[k], text))
                dense.append(view)
                continue
            matched = _pixel_depths(found, view.depth.shape, self.enough_share)
            matched[view.depth.isnan()] = torch.nan
            depth = matched if self.block is None else _scaled(view.depth, matched, self.block)
            dense.append(at_depth(view, depth, posed.K[k], posed.cam_from_world[k]))
        figures = _figures(posed, ends, dense)
        return Depths(tuple(dense), (_told(figures), *notices), figures)


PUBLISHED_MATCHED_DEPTH = MatchedDepth(math.inf, 0.0, 0.3, None, 1)
"""The published depth from matches, which tests none and spreads none."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """A view's ends of a pair's triangulated matches."""

    xy: np.ndarray  # (M, 2)
    depth: np.ndarray  # (M,)
    conf: np.ndarray  # (M,)


def _sound_ends(pair: tuple[int, int], matches: Matches, posed: Posed, options: MatchedDepth) -> list[_Ends]:
    """Return both ends of a pair's matches, without those that are wrong or say nothing."""
    K, poses = posed.K[list(pair)], posed.cam_from_world[list(pair)]
    xy = torch.from_numpy(np.stack([matches.xy_a, matches.xy_b]))  # (2, M, 2)
    points = triangulate((K @ poses[:, :3])[None], xy[None])[0]
    in_cam = torch.stack([in_camera(points, pose) for pose in poses])  # (2, M, 3)
    error = torch.stack([project(seen, k.expand(len(seen), 3, 3)) for seen, k in zip(in_cam, K)]) - xy
    sound = (in_cam[..., 2] > 0).all(0) & (error.norm(dim=-1) <= options.most_error_px).all(0)
    sound &= _angle_deg(points, poses) >= options.least_angle_deg
    conf = matches.conf[sound.numpy()]
    return [_Ends(xy[k, sound].numpy(), in_cam[k, sound, 2].numpy(), conf) for k in (0, 1)]


def _angle_deg(points: Tensor, poses: Tensor) -> Tensor:
    """Return the angles (M,) at which the rays of two cameras meet in points (M, 3)."""
    rays = points - torch.linalg.inv(poses)[:, None, :3, 3]
    # By the tangent: the cosine of a small angle is one to rounding.
    across, along = torch.linalg.cross(*rays).norm(dim=-1), rays.prod(0).sum(-1)
    return torch.rad2deg(torch.atan2(across, along))


def _pixel_depths(found: Sequence[_Ends], size: tuple[int, ...], enough_share: float) -> Tensor:
    """Return the depths (H, W) of matched pixels, the mean over their pairs by confidence; NaN elsewhere."""
    height, width = size
    xy, depth, conf = (
        np.concatenate([getattr(pair, name) for pair in found]) for name in ("xy", "depth", "conf")
    )
    x, y = np.rint(xy).astype(np.intp).T
    pixel = y * width + x
    pair = np.repeat(np.arange(len(found)), [len(pair.depth) for pair in found])
    # Two matches of a pair at one pixel are one pair.
    pairs = np.bincount(np.unique(np.stack([pixel, pair]), axis=1)[0], minlength=height * width)
    weight, total = (np.bincount(pixel, w, height * width) for w in (conf, conf * depth))
    mean = np.full(height * width, np.nan)
    np.divide(total, weight, out=mean, where=(pairs > int(enough_share * len(found))) & (weight > 0))
    return torch.from_numpy(mean.reshape(height, width))


def _scaled(depth: Tensor, matched: Tensor, side: int) -> Tensor:
    """Return the aligner's depths, block by block times the median of matched over aligned depths; NaN in
    blocks without a match.
    """
    height, width = depth.shape
    ratio = pad(matched / depth, [0, -width % side, 0, -height % side], value=torch.nan)
    rows, columns = ratio.shape[0] // side, ratio.shape[1] // side
    blocks = ratio.reshape(rows, side, columns, side).transpose(1, 2).reshape(rows, columns, side * side)
    scale = blocks.nanquantile(0.5, -1).repeat_interleave(side, 0).repeat_interleave(side, 1)
    return depth * scale[:height, :width]


def _figures(posed: Posed, ends: Sequence[Sequence[_Ends]], dense: Sequence[DenseView]) -> dict[str, Any]:
    shares = [
        float(torch.isfinite(after.depth).sum()) / max(int(torch.isfinite(before.depth).sum()), 1)
        for before, after in zip(posed.dense, dense)
    ]
    return {
        "source": "matches",
        "matches": sum(len(matches.conf) for matches in posed.matches.values()),
        "matches with a point": sum(len(pair.depth) for found in ends for pair in found) // 2,
        "share of pixels with depth by view": shares,
    }


def _told(figures: Mapping[str, Any]) -> Notice:
    middle = float(np.median(figures["share of pixels with depth by view"]))
    text = (
        f"from {figures['matches with a point']} of {figures['matches']} matches: it reaches "
        f"{100 * middle:.0f} % of the middle view's pixels, and the others have none."
    )
    return info("depth", text)
