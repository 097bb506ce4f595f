"""Which camera parameters the photos determine (docs/lenses.md, "Which parameters are freed").

Significance is no test here: key points carry small systematic errors, and with 20 000 observations k1 comes
out 4 to 15 sigma from zero where there is no lens. What counts is the share of the squared error that a
parameter removes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from masks.lens import Lens, distort, normalised, pixels_of, undistort
from pairs.backends.classical.self_calibration.camera_fits import FittedCamera, FreeParameters

LENS_GAIN = 0.01
"""Share of the squared error that a lens must remove. Undistorted sets reach 0.0084 at most (oxford_dino),
and 0.016 (demo with 8 % pincushion) is the smallest of a lens that the poses gain from."""
CENTRE_GAIN = 0.005
"""Share that a free principal point must remove: between 0.002 (oxford_dino, of no use) and 0.010
(fountain-P11 with 8 % barrel, whose rotations gain a quarter)."""
CENTRE_SIGMA = 0.005
"""Largest standard deviation of a principal point, in longest sides. Where the data say less it turns the
world: 22 px on the demo (rotations from 0.05 to 1.7 degrees), 270 px on dinoSparseRing (0.2 to 3.0)."""
CENTRE_SHIFT = 0.15
"""Farthest that a principal point may lie from the middle, in longest sides."""
LEAST_SIGMAS = 8.0
"""Of a lens from zero: a gain of 0.01 in a small scene of 1000 degrees of freedom is three sigma only."""


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """What is freed of one camera, and why no more."""

    free: FreeParameters
    fitted: FittedCamera
    """The camera in the fit that was chosen."""
    lens_gain: float
    """Share of the squared error that the chosen lens removes; that of k1 and k2 where none was chosen."""
    centre_gain: float
    """Share that the free principal point removes, beside the chosen lens."""
    lens_refused: str = ""
    """Why there is no lens though the gain suffices; empty when there is one, or it does not."""
    centre_refused: str = ""
    """The same of the principal point."""


Fitted = Callable[[FreeParameters], FittedCamera]
"""The camera in a fit, made when it is asked for: few are needed where little is to be gained."""


def choose_camera(fitted: Fitted, size: tuple[int, int]) -> CameraChoice:
    """Return what to free of a camera whose picture has `size` (width, height).

    The lens comes first: a principal point that is freed before it swallows distortion (fountain-P11 with 3 %
    barrel: rotations from 0.26 to 1.45 degrees). Beside a free principal point a lens is asked for again.
    """
    lens, lens_refused = _lens(fitted, size, centre=False)
    centre_gain, centre_refused = _centre(fitted, lens, size)
    centre = centre_gain >= CENTRE_GAIN and not centre_refused
    if centre:
        # It may add a lens or k2, never take one away.
        beside, _ = _lens(fitted, size, centre=True)
        lens = max(lens, beside)
    free = FreeParameters(lens, centre)
    lens_gain = _gain(fitted(FreeParameters(0, centre)), fitted(FreeParameters(lens or 2, centre)))
    return CameraChoice(
        free, fitted(free), lens_gain, centre_gain, "" if lens else lens_refused, centre_refused
    )


def displacement_at_corner(lens: Lens, K: np.ndarray, size: tuple[int, int]) -> float:
    """Return how far the lens moves what a pinhole would show in the farthest corner, in parts of its
    distance from the principal point; negative for barrels.
    """
    corners = _corners(size)
    at = normalised(K, corners[int(np.argmax(np.linalg.norm(corners - K[:2, 2], axis=1)))])
    return float(np.linalg.norm(distort(lens, at)) / np.linalg.norm(at) - 1)


def displacement_px(lens: Lens, K: np.ndarray, xy: np.ndarray) -> float:
    """Return how far the lens moves the positions (N, 2) of the photo at most, in pixels."""
    at = normalised(K, xy)
    return float(np.nanmax(np.linalg.norm(pixels_of(K, undistort(lens, at)) - xy, axis=1), initial=0.0))


def _lens(fitted: Fitted, size: tuple[int, int], *, centre: bool) -> tuple[int, str]:
    """Return how many radial coefficients to free, and why none though the gain suffices."""
    none, both = fitted(FreeParameters(0, centre)), fitted(FreeParameters(2, centre))
    # k1 alone cannot gain more than k1 and k2. To begin with it would miss lenses whose k1 and k2 cancel over
    # much of the picture: gain 0.000 beside 0.070 with both (fox with k1 = 0.058, k2 = -0.081).
    if not _gain(none, both) >= LENS_GAIN:
        return 0, ""
    one = fitted(FreeParameters(1, centre))
    refused = ""
    for coefficients, gains in ((2, (none, one)), (1, (none,))):
        richer = both if coefficients == 2 else one
        if not all(_gain(poorer, richer) >= LENS_GAIN for poorer in gains):
            continue
        refused = _why_no_lens(none, richer, size)
        if not refused and not centre and not _wanted_beside_centre(fitted, coefficients):
            refused = "it would only stand in for a principal point off the middle"
        if not refused:
            return coefficients, ""
    return 0, refused


def _why_no_lens(none: FittedCamera, lens: FittedCamera, size: tuple[int, int]) -> str:
    K = _K(lens)
    # A square of sigmas: what the cost falls by, over the variance of a residual.
    if (none.cost - lens.cost) * lens.freedom < LEAST_SIGMAS**2 * lens.cost:
        return f"too few observations ({lens.observations})"
    if lens.lens is not None and not np.isfinite(undistort(lens.lens, normalised(K, _corners(size)))).all():
        return "it would fold the picture before its corner"
    return ""


def _wanted_beside_centre(fitted: Fitted, coefficients: int) -> bool:
    """Tell whether the lens reaches its gain with the principal point free on both sides: an off-centre frame
    looks like a lens (demo, frame shifted by 3 %: gain 0.013 alone, 0.0007 beside it).
    """
    lens = fitted(FreeParameters(coefficients, centre=True))
    poorer = (0, 1) if coefficients == 2 else (0,)
    return all(_gain(fitted(FreeParameters(k, centre=True)), lens) >= LENS_GAIN for k in poorer)


def _centre(fitted: Fitted, lens: int, size: tuple[int, int]) -> tuple[float, str]:
    """Return what a free principal point gains, and why it is refused though that suffices."""
    free = fitted(FreeParameters(lens, centre=True))
    gain = _gain(fitted(FreeParameters(lens)), free)
    if not gain >= CENTRE_GAIN:
        return gain, ""
    longest = max(size)
    # It must be wanted beside a lens, else it may be one.
    beside = fitted(FreeParameters(2, centre=True))
    if not _gain(fitted(FreeParameters(2)), beside) >= CENTRE_GAIN:
        return gain, "a lens would explain the same"
    sigma = max(*free.sigma_centre, *beside.sigma_centre)
    if not sigma <= CENTRE_SIGMA * longest:
        return gain, f"it is known to {sigma:.1f} px only"
    shift = np.linalg.norm(np.array(free.centre) - (np.array(size) - 1) / 2)
    if not shift <= CENTRE_SHIFT * longest:
        return gain, f"it would lie {shift:.0f} px from the middle"
    return gain, ""


def _gain(poorer: FittedCamera, richer: FittedCamera) -> float:
    return 1 - richer.cost / poorer.cost if poorer.cost > 0 else 0.0


def _K(fitted: FittedCamera) -> np.ndarray:
    return np.array([[fitted.focal, 0, fitted.centre[0]], [0, fitted.focal, fitted.centre[1]], [0, 0, 1.0]])


def _corners(size: tuple[int, int]) -> np.ndarray:
    w, h = size
    return np.array([(x, y) for x in (-0.5, w - 0.5) for y in (-0.5, h - 0.5)])
