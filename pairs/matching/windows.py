"""Overlapping windows of a picture, and windows brought to a size (the pair network's specification, chapter 11.5; the dense aligner's, 8.8).

Windows are rows (left, top, right, bottom) in whole pixels, right and bottom exclusive.
"""

from __future__ import annotations

import numpy as np

_MULTIPLE = 16
_LONGER_SIDE = 3.01 / 4
"""The shorter side of a window of no given size: slightly more than that of a 4:3 photo, so that rounding cannot make it less."""


def start_positions(total: int, window: int, overlap: float) -> np.ndarray:
    """Return where windows begin (N,) that cover a length evenly and overlap by at least that share, first to last."""
    last = total - window
    count = 2 + int((last - 1) // (window * (1 - overlap)))
    return np.linspace(0, last, count).round().astype(int)


def overlapping_grid(size: tuple[int, int], longest: int, overlap: float) -> np.ndarray:
    """Return windows (N, 4) that cover a picture of (height, width), row by row.

    A window has the picture's proportions, at most `longest` pixels a side, and sides that are multiples of 16.
    """
    height, width = (side * longest // max(size) // _MULTIPLE * _MULTIPLE for side in size)
    tops, lefts = start_positions(size[0], height, overlap), start_positions(size[1], width, overlap)
    top, left = (axis.ravel() for axis in np.meshgrid(tops, lefts, indexing="ij"))
    return np.stack([left, top, left + width, top + height], 1)


def fit_windows(windows: np.ndarray, size: tuple[int, int], resolution: tuple[int, int] | None = None) -> np.ndarray:
    """Return windows (N, 4) int of one resolution (height, width) around the same centres, moved inside a picture of (height, width).

    Without a resolution each keeps its longer side, clipped to the picture, and the shorter one is made three quarters of it.
    The given windows may lie between pixels and reach beyond the picture. Raises `ValueError` where the picture is smaller than the resolution.
    """
    windows = np.asarray(windows, np.float64).reshape(-1, 4)
    extent = windows[:, 2:] - windows[:, :2]  # (N, 2) width, height
    picture = np.array([size[1], size[0]], float)
    if resolution is not None:
        wanted = np.tile(np.array([resolution[1], resolution[0]], float), (len(windows), 1))
    else:
        wanted = np.minimum(extent, picture)
        portrait = extent[:, 0] < extent[:, 1]
        wanted[portrait, 0] = np.minimum(_LONGER_SIDE * wanted[portrait, 1], picture[0])
        wanted[~portrait, 1] = np.minimum(_LONGER_SIDE * wanted[~portrait, 0], picture[1])
    if (wanted > picture).any():
        raise ValueError(f"windows of {wanted.max(0)} (width, height) do not fit into a picture of {picture}")
    grow = (wanted - extent) / 2
    low, high = np.floor(windows[:, :2] - grow), np.floor(windows[:, 2:] + grow)
    # Both ends are rounded down on their own, which may cost or add a pixel.
    low = high - np.floor(wanted)
    for shift in (-np.minimum(low, 0), -np.maximum(high - picture, 0)):
        low, high = low + shift, high + shift
    return np.concatenate([low, high], 1).astype(int)
