"""Photos between which the camera was not touched: each run of them has a plate of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from masks.making.evidence import Evidence
from masks.making.pictures import well_exposed
from masks.making.plate import STILL, Plate, plate_evidence, plate_of
from masks.mask import border_share

FEWEST = 8
"""Photos that a plate needs: with fewer, chance supports as much as a backdrop."""
BORDER_STILL = 0.97
"""Share of the border that a backdrop that stands still supports; measured 1.00, and up to 0.95 where black
merely repeats."""

_SAME = 12.0  # grey values, Euclidean: noise of two photos, and of JPEG
# Consecutive photos of a still camera share 0.95 of the border at least, with a hand in some; a camera that
# is turned by one pixel leaves 0.83 at most.
_TOUCHED = 0.9


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive photos before one plate."""

    start: int
    stop: int
    plate: Plate

    @property
    def border_still(self) -> float:
        """Share of the border whose backdrop has support."""
        return border_share(self.plate.still)


def runs_of(pictures: Sequence[np.ndarray]) -> tuple[tuple[Run, ...], tuple[int, ...]]:
    """Return the runs of photos (H, W, 3) uint8 of one size, and at which photos the camera was touched.

    One run of all photos where it was not, and where fewer photos than a plate needs lie between.
    """
    pictures = well_exposed(pictures)
    touched = _touches(pictures)
    ends = [0, *touched, len(pictures)]
    if min(stop - start for start, stop in pairwise(ends)) < FEWEST:
        ends = [0, len(pictures)]
    spans = pairwise(ends)
    return tuple(Run(start, stop, plate_of(pictures[start:stop])) for start, stop in spans), touched


def evidence_of_runs(pictures: Sequence[np.ndarray], runs: Sequence[Run]) -> Evidence:
    """Return what differs in photos (H, W, 3) uint8 from the plates of their runs."""
    pictures = well_exposed(pictures)
    parts = [plate_evidence(pictures[run.start : run.stop], run.plate, STILL) for run in runs]
    return Evidence(tuple(logits for part in parts for logits in part.logits), STILL)


def _touches(pictures: Sequence[np.ndarray]) -> tuple[int, ...]:
    """Return the photos from which on the border is another one; none where that is the rule."""
    same = np.array([_same_border(a, b) for a, b in pairwise(pictures)])
    if np.median(same) < _TOUCHED:
        return ()
    kept: list[int] = []
    for k in (np.flatnonzero(same < _TOUCHED) + 1).tolist():
        # A hand comes and goes: behind it the border is the one before it.
        if kept and k - kept[-1] < FEWEST and _same_border(pictures[kept[-1] - 1], pictures[k]) >= _TOUCHED:
            kept.pop()
        else:
            kept.append(k)
    return tuple(kept)


def _same_border(a: np.ndarray, b: np.ndarray) -> float:
    """Return which share of the border two photos (H, W, 3) uint8 have in common, up to their exposures."""
    first, second = (cv2.GaussianBlur(p, (0, 0), 1.0).astype(np.float32) for p in (a, b))
    exposure = np.median(first, axis=(0, 1)) / np.maximum(np.median(second, axis=(0, 1)), 1.0)
    near = np.linalg.norm(first - second * np.clip(exposure, 0.6, 1.6), axis=2) < _SAME
    return border_share(near)
