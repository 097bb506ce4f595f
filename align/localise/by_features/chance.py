"""Whether so many matches could agree with one camera by chance.

The a-contrario test of Moisan and Stival (IJCV 2004): of `n` matches `k` agree with a camera that a sample of
`s` of them fixed; by chance each other one would with probability `p`. The expected number of samples that
find as many among wrong matches alone is

    (n - s) C(n, k) C(k, s) p^(k - s)

and a camera is believed where it is far below one. It asks more of many matches than of few, and more where
they crowd: a bare number or share of inliers would not.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree
from scipy.special import gammaln

_FINER = (1.0, 0.5, 0.25, 0.125)
"""Shares of the largest error that are tried: right cameras have errors far below it, wrong ones up to it."""


def log10_false_alarms(projected: np.ndarray, pixels: np.ndarray, largest_error: float, sample: int) -> float:
    """Return the logarithm of the expected number of false alarms for matches whose points are projected to
    (N, 2) and were seen at pixels (N, 2), each pixel once; 0 when nothing speaks for the camera.

    Points behind the camera are NaN. `sample` matches fix a camera: 3, or 4 when its focal is sought, too.
    """
    num = len(pixels)
    seen = np.isfinite(projected).all(1)
    if num <= sample or not seen.any():
        return 0.0
    errors = np.linalg.norm(projected[seen] - pixels[seen], axis=1)
    limits = largest_error * np.array(_FINER)
    agreeing = (errors[:, None] <= limits).sum(0)
    # By chance: how often a point falls next to the pixel of another match. Where pixels or points crowd,
    # that is often, whatever the size of the photo.
    pairs = KDTree(projected[seen]).count_neighbors(KDTree(pixels), limits) - agreeing
    by_chance = np.maximum(pairs, 1) / (num * (num - 1))
    tests = np.log10(len(_FINER)) + np.log10(num - sample) + _log10_choose(num, agreeing)
    alarms = tests + _log10_choose(agreeing, sample) + (agreeing - sample) * np.log10(by_chance)
    return float(min(0.0, alarms[agreeing > sample].min(initial=0.0)))


def _log10_choose(n: np.ndarray | int, k: np.ndarray | int) -> np.ndarray:
    n, k = np.asarray(n, float), np.asarray(k, float)
    return (gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1)) / np.log(10)
