"""Lens distortion, and the pinhole picture that stands for a distorted photo (docs/lenses.md).

A lens acts on normalised coordinates x = (u - c) / f, so that it is the same at every resolution and has no
half pixel. Everything behind a photo's pixel map sees an ideal pinhole picture and never hears of distortion.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from masks.errors import FormatError

_COEFFICIENTS = {"SIMPLE_RADIAL": 1, "RADIAL": 2, "OPENCV": 4, "FULL_OPENCV": 8}
_FLATTEST = 0.2
"""Smallest slope of the radial function: below it the picture is squeezed beyond use, and soon folds."""
_RADII = np.linspace(0.0, 4.0, 2001)
"""Normalised radii, undistorted, on which a lens is examined; the last is 76 degrees off the axis."""
_ROUNDS = 50
_LARGEST_FRAME = 1.25
"""Most that an ideal picture's sides may exceed the photo's: a barrel would cut the rim, a wild lens would
ask for
gigapixels."""
_BORDER_STEP = 8
_PIXELS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Lens:
    """Distortion as COLMAP and OpenCV state it: the direction that a pinhole would see at x is seen at
    `distort(lens, x)`.

    With r^2 = x^2 + y^2 the radial factor is (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6).
    """

    model: str
    """SIMPLE_RADIAL (k1), RADIAL (k1 k2), OPENCV (k1 k2 p1 p2) or FULL_OPENCV (k1 k2 p1 p2 k3 k4 k5 k6)."""
    coefficients: tuple[float, ...]
    """In the order of the model."""

    def __post_init__(self) -> None:
        count = _COEFFICIENTS.get(self.model)
        if count is None:
            raise FormatError(
                f"{self.model}: a lens model that is not known. Use one of {', '.join(_COEFFICIENTS)}, or "
                "undistort "
                "the photos first."
            )
        if len(self.coefficients) != count or not np.isfinite(self.coefficients).all():
            raise FormatError(
                f"{self.model}: has the coefficients {self.coefficients}, and needs {count} finite "
                "numbers. Mend the "
                "calibration."
            )

    @property
    def opencv(self) -> np.ndarray:
        """(8,) coefficients k1 k2 p1 p2 k3 k4 k5 k6, zeros where the model has none."""
        return np.pad(np.array(self.coefficients, np.float64), (0, 8 - len(self.coefficients)))

    @property
    def valid_radius(self) -> float:
        """Undistorted normalised radius up to which the radial function rises; infinite when it
        always does.
        """
        rises = _radial_slope(self.opencv, _RADII) >= _FLATTEST
        return float("inf") if rises.all() else float(_RADII[max(0, int(np.argmin(rises)) - 1)])

    def at_focal(self, ratio: float) -> Lens:
        """Return the same distortion of pixels for a focal that is `ratio` times as long: the n-th power of a
        normalised length goes with the n-th power of the focal.
        """
        powers = np.array([2, 4, 1, 1, 6, 2, 4, 6])[: len(self.coefficients)]
        return Lens(self.model, tuple((np.array(self.coefficients) * float(ratio) ** powers).tolist()))


@dataclass(frozen=True, slots=True)
class Undistortion:
    """Which pinhole picture stands for an upright photo."""

    lens: Lens
    K_photo: tuple[tuple[float, ...], ...]  # (3, 3), pixels of the upright photo
    ideal_size: tuple[int, int]
    """(width, height) of the ideal picture."""
    offset: tuple[int, int]
    """Ideal pixels = undistorted photo pixels + offset, whole so that no second half pixel comes in."""

    @property
    def K_ideal(self) -> np.ndarray:
        """(3, 3) intrinsics of the ideal picture: the photo's, its principal point moved by the offset."""
        K = np.array(self.K_photo, np.float64)
        K[:2, 2] += self.offset
        return K


def distort(lens: Lens, xy: np.ndarray) -> np.ndarray:
    """Return where the lens shows what a pinhole would show at the normalised positions (..., 2)."""
    xy = np.asarray(xy, np.float64)
    c = lens.opencv
    p1, p2 = c[2], c[3]
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial = _radial(c, r2)
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )


def undistort(lens: Lens, xy: np.ndarray) -> np.ndarray:
    """Return where a pinhole would show what the lens shows at (..., 2), to 1e-12; NaN beyond the valid
    radius,
    where the lens shows nothing.
    """
    xy = np.asarray(xy, np.float64)
    reach = lens.valid_radius
    found = _radius_undone(lens, xy)
    # Newton in both directions from the purely radial answer: tangential terms are small beside it.
    for _ in range(_ROUNDS):
        wrong = distort(lens, found) - xy
        size = float(np.nanmax(np.abs(wrong), initial=0.0))
        if size < 1e-14:
            break
        found = found - np.linalg.solve(_jacobian(lens, found), wrong[..., None])[..., 0]
    settled = np.linalg.norm(distort(lens, found) - xy, axis=-1) < 1e-10
    inside = settled & (np.linalg.norm(found, axis=-1) <= reach)
    return np.where(inside[..., None], found, np.nan)


def ideal_frame(lens: Lens, K: np.ndarray, size: tuple[int, int]) -> Undistortion:
    """Return the pinhole picture of a photo of `size` with intrinsics K (3, 3): all that the photo shows, in
    whole
    pixels, at most 1.25 times its sides.
    """
    w, h = size
    K = np.asarray(K, np.float64)
    border = pixels_of(K, undistort(lens, normalised(K, photo_outline(size))))
    shown = border[np.isfinite(border).all(-1)]
    if len(shown) == 0:
        # All of the border is beyond the valid radius: what the lens shows is a disc.
        shown = K[:2, 2] + lens.valid_radius * np.array([K[0, 0], K[1, 1]]) * [[-1], [1]]
    low, high = np.floor(shown.min(0) + 0.5), np.ceil(shown.max(0) - 0.5)
    # A rim that lies beyond the valid radius bounds nothing: the frame ends where the photo does, at least.
    if len(shown) < len(border):
        low, high = np.minimum(low, 0), np.maximum(high, (w - 1, h - 1))
    room = np.floor((_LARGEST_FRAME - 1) / 2 * np.array(size))
    low, high = np.maximum(low, -room), np.minimum(high, np.array(size) - 1 + room)
    ideal_w, ideal_h = (int(side) for side in high - low + 1)
    return Undistortion(
        lens, tuple(tuple(row) for row in K.tolist()), (ideal_w, ideal_h), (int(-low[0]), int(-low[1]))
    )


def ideal_from_photo(frame: Undistortion, xy: np.ndarray) -> np.ndarray:
    """Carry positions (..., 2) of the upright photo to the ideal picture; NaN where the lens shows
    nothing.
    """
    K = np.array(frame.K_photo)
    return pixels_of(K, undistort(frame.lens, normalised(K, xy))) + np.array(frame.offset)


def photo_from_ideal(frame: Undistortion, xy: np.ndarray) -> np.ndarray:
    """Carry positions (..., 2) of the ideal picture to the upright photo; NaN beyond the lens's
    valid radius.
    """
    K = np.array(frame.K_photo)
    at = normalised(K, np.asarray(xy, np.float64) - np.array(frame.offset))
    valid = np.linalg.norm(at, axis=-1) <= frame.lens.valid_radius
    return np.where(valid[..., None], pixels_of(K, distort(frame.lens, at)), np.nan)


def normalised(K: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return pixel positions (..., 2) as normalised ones: x = K^-1 (u, v, 1)."""
    return (np.asarray(xy, np.float64) - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T


def pixels_of(K: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return normalised positions (..., 2) as pixel positions."""
    return xy @ K[:2, :2].T + K[:2, 2]


def remap_to_ideal(frame: Undistortion, photo: np.ndarray, fill: float = 0) -> np.ndarray:
    """Return the ideal picture of an upright photo (H, W) or (H, W, C), interpolated (Lanczos) at the photo's
    own resolution; what no photo pixel feeds takes the value `fill`. Boolean pictures are true where at least
    half.
    """
    return _remapped(photo, _bands(frame.ideal_size, functools.partial(_photo_positions, frame)), fill)


def remap_to_photo(
    frame: Undistortion, size: tuple[int, int], ideal: np.ndarray, fill: float = 0
) -> np.ndarray:
    """Return the upright photo of `size` (width, height) that a lens makes of an ideal picture; what the
    ideal
    picture does not show takes the value `fill`.
    """

    def positions(top: int, rows: int) -> np.ndarray:
        y, x = np.mgrid[top : top + rows, 0 : size[0]].astype(np.float64)
        return ideal_from_photo(frame, np.stack([x, y], axis=-1))

    return _remapped(ideal, _bands(size, positions), fill)


def shown_by_photo(frame: Undistortion, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels (h, w) of the ideal picture an upright photo of `size` (width, height) feeds."""
    return remap_to_ideal(frame, np.ones((size[1], size[0]), bool))


def photo_outline(size: tuple[int, int]) -> np.ndarray:
    """Return positions (N, 2) along the outer edge of a picture of `size` (width, height), half a pixel
    beyond its outermost centres.
    """
    w, h = size
    x, y = (
        np.linspace(-0.5, w - 0.5, w // _BORDER_STEP + 2),
        np.linspace(-0.5, h - 0.5, h // _BORDER_STEP + 2),
    )
    sides = [(x, np.full_like(x, edge)) for edge in (-0.5, h - 0.5)]
    sides += [(np.full_like(y, edge), y) for edge in (-0.5, w - 0.5)]
    return np.concatenate([np.stack(side, -1) for side in sides])


def _remapped(picture: np.ndarray, positions: Iterator[np.ndarray], fill: float) -> np.ndarray:
    """Return the picture's values at rows of positions (n, w, 2); `fill` where they are NaN or outside."""
    boolean = picture.dtype == bool
    source = np.ascontiguousarray(picture.astype(np.float32) if boolean else picture)
    how = cv2.INTER_LINEAR if boolean else cv2.INTER_LANCZOS4
    h, w = source.shape[:2]
    bands: list[np.ndarray] = []
    for xy in positions:
        # NaN fails comparisons.
        inside = np.all((xy >= -0.5) & (xy <= (w - 0.5, h - 0.5)), axis=-1)
        at = np.where(inside[..., None], xy, 0).astype(np.float32)
        # The picture's edge pixels go on beyond it: the outer half of a pixel belongs to it.
        band = cv2.remap(source, at[..., 0], at[..., 1], how, borderMode=cv2.BORDER_REPLICATE)
        band[~inside] = fill
        bands.append(band)
    whole = np.concatenate(bands)
    return np.greater_equal(whole, 0.5) if boolean else whole


def _bands(size: tuple[int, int], positions: Callable[[int, int], np.ndarray]) -> Iterator[np.ndarray]:
    """Yield where the pixels of a picture of `size` (width, height) come from, in bands of rows: positions of
    48 megapixels at once would take a gigabyte.
    """
    w, h = size
    rows = max(1, _PIXELS_AT_ONCE // w)
    for top in range(0, h, rows):
        yield positions(top, min(rows, h - top))


def _photo_positions(frame: Undistortion, top: int, rows: int) -> np.ndarray:
    """Return `photo_from_ideal` (rows, w, 2) float32 of rows of the ideal picture, by OpenCV, to 1e-3 px."""
    K_rows = frame.K_ideal
    K_rows[1, 2] -= top
    w, _ = frame.ideal_size
    x, y = cv2.initUndistortRectifyMap(
        np.array(frame.K_photo), frame.lens.opencv, np.eye(3), K_rows, (w, rows), cv2.CV_32FC1
    )
    at = np.stack([x, y], axis=-1)
    if np.isfinite(reach := frame.lens.valid_radius):
        v, u = np.mgrid[0:rows, 0:w].astype(np.float32)
        radius = np.linalg.norm(normalised(K_rows, np.stack([u, v], axis=-1)), axis=-1)
        at[radius > reach] = np.nan
    return at


def _radius_undone(lens: Lens, xy: np.ndarray) -> np.ndarray:
    """Return what the radial part alone shows at (..., 2), from a table: where Newton starts. NaN beyond what
    the
    lens shows.
    """
    radii = _RADII[: int((lens.valid_radius >= _RADII).sum())]
    shown = radii * _radial(lens.opencv, radii**2)
    r = np.linalg.norm(xy, axis=-1)
    undone = np.interp(r, shown, radii, right=np.nan)
    # In the middle, 0 / 0, the radial factor is 1.
    return xy * np.where(r > 0, undone / np.where(r > 0, r, 1), 1.0)[..., None]


def _radial(c: np.ndarray, r2: np.ndarray) -> np.ndarray:
    k1, k2, _, _, k3, k4, k5, k6 = c
    return (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))


def _radial_derivative(c: np.ndarray, r2: np.ndarray) -> np.ndarray:
    """Return the derivative of the radial factor by r^2."""
    k1, k2, _, _, k3, k4, k5, k6 = c
    above, below = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    above_slope, below_slope = k1 + r2 * (2 * k2 + r2 * 3 * k3), k4 + r2 * (2 * k5 + r2 * 3 * k6)
    return (above_slope * below - above * below_slope) / below**2


def _radial_slope(c: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Return how fast the distorted radius rises with the undistorted one; negative beyond a pole."""
    _, _, _, _, _, k4, k5, k6 = c
    r2 = r * r
    slope = _radial(c, r2) + 2 * r2 * _radial_derivative(c, r2)
    return np.where(1 + r2 * (k4 + r2 * (k5 + r2 * k6)) > 0, slope, -1.0)


def _jacobian(lens: Lens, xy: np.ndarray) -> np.ndarray:
    """Return the derivatives (..., 2, 2) of `distort` by the position."""
    c = lens.opencv
    p1, p2 = c[2], c[3]
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial, slope = _radial(c, r2), _radial_derivative(c, r2)
    across = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    rows = [radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x, across, across]
    rows.append(radial + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x)
    return np.stack(rows, axis=-1).reshape(*xy.shape[:-1], 2, 2)
