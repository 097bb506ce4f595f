"""Overlapping windows of a picture, and windows brought to a size
(docs/pair_networks.md, "Coarse-to-fine matching").

Windows are rows (left, top, right, bottom) in whole pixels, right and bottom exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MULTIPLE = 16
_LONGER_SIDE = 3.01 / 4
"""The shorter side of a window of no given size: slightly more than that of a 4:3 photo, so that rounding
cannot make it less."""


Size = tuple[int, int]
"""Height and width."""
# Matches on one spot would make the ratio of spreads anything.
_LEAST_SPREAD_PX = 20
# Quantiles, not extremes: one wrong match would blow the partner window up.
_SPREAD = (0.1, 0.9)


def start_positions(total: int, window: int, overlap: float) -> np.ndarray:
    """Return where windows begin (N,) that cover a length evenly and overlap by at least that share, first to
    last.
    """
    last = total - window
    # The first and the last, and so many between that no two lie farther apart than the overlap allows.
    count = 2 + int((last - 1) // (window * (1 - overlap)))
    return np.linspace(0, last, count).round().astype(int)


def overlapping_grid(size: tuple[int, int], longest: int, overlap: float) -> np.ndarray:
    """Return windows (N, 4) that cover a picture of (height, width), row by row.

    A window has the picture's proportions, at most `longest` pixels a side, and sides that are multiples of
    16.
    """
    height, width = (side * longest // max(size) // _MULTIPLE * _MULTIPLE for side in size)
    tops, lefts = start_positions(size[0], height, overlap), start_positions(size[1], width, overlap)
    top, left = (axis.ravel() for axis in np.meshgrid(tops, lefts, indexing="ij"))
    return np.stack([left, top, left + width, top + height], 1)


def fit_windows(
    windows: np.ndarray, size: tuple[int, int], resolution: tuple[int, int] | None = None
) -> np.ndarray:
    """Return windows (N, 4) int of one resolution (height, width) around the same centres, moved inside a
    picture of (height, width).

    Without a resolution each keeps its longer side, clipped to the picture, and the shorter one is made three
    quarters of it. The given windows may lie between pixels and reach beyond the picture. Raises `ValueError`
    where the picture is smaller than the resolution.
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
    # Moved, not clipped: all windows of a photo must have one size to make a batch.
    for shift in (-np.minimum(low, 0), -np.maximum(high - picture, 0)):
        low, high = low + shift, high + shift
    return np.concatenate([low, high], 1).astype(int)


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How windows are laid and chosen."""

    longest: int = 512
    """Longest side of the windows of the grid."""
    overlap: float = 0.5
    """Least share by which neighbours on the grid overlap."""
    fewest: int = 10
    """Coarse matches that a window needs."""
    target: float = 0.9
    """Share of the reachable weight of all matches at which enough windows are chosen."""


@dataclass(frozen=True, slots=True)
class WindowPairs:
    """Windows of two pictures that show the same, and how well every match lies in both."""

    a: np.ndarray  # (N, 4) int: left, top, right, bottom, exclusive
    b: np.ndarray  # (N, 4) int
    weight: np.ndarray  # (N, M), 0 to 1; 0 for matches outside the window of the side that was scored

    def __len__(self) -> int:
        return len(self.a)


def score_windows(
    windows: np.ndarray,
    xy_a: np.ndarray,
    xy_b: np.ndarray,
    size_b: Size,
    resolution_b: Size | None,
    fewest: int = 10,
) -> WindowPairs:
    """Return for windows (N, 4) of a the windows of b that their matches (M, 2) lead to; those with fewer
    than `fewest` matches are left out.

    The window of b lies around the mean of the matches, and is as many times larger than that of a as they
    are spread wider.
    """
    # In single precision as in the reference: the windows are whole pixels, and a last bit can move one.
    at_a, at_b = np.asarray(xy_a, np.float32).reshape(-1, 2), np.asarray(xy_b, np.float32).reshape(-1, 2)
    windows = np.asarray(windows).reshape(-1, 4)
    low, high = windows[:, None, :2], windows[:, None, 2:]
    inside = np.all((at_a >= low) & (at_a < high), axis=2)  # (N, M)
    enough = np.flatnonzero(inside.sum(1) >= fewest)
    windows, inside = windows[enough], inside[enough]
    around = np.array(
        [_counterpart(window, at_a[own], at_b[own]) for window, own in zip(windows, inside)]
    ).reshape(-1, 4)
    counterparts = fit_windows(around, size_b, resolution_b)
    weight = np.where(inside, _centrality(windows, at_a) * _centrality(counterparts, at_b), np.float32(0))
    return WindowPairs(windows, counterparts, weight)


def greedy_choice(weight: np.ndarray, target: float) -> list[int]:
    """Return rows of the weights (N, M), in the order of choice, that together reach `target` of the sum over
    matches of their largest weight.

    Each time the row that adds most is taken, the first on ties; what it covers counts no more for the
    others.
    """
    left = np.array(weight)
    if left.size == 0:
        return []
    goal = target * left.max(0).sum()
    chosen, reached = [], 0.0
    while reached < goal:
        gain = left.sum(1)
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        chosen.append(best)
        reached += float(gain[best])
        # A match that is covered well by the chosen window adds little through others: the sum of maxima is
        # what is approached.
        left = np.maximum(left - left[best], 0)
    return chosen


def choose_windows(
    matches: tuple[np.ndarray, np.ndarray],
    sizes: tuple[Size, Size],
    resolutions: tuple[Size | None, Size | None],
    options: WindowOptions,
) -> WindowPairs:
    """Return the windows of two pictures to match, best first, from coarse matches (xy_a, xy_b), each (M, 2)
    in full pixels.

    A grid of windows is laid on each picture and carried to the other one. Windows have the resolutions,
    (height, width) a side, if any.
    """
    (xy_a, xy_b), (size_a, size_b), (of_a, of_b) = matches, sizes, resolutions
    grid_a = fit_windows(overlapping_grid(size_a, options.longest, options.overlap), size_a, of_a)
    grid_b = fit_windows(overlapping_grid(size_b, options.longest, options.overlap), size_b, of_b)
    there = score_windows(grid_a, xy_a, xy_b, size_b, of_b, options.fewest)
    back = score_windows(grid_b, xy_b, xy_a, size_a, of_a, options.fewest)
    a, b, weight = (
        np.concatenate(sides) for sides in ((there.a, back.b), (there.b, back.a), (there.weight, back.weight))
    )
    order = greedy_choice(weight, options.target)
    return WindowPairs(a[order], b[order], weight[order])


def _counterpart(window: np.ndarray, at_a: np.ndarray, at_b: np.ndarray) -> np.ndarray:
    """Return the window (4,) of b, not yet in whole pixels, for the matches (K, 2) inside a window of a."""
    spread_a, spread_b = (
        np.maximum(np.diff(np.quantile(at, _SPREAD, axis=0), axis=0)[0], _LEAST_SPREAD_PX)
        for at in (at_a, at_b)
    )
    half = (window[2:] - window[:2]) * (spread_b / spread_a) / 2
    centre = at_b.mean(0)
    return np.concatenate([centre - half, centre + half])


def _centrality(windows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return (N, M) how near positions (M, 2) are to the windows' centres: 1 there, less than 0.4 in the
    corners.
    """
    low, high = windows[:, None, :2].astype(np.float32), windows[:, None, 2:].astype(np.float32)
    offset = (at - (low + high) / 2) / (high - low)
    return np.exp(-2 * (offset**2).sum(2))
