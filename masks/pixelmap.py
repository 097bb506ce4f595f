"""The exact map between the pixels of a photo's file and the pixels that an algorithm sees.

A map is a fixed chain: EXIF turn, integer crop, resize, integer trim, integer padding. Pixel centres lie at
integers, so a resize by s takes x to (x + 1/2) s - 1/2. Every change of resolution goes through a `PixelMap`;
nothing re-derives scale factors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

# Camera axes after the turn that EXIF orientation k asks for: x_upright = TURN[k] @ x_file. Orientations 2,
# 4, 5 and 7 are mirrored.
_TURNS = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, -1), (1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, 1), (-1, 0)),
}


@dataclass(frozen=True, slots=True)
class PixelMap:
    """Turn, crop, scale, trim and pad, in this order; sizes are (width, height)."""

    source_size: tuple[int, int]
    """Size of the picture as stored in its file."""
    orientation: int
    """EXIF orientation 1 to 8 of the file; 1 leaves it as it is."""
    crop: tuple[int, int, int, int]
    """(x, y, width, height) of the part that is kept, in pixels of the upright photo."""
    scaled_size: tuple[int, int]
    """Size of the cropped part after resizing."""
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Pixels added at the (left, top, right, bottom) after resizing."""
    trim: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Pixels cut off at the (left, top, right, bottom) after resizing, before padding: networks want whole
    patches of the resized photo."""

    def __post_init__(self) -> None:
        if self.orientation not in _TURNS:
            raise ValueError(f"EXIF orientation {self.orientation} is not one of 1 to 8")
        x, y, w, h = self.crop
        upright_w, upright_h = self.upright_size
        if (
            min(w, h, *self.kept_size) < 1
            or min(x, y, *self.pad, *self.trim) < 0
            or x + w > upright_w
            or y + h > upright_h
        ):
            raise ValueError(
                f"crop {self.crop} of a {upright_w}x{upright_h} photo to {self.scaled_size} is not a pixel "
                "map"
            )

    @property
    def upright_size(self) -> tuple[int, int]:
        """Size of the photo as viewers show it."""
        return upright_size(self.source_size, self.orientation)

    @property
    def kept_size(self) -> tuple[int, int]:
        """Size of the resized part after trimming."""
        left, top, right, bottom = self.trim
        return (self.scaled_size[0] - left - right, self.scaled_size[1] - top - bottom)

    @property
    def target_size(self) -> tuple[int, int]:
        """Size of the picture that comes out."""
        left, top, right, bottom = self.pad
        return (self.kept_size[0] + left + right, self.kept_size[1] + top + bottom)

    @property
    def scale(self) -> tuple[float, float]:
        """Target pixels per photo pixel, horizontally and vertically."""
        return (self.scaled_size[0] / self.crop[2], self.scaled_size[1] / self.crop[3])

    @property
    def axes_turn(self) -> np.ndarray:
        """(3, 3) camera axes of the upright photo from those of the file; a mirrored file gives determinant
        -1.
        """
        turn = np.eye(3)
        turn[:2, :2] = _TURNS[self.orientation]
        return turn

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3) homogeneous target pixels from file pixels."""
        w, h = self.source_size
        # A turn maps the outlines of pictures onto each other, so it is about the middle of both. With
        # centres at integers the middle of w pixels is (w - 1) / 2.
        centre = np.array([(w - 1) / 2, (h - 1) / 2])
        upright_centre = (np.array(self.upright_size) - 1) / 2
        turn = self.axes_turn
        turn[:2, 2] = upright_centre - turn[:2, :2] @ centre
        scale = np.array(self.scale)
        resize = np.diag([*scale, 1.0])
        # x -> (x - crop + 1/2) s - 1/2 - trim + pad, multiplied out.
        resize[:2, 2] = (
            (0.5 - np.array(self.crop[:2])) * scale - 0.5 - np.array(self.trim[:2]) + np.array(self.pad[:2])
        )
        return resize @ turn

    def upright(self) -> PixelMap:
        """Return the same map without the EXIF turn: from the photo as viewers show it."""
        return replace(self, source_size=self.upright_size, orientation=1)


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the (width, height) in which viewers show a file of `size`: EXIF orientations from 5 on are
    quarter turns.
    """
    return (size[1], size[0]) if orientation >= 5 else size


def identity(size: tuple[int, int], orientation: int = 1) -> PixelMap:
    """Return the map from a file of `size` to its upright photo at full resolution."""
    w, h = upright_size(size, orientation)
    return PixelMap(size, orientation, (0, 0, w, h), (w, h))


def fit_longest(size: tuple[int, int], longest: int) -> PixelMap:
    """Return the map that shrinks an upright picture to a longest side; it is never enlarged."""
    shrink = min(1.0, longest / max(size))
    return PixelMap(
        size, 1, (0, 0, *size), (max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink)))
    )


def to_target(pixel_map: PixelMap, xy: np.ndarray) -> np.ndarray:
    """Carry pixel positions (..., 2) of the file to the target."""
    matrix = pixel_map.matrix
    return np.asarray(xy, np.float64) @ matrix[:2, :2].T + matrix[:2, 2]


def to_source(pixel_map: PixelMap, xy: np.ndarray) -> np.ndarray:
    """Carry pixel positions (..., 2) of the target back to the file."""
    inverse = np.linalg.inv(pixel_map.matrix)
    return np.asarray(xy, np.float64) @ inverse[:2, :2].T + inverse[:2, 2]


def intrinsics_to_target(pixel_map: PixelMap, K: np.ndarray) -> np.ndarray:
    """Carry intrinsics (..., 3, 3) of the file to the target.

    The camera axes turn with the picture: a pose of the file's camera becomes axes_turn @ pose.
    """
    return pixel_map.matrix @ np.asarray(K, np.float64) @ pixel_map.axes_turn.T


def intrinsics_to_source(pixel_map: PixelMap, K: np.ndarray) -> np.ndarray:
    """Carry intrinsics (..., 3, 3) of the target back to the file."""
    return np.linalg.inv(pixel_map.matrix) @ np.asarray(K, np.float64) @ pixel_map.axes_turn


def image_to_target(pixel_map: PixelMap, image: np.ndarray, fill: float = 0) -> np.ndarray:
    """Carry a picture (H, W) or (H, W, C) of the file to the target.

    Shrinking averages areas, enlarging is bicubic (bilinear for boolean maps, so that no value overshoots);
    padding takes the value `fill`. A boolean picture stays boolean: a target pixel is true when at least half
    of its area is.
    """
    upright = turn_upright(image, pixel_map.orientation)
    x, y, w, h = pixel_map.crop
    part = np.ascontiguousarray(upright[y : y + h, x : x + w])
    # As floats: the area average of zeros and ones is the covered share, which is what a mask is asked for.
    boolean = part.dtype == bool
    scaled = _resize(part.astype(np.float32) if boolean else part, pixel_map.scaled_size, smooth=boolean)
    left, top, _, _ = pixel_map.trim
    kept_w, kept_h = pixel_map.kept_size
    scaled = scaled[top : top + kept_h, left : left + kept_w]
    left, top, right, bottom = pixel_map.pad
    if any(pixel_map.pad):
        scaled = np.pad(
            scaled, ((top, bottom), (left, right)) + ((0, 0),) * (scaled.ndim - 2), constant_values=fill
        )
    return scaled >= 0.5 if boolean else scaled


def image_to_source(pixel_map: PixelMap, image: np.ndarray, fill: float = 0) -> np.ndarray:
    """Carry a picture of the target back to the file's pixels; what crop and trim had cut away takes the
    value `fill`.
    """
    left, top, _, _ = pixel_map.pad
    x, y, w, h = pixel_map.crop
    kept_w, kept_h = pixel_map.kept_size
    part = np.ascontiguousarray(image[top : top + kept_h, left : left + kept_w])
    boolean = part.dtype == bool
    resized = _resize(
        _untrimmed(part.astype(np.float32) if boolean else part, pixel_map), (w, h), smooth=boolean
    )
    if any(pixel_map.trim):
        resized = np.where(
            _kept(pixel_map).reshape(h, w, *[1] * (resized.ndim - 2)),
            resized,
            np.asarray(fill, resized.dtype),
        )
    upright_w, upright_h = pixel_map.upright_size
    upright = np.full((upright_h, upright_w, *resized.shape[2:]), fill, resized.dtype)
    upright[y : y + h, x : x + w] = resized
    stored = _turn_back(upright, pixel_map.orientation)
    return stored >= 0.5 if boolean else stored


def turn_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture as its EXIF orientation asks."""
    match orientation:
        case 2:
            return image[:, ::-1]
        case 3:
            return image[::-1, ::-1]
        case 4:
            return image[::-1]
        case 5:
            return image.swapaxes(0, 1)
        case 6:
            return image[::-1].swapaxes(0, 1)
        case 7:
            return image[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return image[:, ::-1].swapaxes(0, 1)
        case _:
            return image


def _turn_back(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo `turn_upright`: only the two quarter turns are not their own inverse."""
    return turn_upright(image, {6: 8, 8: 6}.get(orientation, orientation))


def _untrimmed(part: np.ndarray, pixel_map: PixelMap) -> np.ndarray:
    """Return the part with what was trimmed, as its nearest pixels: the fill must not bleed into the rim when
    it is resized.
    """
    left, top, right, bottom = pixel_map.trim
    if not any(pixel_map.trim):
        return part
    return np.pad(part, ((top, bottom), (left, right)) + ((0, 0),) * (part.ndim - 2), mode="edge")


def _kept(pixel_map: PixelMap) -> np.ndarray:
    """Return which pixels (h, w) of the crop have their centre in what the trim left."""
    left, top, right, bottom = pixel_map.trim
    inside = []
    for side, scale, low, high in (
        (0, pixel_map.scale[0], left, right),
        (1, pixel_map.scale[1], top, bottom),
    ):
        at = (np.arange(pixel_map.crop[2 + side]) + 0.5) * scale
        inside.append((at >= low) & (at < pixel_map.scaled_size[side] - high))
    return inside[1][:, None] & inside[0][None]


def _resize(image: np.ndarray, size: tuple[int, int], *, smooth: bool) -> np.ndarray:
    h, w = image.shape[:2]
    if (w, h) == size:
        return image
    shrinking = size[0] <= w and size[1] <= h
    enlarging = cv2.INTER_LINEAR if smooth else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinking else enlarging)
