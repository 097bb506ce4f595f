"""One view's depth as all its pairs see it (docs/sparse_alignment.md, "Canonical views")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from align.measurements.anchors import (
    anchor_grid,
    anchor_of_pixel,
    anchored_ratio,
    at_anchors,
    spread_blocks,
)
from align.measurements.focal import estimate_focal, masked_focal
from align.pinhole import pixel_grid
from masks.errors import SolverError

AverageMode = Literal["avg-angle", "avg-reldepth"]

_CONF_FLOOR = (
    0.999  # the network's confidence starts at 1: this leaves a pixel without confidence a weight of 0.001
)
_EDGE = 0.05  # neighbouring pixels whose depths differ by more than this share lie on different surfaces
_LEAST_RADIUS = 1e-8  # scene units; keeps the slope of a pixel that coincides with its anchor finite


@dataclass(frozen=True, slots=True)
class CanonicalView:
    """What a view's own pointmaps say together, ready for anchors."""

    depth: Tensor  # (H, W), canonical z; NaN outside the object
    conf: Tensor  # (H, W); NaN outside the object
    """Mean confidence of the maps, the one that viewers threshold."""
    focal: Tensor  # ()
    """Focal in pixels that the maps suggest."""
    anchor_depth: Tensor  # (h, w); NaN where the block holds no pixel of the object
    depth_ratio: Tensor  # (H, W), depth over the depth of the block's anchor; NaN outside the object
    valid: Tensor  # (H, W) bool
    """Pixels of the object with a usable depth; the others are absent from everything that follows."""
    subsample: int
    own_intrinsics: Tensor | None = None  # (3, 3), pixels
    """Intrinsics that the maps suggest with nothing assumed; known only where some are stated, to be
    compared."""

    def __post_init__(self) -> None:
        height, width = self.depth.shape
        grid = (anchor_grid(height, self.subsample), anchor_grid(width, self.subsample))
        if height % self.subsample or width % self.subsample or self.anchor_depth.shape != grid:
            raise ValueError(
                f"a {width}x{height} view has no whole grid of anchors every {self.subsample} pixels"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return (self.depth.shape[1], self.depth.shape[0])


def canonical_view(
    pointmaps: Tensor,  # (B, H, W, 3), all in the view's own frame
    confs: Tensor,  # (B, H, W)
    principal_point: Tensor,  # (2,)
    subsample: int = 8,
    mode: AverageMode = "avg-angle",
) -> CanonicalView:
    """Return the reference's canonical view: every pixel counts, maps are averaged in the scale they
    come in.
    """
    points, conf = average_points(pointmaps, confs)
    relative = relative_depth(pointmaps, confs, subsample, mode)
    height, width = conf.shape
    _, ratio = anchored_ratio(relative, pixel_grid(height, width, conf).long(), subsample)
    return CanonicalView(
        depth=points[..., 2],
        conf=conf,
        focal=estimate_focal(points[None], principal_point)[0],
        anchor_depth=at_anchors(points[..., 2], subsample),
        depth_ratio=ratio.reshape(height, width),
        valid=torch.ones_like(conf, dtype=torch.bool),
        subsample=subsample,
    )


def average_points(pointmaps: Tensor, confs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weighted mean (H, W, 3) of pointmaps (B, H, W, 3) and its confidence (H, W)."""
    weight = confs - _CONF_FLOOR
    total = weight.sum(0)
    return (weight[..., None] * pointmaps).sum(0) / total[..., None], (weight * weight).sum(0) / total


def relative_depth(
    pointmaps: Tensor, confs: Tensor, subsample: int, mode: AverageMode = "avg-angle"
) -> Tensor:
    """Return the depth (H, W) of every pixel over that of its block's anchor, averaged over the maps.

    `avg-reldepth` averages the ratios themselves; `avg-angle` averages the slope angle between anchor and
    pixel, so that one map with a depth edge in between does not dominate.
    """
    if mode not in ("avg-angle", "avg-reldepth"):
        raise ValueError(f"canonical mode {mode!r} is not one of avg-angle, avg-reldepth")
    weight = confs - _CONF_FLOOR
    total = weight.sum(0)
    z = pointmaps[..., 2]
    z_anchor = spread_blocks(at_anchors(z, subsample), subsample).clamp(min=torch.finfo(z.dtype).eps)
    if mode == "avg-reldepth":
        return (weight * (z / z_anchor)).sum(0) / total
    xy = pointmaps[..., :2]
    xy_anchor = spread_blocks(at_anchors(xy.movedim(-1, 1), subsample), subsample).movedim(1, -1)
    radius = (xy - xy_anchor).norm(dim=-1).clamp(min=_LEAST_RADIUS)
    angle = (weight * torch.atan((z - z_anchor) / radius)).sum(0) / total
    canonical_z = (weight * z).sum(0) / total
    return 1 + angle.tan() * radius.mean(0) / spread_blocks(at_anchors(canonical_z, subsample), subsample)


def masked_canonical_view(
    pointmaps: Tensor,  # (B, H, W, 3), own frame; each in its own scale
    confs: Tensor,  # (B, H, W)
    mask: Tensor,  # (H, W) bool
    principal_point: Tensor,  # (2,)
    subsample: int = 8,
) -> CanonicalView:
    """Return the canonical view of the object alone; what lies outside the mask is never read.

    Maps are brought to one scale by their median depth over the object before they are averaged, and the
    result is put back to the mean (geometric) of these medians: a network without metric scale answers every
    pair in another one. The anchor of a block is the object pixel nearest to its centre (first in reading
    order on ties); a block without object has none. Raises `SolverError` when no pixel of the object has a
    positive depth in every map.
    """
    z = pointmaps[..., 2]
    # Comparisons with NaN are false, so a pixel that one network run could not answer is absent like the
    # background.
    valid = mask & (z > 0).all(0) & torch.isfinite(pointmaps).all(-1).all(0) & torch.isfinite(confs).all(0)
    if not bool(valid.any()):
        raise SolverError(
            "no pixel of the object has a positive predicted depth. Look at the mask, or leave this view out."
        )
    seen = z[:, valid]  # (B, N)
    weight = (confs[:, valid] - _CONF_FLOOR).clamp(min=1 - _CONF_FLOOR)
    median = seen.median(dim=1).values
    scale = median.log().mean().exp()
    depth = torch.full_like(z[0], torch.nan)
    depth[valid] = scale * (weight * (seen / median[:, None])).sum(0) / weight.sum(0)
    conf = torch.full_like(depth, torch.nan)
    conf[valid] = (weight * weight).sum(0) / weight.sum(0)
    anchor_depth, ratio = _masked_anchors(depth, valid, subsample)
    focal = torch.stack([masked_focal(points, principal_point, valid) for points in pointmaps])
    return CanonicalView(depth, conf, focal.log().mean().exp(), anchor_depth, ratio, valid, subsample)


def _masked_anchors(depth: Tensor, valid: Tensor, subsample: int) -> tuple[Tensor, Tensor]:
    """Return anchor depths (h, w) and depth ratios (H, W), with the valid pixel nearest to the block's centre
    as anchor.
    """
    height, width = depth.shape
    rows, columns = height // subsample, width // subsample
    offset = torch.arange(subsample, device=depth.device) - subsample // 2
    distance = (offset[:, None] ** 2 + offset[None, :] ** 2).flatten()  # (s s,)
    blocks = depth.reshape(rows, subsample, columns, subsample).transpose(1, 2).reshape(rows, columns, -1)
    held = valid.reshape(rows, subsample, columns, subsample).transpose(1, 2).reshape(rows, columns, -1)
    # argmin takes any of equal minima: the pixel number is added so that the first in reading order wins.
    rank = distance * subsample**2 + torch.arange(subsample**2, device=depth.device)
    nearest = torch.where(held, rank, subsample**6).argmin(-1)
    anchor_depth = blocks.gather(-1, nearest[..., None])[..., 0]
    return anchor_depth, depth / spread_blocks(anchor_depth, subsample)


def anchor_at(view: CanonicalView, xy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return anchor numbers (N,), depth ratios (N,) and usability (N,) of pixel positions (N, 2).

    The anchor is that of the nearest pixel. Between pixels the depth is bilinear, where the four around lie
    on one surface: on a slope the depth of the nearest pixel would be off by up to half a pixel's worth,
    which other views see as a shift.
    """
    width, height = view.size
    limit = torch.tensor([width - 1, height - 1])
    pixel = torch.minimum(xy.round().long().clamp(min=0), limit)
    column, row = pixel.unbind(-1)
    index, usable = anchor_of_pixel(pixel, width, view.subsample), view.valid[row, column]
    ratio = view.depth_ratio[row, column]
    between = (xy != pixel).any(-1)
    if bool(between.any()):
        smooth = _bilinear_depth(view, xy[between]) / view.anchor_depth.flatten()[index[between]]
        ratio = ratio.clone()
        ratio[between] = torch.where(torch.isfinite(smooth), smooth, ratio[between])
    return index, ratio, usable


def _bilinear_depth(view: CanonicalView, xy: Tensor) -> Tensor:
    """Return the depth (N,) between pixels; NaN across an edge of the surface, of the object, or of the
    picture.
    """
    width, height = view.size
    corner = xy.floor().long()
    inside = ((corner >= 0) & (corner < torch.tensor([width - 1, height - 1]))).all(-1)
    x, y = torch.where(inside[:, None], corner, 0).unbind(-1)
    depth = spread_blocks(view.anchor_depth, view.subsample) * view.depth_ratio
    around = torch.stack([depth[y, x], depth[y, x + 1], depth[y + 1, x], depth[y + 1, x + 1]], -1)  # (N, 4)
    held = torch.stack(
        [view.valid[y, x], view.valid[y, x + 1], view.valid[y + 1, x], view.valid[y + 1, x + 1]], -1
    ).all(-1)
    u, v = (xy - corner).unbind(-1)
    weight = torch.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], -1)
    one_surface = around.amax(-1) < (1 + _EDGE) * around.amin(-1)
    return torch.where(inside & held & one_surface, (weight * around).sum(-1), torch.nan)
