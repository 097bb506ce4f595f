"""Sparse depth carriers: one anchor a block, and how every pixel hangs on its block's anchor
(docs/sparse_alignment.md, "Anchors").
"""

from __future__ import annotations

from torch import Tensor

from masks.errors import SolverError


def anchor_grid(length: int, subsample: int) -> int:
    """Return how many anchors fit along a side of `length` pixels; the first lies at subsample // 2."""
    return max(0, -((subsample // 2 - length) // subsample))


def at_anchors(image: Tensor, subsample: int) -> Tensor:
    """Return the values (..., h, w) at the anchor pixels of maps (..., H, W)."""
    half = subsample // 2
    return image[..., half::subsample, half::subsample]


def spread_blocks(grid: Tensor, subsample: int) -> Tensor:
    """Return maps (..., h s, w s) in which every pixel has its block's value from (..., h, w)."""
    return grid.repeat_interleave(subsample, dim=-2).repeat_interleave(subsample, dim=-1)


def anchor_of_pixel(xy: Tensor, width: int, subsample: int) -> Tensor:
    """Return the row-major anchor numbers (...) of integer pixels (..., 2) in an image of `width` pixels."""
    block = xy.div(subsample, rounding_mode="floor").long()
    return block[..., 1] * anchor_grid(width, subsample) + block[..., 0]


def anchored_ratio(
    relative_depth: Tensor,  # (H, W), depth over the depth of the block's anchor, up to a factor a block
    xy: Tensor,  # (N, 2) integer pixels
    subsample: int,
) -> tuple[Tensor, Tensor]:
    """Return anchor numbers (N,) and depth ratios (N,) = depth of the pixel over depth of its anchor.

    Raises `SolverError` where an anchor's own relative depth is not positive: nothing can hang on it.
    """
    at = at_anchors(relative_depth, subsample)
    if not bool((at > 0).all()):
        raise SolverError(
            f"{int((~(at > 0)).sum())} of {at.numel()} anchors have no positive canonical depth: the "
            "predictions are zero or not finite "
            "there. Give masks instead of zeroed backgrounds, so that these pixels are left out."
        )
    index = anchor_of_pixel(xy, relative_depth.shape[-1], subsample)
    xy = xy.long()
    return index, relative_depth[xy[:, 1], xy[:, 0]] / at.flatten()[index]
