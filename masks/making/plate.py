"""A backdrop that stands still is its own mask: the densest colour of a pixel over all photos is the backdrop
wherever it has support, and where nothing has support the object is.

Distances between colours are Euclidean over the three channels, in grey values of 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from masks.errors import ImageError
from masks.making.evidence import Evidence
from masks.mask import border_share

STILL = "a backdrop that stands still"
EMPTY = "a photo of the empty backdrop"

_SMOOTH = 0.7  # pixels: noise, and a tenth of a pixel of shake
_KERNEL = 6.0  # grey values within which photos show the same thing
_SUPPORTED = 0.6
_MOST_CANDIDATES = 48
_STRIP_VALUES = 1 << 22  # of a strip of all photos: it bounds the memory, and fits the processor's cache
# Over pixels that more than 90 % of the silhouettes cover, chance supports a colour by 0.1 in the median,
# by 0.21 in 99 %; over pixels that none covers 99 % exceed 0.42.
_CHANCE, _CERTAIN = 0.18, 0.35
_DARK = 15.0  # below it a gain says nothing of the exposure
_LEAST_CHANGE = 0.5  # grey values: smaller exposures are noise
_LEAST_NOISE, _MOST_NOISE = 3.0, 12.0
_SHAKE_PX = 0.15
_MOST_MOVE_PX = 3.0
_LEAST_AGREEMENT = 0.5


@dataclass(frozen=True, slots=True)
class Plate:
    """What stands behind the object in all photos."""

    colour: np.ndarray  # (H, W, 3) float32, grey values
    support: np.ndarray  # (H, W) float32, 0 to 1: the share of the photos that show this colour
    noise: np.ndarray  # (H, W) float32: standard deviation of a channel around the plate, grey values
    gains: np.ndarray  # (V, 3) float32: exposure of each photo and channel against the plate

    @property
    def still(self) -> np.ndarray:
        """(H, W) bool: where most photos show the plate."""
        return self.support > _SUPPORTED

    @property
    def sure(self) -> np.ndarray:
        """(H, W) float32, 0 to 1: how far the colour is more than chance."""
        return np.clip((self.support - _CHANCE) / (_CERTAIN - _CHANCE), 0, 1)


def plate_of(pictures: Sequence[np.ndarray]) -> Plate:
    """Return the plate of photos (H, W, 3) uint8 of one size that a still camera took."""
    smooth = tuple(_smoothed(picture) for picture in pictures)
    gains = _adopted(smooth, np.ones((len(pictures), 3), np.float32), _rough_gains(smooth))
    colour, support = _densest(smooth, gains)
    finer = _adopted(smooth, gains, _gains(smooth, colour, support > 0.5))
    if finer is not gains:
        gains = finer
        colour, support = _densest(smooth, gains)
    return Plate(colour, support, _noise(smooth, gains, colour, support), gains)


def plate_from_empty(empty: np.ndarray, pictures: Sequence[np.ndarray]) -> Plate:
    """Return the plate that a photo (H, W, 3) uint8 of the backdrop alone is, for photos of its size.

    Raises `ImageError` when the photo does not show what stands behind the object.
    """
    smooth = tuple(_smoothed(picture) for picture in pictures)
    everywhere = np.ones(empty.shape[:2], np.float32)
    if any(picture.shape != empty.shape for picture in pictures):
        raise ImageError(
            "the empty photo (`empty`) and the photos differ in size. Take it with the same camera."
        )
    colour = _smoothed(_brought_over(empty, pictures)).astype(np.float32)
    gains = _adopted(smooth, np.ones((len(pictures), 3), np.float32), _gains(smooth, colour, everywhere > 0))
    shown = np.mean([_likeness(photo / gain, colour) for photo, gain in zip(smooth, gains)], axis=0)
    plate = Plate(colour, everywhere, _noise(smooth, gains, colour, shown), gains)
    agreeing = float(
        np.median([_border_agreement(photo / gain, plate) for photo, gain in zip(smooth, gains)])
    )
    if agreeing < _LEAST_AGREEMENT:
        raise ImageError(
            f"the empty photo (`empty`) agrees with {100 * agreeing:.0f} % of the photos' border: it "
            "does not show what stands behind the object there. The camera must stay where it is."
        )
    return plate


def _brought_over(empty: np.ndarray, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return the empty photo moved by the few pixels by which the camera was touched meanwhile."""
    reference = np.median(np.stack([cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in pictures]), axis=0)
    move = np.eye(2, 3, dtype=np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-3)
    try:
        _, move = cv2.findTransformECC(
            reference.astype(np.uint8),
            cv2.cvtColor(empty, cv2.COLOR_RGB2GRAY),
            move,
            cv2.MOTION_TRANSLATION,
            stop,
        )
    except cv2.error:
        # It found nothing that agrees, which the border is going to say in words.
        return empty
    if np.abs(move[:, 2]).max() > _MOST_MOVE_PX:
        return empty
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(empty, move, empty.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _border_agreement(photo: np.ndarray, plate: Plate) -> float:
    """Return which share of the border of a photo (H, W, 3) shows the plate."""
    near = np.linalg.norm(photo - plate.colour, axis=2) <= 4 * np.sqrt(3) * plate.noise
    return border_share(near)


def plate_evidence(pictures: Sequence[np.ndarray], plate: Plate, road: str) -> Evidence:
    """Return the evidence of photos against a plate."""
    flat = _flatness(plate.colour)
    sure = plate.sure
    logits = []
    for picture, gain in zip(pictures, plate.gains):
        photo = _smoothed(picture).astype(np.float32) / gain
        differs = _differs(photo, plate)
        differs = np.minimum(differs, np.maximum(differs_from_shadow(photo, plate.colour, plate.noise), flat))
        # Differing from a colour without support still speaks for the object: with the same weight on both
        # sides the demo loses 88 % of it.
        logits.append(differs * np.where(differs > 0, 0.4 + 0.6 * sure, sure))
    return Evidence(tuple(logits), road)


def _smoothed(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), _SMOOTH)


def _strips(smooth: Sequence[np.ndarray], gains: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows and the photos there at the plate's exposure (V, rows, W, 3) float32."""
    height, width = smooth[0].shape[:2]
    step = max(1, _STRIP_VALUES // (3 * width * len(smooth)))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        yield rows, np.stack([photo[rows] / gain for photo, gain in zip(smooth, gains)], dtype=np.float32)


def _densest(smooth: Sequence[np.ndarray], gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the densest colour (H, W, 3) of each pixel over all photos, and its support (H, W)."""
    shape = smooth[0].shape
    colour, support = np.empty(shape, np.float32), np.empty(shape[:2], np.float32)
    for rows, photos in _strips(smooth, gains):
        seen = photos.reshape(len(photos), -1, 3)
        dense, dense_support = _shifted(seen, np.median(seen, axis=0), 1)
        # Where half of the photos show the object the median is none of the colours. Starting everywhere
        # from each photo's own colour costs twice as much and changes nothing.
        weak = np.flatnonzero(dense_support < _SUPPORTED)
        dense[weak], dense_support[weak] = _shifted(seen[:, weak], _most_supported(seen[:, weak]), 2)
        colour[rows], support[rows] = (
            dense.reshape(photos.shape[1:]),
            dense_support.reshape(photos.shape[1:3]),
        )
    return colour, support


def _shifted(seen: np.ndarray, start: np.ndarray, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Return colours (N, 3) after mean shifts among the photos' (V, N, 3), and their support (N,)."""
    for _ in range(times):
        weight = _likeness(seen, start)
        # A median may be far from all photos: then it stays.
        start = (np.einsum("vn,vnc->nc", weight, seen) + 1e-6 * start) / (weight.sum(axis=0) + 1e-6)[:, None]
    return start, _likeness(seen, start).mean(axis=0)


def _likeness(seen: np.ndarray, colour: np.ndarray) -> np.ndarray:
    difference = seen - colour
    return np.exp(np.einsum("...c,...c->...", difference, difference) / (-2 * _KERNEL**2))


def _most_supported(seen: np.ndarray) -> np.ndarray:
    """Return of each pixel's colours (V, N, 3) the one (N, 3) that most photos resemble."""
    # What most photos show is shown by some of few dozen: all against all would grow with their square.
    some = seen[:: -(-len(seen) // _MOST_CANDIDATES)]
    support = np.stack([_likeness(seen, colour).sum(axis=0) for colour in some])
    return some[support.argmax(axis=0), np.arange(seen.shape[1])]


def _rough_gains(smooth: Sequence[np.ndarray]) -> np.ndarray:
    """Return gains against each pixel's median: where the exposure flickers no colour has support yet."""
    some = np.stack([photo[::4, ::4] for photo in smooth])
    return _gains(tuple(some), np.median(some, axis=0), np.ones(some.shape[1:3], bool))


def _gains(smooth: Sequence[np.ndarray], colour: np.ndarray, supported: np.ndarray) -> np.ndarray:
    """Return one gain a photo and channel (V, 3), by least squares through the origin on supported pixels.

    Never with an offset: before black or white it has slope 0 and maps the object onto the plate.
    """
    where = np.flatnonzero(supported.ravel())[::3]
    plate = colour.reshape(-1, 3)[where].astype(np.float32)
    seen = (photo.reshape(-1, 3)[where].astype(np.float32) for photo in smooth)
    return np.array([[_gain(s[:, c], plate[:, c]) for c in range(3)] for s in seen], np.float32)


def _gain(seen: np.ndarray, plate: np.ndarray) -> float:
    gain = 1.0
    kept = np.ones(len(plate), bool)
    for _ in range(5):
        power = float(plate[kept] @ plate[kept])
        if power <= _DARK**2 * kept.sum():
            return 1.0
        gain = float(seen[kept] @ plate[kept]) / power
        rest = np.abs(seen - gain * plate)
        kept = rest <= 2.5 * max(1.4826 * float(np.median(rest)), 0.5)
    return float(np.clip(gain, 0.6, 1.6))


def _adopted(smooth: Sequence[np.ndarray], gains: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the gains that were found, or those that are known where they change next to nothing."""
    means = np.stack([photo.mean(axis=(0, 1)) for photo in smooth])
    change = float(np.abs(means * (1 / found - 1 / gains)).mean())
    return found if change > _LEAST_CHANGE else gains


def _noise(
    smooth: Sequence[np.ndarray], gains: np.ndarray, colour: np.ndarray, support: np.ndarray
) -> np.ndarray:
    """Return the standard deviation (H, W) of a channel of the photos around the plate.

    Measured where the plate has support alone: elsewhere the object's own colours would count as noise and
    make it invisible.
    """
    weights, squares = (np.zeros(support.shape, np.float32) for _ in range(2))
    for photo, gain in zip(smooth, gains):
        square = ((photo / gain - colour) ** 2).sum(axis=2)
        weight = np.exp(square / np.float32(-2 * 20.0**2))
        weights += weight
        squares += weight * square / 3
    supported = (support > _SUPPORTED).astype(np.float32)
    variance = squares / np.maximum(weights, 1e-6) * supported
    near, far = (
        cv2.blur(variance, (side, side)) / np.maximum(cv2.blur(supported, (side, side)), 1e-3)
        for side in (5, 31)
    )
    variance = np.where(supported > 0, np.maximum(near, far), far)
    variance = np.clip(variance, _LEAST_NOISE**2, _MOST_NOISE**2)
    return np.sqrt(variance + _SHAKE_PX**2 * _gradient_squared(colour)).astype(np.float32)


def _gradient_squared(colour: np.ndarray) -> np.ndarray:
    along_x = cv2.Sobel(colour, cv2.CV_32F, 1, 0, scale=1 / 8)
    along_y = cv2.Sobel(colour, cv2.CV_32F, 0, 1, scale=1 / 8)
    return (along_x**2 + along_y**2).mean(axis=2)


def _differs(photo: np.ndarray, plate: Plate) -> np.ndarray:
    square = ((photo - plate.colour) ** 2).sum(axis=2) / (3 * plate.noise**2)
    return _logit(cv2.blur(square, (3, 3)))


def _logit(excess: np.ndarray) -> np.ndarray:
    """Return a logit of a squared difference in units of the noise: 1 is the backdrop itself."""
    return np.clip(0.5 * (excess - 6), -3, 4)


def differs_from_shadow(photo: np.ndarray, backdrop: np.ndarray, noise: np.ndarray | float) -> np.ndarray:
    """Return the logit (H, W) of differing from a backdrop (H, W, 3) under another light: a textured one
    keeps its texture in a shadow, a plain one its colour.
    """
    window = (5, 5)
    both = cv2.blur((photo * backdrop).sum(axis=2), window)
    own = cv2.blur((backdrop**2).sum(axis=2), window)
    light = np.clip(both / np.maximum(own, 1.0), 0.3, 1.1)
    square = cv2.blur((photo**2).sum(axis=2), window) - 2 * light * both + light**2 * own
    rest = square / (3 * noise**2 * np.maximum(light, 0.5))
    # Bounded: a deep shadow alone is no object yet.
    return _logit(rest + np.minimum(1.5 * (np.log(light) / 0.35) ** 2, 5))


def _flatness(colour: np.ndarray) -> np.ndarray:
    """Return the least logit (H, W) that a shadow is given: backdrop where the plate has texture, unknown on
    a plain one, where a grey object looks the same.
    """
    variance = (cv2.blur(colour**2, (5, 5)) - cv2.blur(colour, (5, 5)) ** 2).mean(axis=2)
    return -0.3 - 2.7 * np.clip((variance - 20) / 80, 0, 1)
