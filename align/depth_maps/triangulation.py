"""Points from matched pixels and known cameras (docs/sparse_alignment.md, "Triangulation").

`matches_to_depth` is for parity with the published depth from whole maps of matches; scenes have sparse ones
(align/depth_maps/matched_depth.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_NO_CONF = 1e-5  # a sum of confidences up to this divides by 1, as published


@dataclass(frozen=True, slots=True)
class MatchedPoints:
    """Depth of a reference view from its matches with the others."""

    points: Tensor  # (B, H, W, 3), world; NaN where too few pairs gave one
    depth: Tensor  # (B, H, W), in the reference camera
    conf: Tensor  # (B, H, W), sum over the pairs


def triangulate(projections: Tensor, xy: Tensor) -> Tensor:
    """Return the points (B, N, 3) that C cameras with projections (B, C, 3, 4) see at pixels xy (B, C, N, 2).

    Least squares of the inhomogeneous linear equations. A point with a pixel that isn't finite becomes NaN,
    the others are as without it.
    """
    P = projections.movedim(1, 0)[:, :, None]  # (C, B, 1, 3, 4)
    u, v = xy.movedim(1, 0)[..., None].unbind(-2)  # (C, B, N, 1)
    rows = torch.cat([P[..., 0, :] - u * P[..., 2, :], P[..., 1, :] - v * P[..., 2, :]])  # (2 C, B, N, 4)
    return _least_squares(rows.unbind(-1))


def _least_squares(columns: Sequence[Tensor]) -> Tensor:
    """Return the x (..., 3) with the least |A x + b| by the columns (R, ...) of A and b.

    Modified Gram-Schmidt with b as a fourth column is as stable as reflections, and works element by element:
    batched solvers answer equal input with other last bits, as the memory happens to lie, and refuse NaN.
    """
    left, factors, right = list(columns), [], []
    for k in range(3):
        norm = left[k].square().sum(0).sqrt()
        unit = left[k] / norm
        shares = [(unit * column).sum(0) for column in left[k + 1 :]]
        left[k + 1 :] = [column - share * unit for column, share in zip(left[k + 1 :], shares)]
        factors.append((norm, *shares[:-1]))
        right.append(-shares[-1])
    z = right[2] / factors[2][0]
    y = (right[1] - factors[1][1] * z) / factors[1][0]
    x = (right[0] - factors[0][1] * y - factors[0][2] * z) / factors[0][0]
    return torch.stack([x, y, z], -1)


def matches_to_depth(
    K: Tensor, cam_from_world: Tensor, matches: Tensor, enough_share: float = 0.3
) -> MatchedPoints:
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
    return MatchedPoints(mean, in_cam[..., 2], total)
