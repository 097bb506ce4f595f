"""Points from matched pixels and known cameras (docs/sparse_alignment.md, "Triangulation").

For parity with the published depth from matches; no command uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_NO_CONF = 1e-5  # a sum of confidences up to this divides by 1, as published


@dataclass(frozen=True, slots=True)
class MatchedDepth:
    """Depth of a reference view from its matches with the others."""

    points: Tensor  # (B, H, W, 3), world; NaN where too few pairs gave one
    depth: Tensor  # (B, H, W), in the reference camera
    conf: Tensor  # (B, H, W), sum over the pairs


def triangulate(projections: Tensor, xy: Tensor) -> Tensor:
    """Return the points (B, N, 3) that C cameras with projections (B, C, 3, 4) see at pixels xy (B, C, N, 2).

    Least squares of the inhomogeneous linear equations. A point with a pixel that isn't finite becomes NaN,
    the others are as without it.
    """
    P = projections[:, :, None]  # (B, C, 1, 3, 4)
    rows = torch.cat(
        [P[..., 0, :] - xy[..., :1] * P[..., 2, :], P[..., 1, :] - xy[..., 1:] * P[..., 2, :]], 1
    )  # (B, 2 C, N, 4)
    rows = rows.transpose(1, 2)  # (B, N, 2 C, 4)
    finite = torch.isfinite(rows).all(-1).all(-1)  # (B, N)
    # The solver of LAPACK refuses NaN, so these systems are replaced by one that has a solution, and their
    # result is dropped.
    harmless = torch.eye(rows.shape[-2], 4).to(rows)
    rows = torch.where(finite[..., None, None], rows, harmless)
    points = torch.linalg.lstsq(rows[..., :3], -rows[..., 3:]).solution[..., 0]
    return torch.where(finite[..., None], points, torch.nan)


def matches_to_depth(
    K: Tensor, cam_from_world: Tensor, matches: Tensor, enough_share: float = 0.3
) -> MatchedDepth:
    """Return the depth of view 0 from its matches with views 1 to V, each pair triangulated alone, then
    averaged by confidence.

    `K` is (B, V + 1, 3, 3), `cam_from_world` (B, V + 1, 4, 4), `matches` (B, V, H, W, 5): x and y in view 0,
    x and y in view k, confidence. Pairs without a finite point don't count; a pixel with at most the share
    `enough_share` of the pairs (rounded down) becomes NaN.
    """
    batch, num_pairs, height, width, _ = matches.shape
    projections = K @ cam_from_world[:, :, :3]
    both = torch.stack([projections[:, :1].expand(-1, num_pairs, -1, -1), projections[:, 1:]], 2).flatten(
        0, 1
    )  # (B V, 2, 3, 4)
    xy = torch.stack([matches[..., :2], matches[..., 2:4]], 2).reshape(
        batch * num_pairs, 2, height * width, 2
    )
    points = triangulate(both, xy).reshape(batch, num_pairs, height, width, 3)
    finite = torch.isfinite(points).all(-1)
    conf = torch.where(finite, matches[..., 4], 0)
    total = conf.sum(1)
    weighted = (conf[..., None] * torch.where(finite[..., None], points, 0)).sum(1)
    mean = weighted / torch.where(total > _NO_CONF, total, 1)[..., None]
    enough = finite.sum(1) > int(enough_share * num_pairs)
    mean = torch.where(enough[..., None], mean, torch.nan)
    in_cam = mean @ cam_from_world[:, 0, None, :3, :3].mT + cam_from_world[:, 0, None, None, :3, 3]
    return MatchedDepth(mean, in_cam[..., 2], total)
