"""The exact map between the pixels of a photo's file and the pixels that an algorithm sees.

A map is a fixed chain: EXIF turn, undistortion (where the lens is known), integer crop, resize, integer trim,
integer padding. Pixel centres lie at integers, so a resize by s takes x to (x + 1/2) s - 1/2. Every change of
resolution goes through a `PixelMap`; nothing re-derives scale factors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from masks.lens import (
    Undistortion,
    ideal_from_photo,
    photo_from_ideal,
    remap_to_ideal,
    remap_to_photo,
    shown_by_photo,
)

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
    """Turn, undistort, crop, scale, trim and pad, in this order; sizes are (width, height).

    The ideal picture is the pinhole picture that stands for the upright photo: the photo itself where no lens
    is known.
    """

    source_size: tuple[int, int]
    """Size of the picture as stored in its file."""
    orientation: int
    """EXIF orientation 1 to 8 of the file; 1 leaves it as it is."""
    crop: tuple[int, int, int, int]
    """(x, y, width, height) of the part that is kept, in pixels of the ideal picture."""
    scaled_size: tuple[int, int]
    """Size of the cropped part after resizing."""
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Pixels added at the (left, top, right, bottom) after resizing."""
    trim: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Pixels cut off at the (left, top, right, bottom) after resizing, before padding: networks want whole
    patches of the resized photo."""
    undistortion: Undistortion | None = None
    """How the upright photo becomes the ideal picture; none: it is one."""

    def __post_init__(self) -> None:
        if self.orientation not in _TURNS:
            raise ValueError(f"EXIF orientation {self.orientation} is not one of 1 to 8")
        x, y, w, h = self.crop
        ideal_w, ideal_h = self.ideal_size
        if (
            min(w, h, *self.kept_size) < 1
            or min(x, y, *self.pad, *self.trim) < 0
            or x + w > ideal_w
            or y + h > ideal_h
        ):
            raise ValueError(
                f"crop {self.crop} of a {ideal_w}x{ideal_h} photo to {self.scaled_size} is not a pixel map"
            )

    @property
    def upright_size(self) -> tuple[int, int]:
        """Size of the photo as viewers show it."""
        return upright_size(self.source_size, self.orientation)

    @property
    def ideal_size(self) -> tuple[int, int]:
        """Size of the ideal picture."""
        return self.upright_size if self.undistortion is None else self.undistortion.ideal_size

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
        """Target pixels per pixel of the ideal picture, horizontally and vertically."""
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
        """(3, 3) homogeneous target pixels from file pixels; from pixels of the ideal picture where there is
        a lens,
        since what comes before it is not linear.
        """
        scale = np.array(self.scale)
        resize = np.diag([*scale, 1.0])
        # x -> (x - crop + 1/2) s - 1/2 - trim + pad, multiplied out.
        resize[:2, 2] = (
            (0.5 - np.array(self.crop[:2])) * scale - 0.5 - np.array(self.trim[:2]) + np.array(self.pad[:2])
        )
        return resize if self.undistortion is not None else resize @ self.turn

    @property
    def turn(self) -> np.ndarray:
        """(3, 3) homogeneous pixels of the upright photo from file pixels."""
        w, h = self.source_size
        # A turn maps the outlines of pictures onto each other, so it is about the middle of both. With
        # centres at integers the middle of w pixels is (w - 1) / 2.
        centre = np.array([(w - 1) / 2, (h - 1) / 2])
        upright_centre = (np.array(self.upright_size) - 1) / 2
        turn = self.axes_turn
        turn[:2, 2] = upright_centre - turn[:2, :2] @ centre
        return turn

    def onto(self, grid_from_ideal: PixelMap) -> PixelMap:
        """Return the map from this map's file to another grid of its ideal picture."""
        if grid_from_ideal.orientation != 1 or grid_from_ideal.source_size != self.ideal_size:
            raise ValueError(f"a map of a {grid_from_ideal.source_size} picture is none of {self.ideal_size}")
        turn = {"source_size": self.source_size, "orientation": self.orientation}
        return replace(grid_from_ideal, **turn, undistortion=self.undistortion)

    def upright(self) -> PixelMap:
        """Return the same map from the upright photo: without the EXIF turn."""
        return replace(self, source_size=self.upright_size, orientation=1)

    def ideal(self) -> PixelMap:
        """Return the same map from the ideal picture: without the EXIF turn and the undistortion."""
        return replace(self, source_size=self.ideal_size, orientation=1, undistortion=None)

    def to_ideal(self) -> PixelMap:
        """Return the map that ends at the ideal picture, at full resolution."""
        w, h = self.ideal_size
        return replace(self, crop=(0, 0, w, h), scaled_size=(w, h), pad=(0, 0, 0, 0), trim=(0, 0, 0, 0))


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
    """Carry pixel positions (..., 2) of the file to the target; NaN where a lens shows nothing."""
    xy = np.asarray(xy, np.float64)
    if pixel_map.undistortion is not None:
        xy = ideal_from_photo(pixel_map.undistortion, _carried(pixel_map.turn, xy))
    return _carried(pixel_map.matrix, xy)


def to_source(pixel_map: PixelMap, xy: np.ndarray) -> np.ndarray:
    """Carry pixel positions (..., 2) of the target back to the file; NaN beyond what a lens shows."""
    at = _carried(np.linalg.inv(pixel_map.matrix), np.asarray(xy, np.float64))
    if pixel_map.undistortion is None:
        return at
    return _carried(np.linalg.inv(pixel_map.turn), photo_from_ideal(pixel_map.undistortion, at))


def _carried(matrix: np.ndarray, xy: np.ndarray) -> np.ndarray:
    return xy @ matrix[:2, :2].T + matrix[:2, 2]


def intrinsics_to_target(pixel_map: PixelMap, K: np.ndarray) -> np.ndarray:
    """Carry intrinsics (..., 3, 3) of the file, of the ideal picture where there is a lens, to the target.

    The camera axes turn with the picture: a pose of the file's camera becomes axes_turn @ pose.
    """
    return pixel_map.matrix @ np.asarray(K, np.float64) @ _axes_before(pixel_map).T


def intrinsics_to_source(pixel_map: PixelMap, K: np.ndarray) -> np.ndarray:
    """Carry intrinsics (..., 3, 3) of the target back to the file, to the ideal picture where there is a
    lens.
    """
    return np.linalg.inv(pixel_map.matrix) @ np.asarray(K, np.float64) @ _axes_before(pixel_map)


def _axes_before(pixel_map: PixelMap) -> np.ndarray:
    """Return (3, 3) camera axes of the upright photo from those of the picture that `matrix` starts at."""
    return np.eye(3) if pixel_map.undistortion is not None else pixel_map.axes_turn


def image_to_target(pixel_map: PixelMap, image: np.ndarray, fill: float = 0) -> np.ndarray:
    """Carry a picture (H, W) or (H, W, C) of the file to the target.

    Shrinking averages areas, enlarging is bicubic (bilinear for boolean maps, so that no value overshoots);
    padding, and what a lens does not show, takes the value `fill`. A boolean picture stays boolean: a target
    pixel is true when at least half of its area is.
    """
    upright = turn_upright(image, pixel_map.orientation)
    if pixel_map.undistortion is not None:
        # At the photo's resolution, and then the shrinking: one step from photo to grid would alias.
        upright = remap_to_ideal(pixel_map.undistortion, upright, fill)
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
    """Carry a picture of the target back to the file's pixels; what crop, trim and a lens had cut away takes
    the
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
    ideal_w, ideal_h = pixel_map.ideal_size
    upright = np.full((ideal_h, ideal_w, *resized.shape[2:]), fill, resized.dtype)
    upright[y : y + h, x : x + w] = resized
    if pixel_map.undistortion is not None:
        upright = remap_to_photo(pixel_map.undistortion, pixel_map.upright_size, upright, fill)
    stored = turn_back(upright, pixel_map.orientation)
    return stored >= 0.5 if boolean else stored


def present(pixel_map: PixelMap) -> np.ndarray:
    """Return which pixels (H, W) of the target the photo feeds: not padding, and not what lies beyond its rim
    once
    the lens is undone.
    """
    if pixel_map.undistortion is not None:
        return image_to_target(
            pixel_map.ideal(), shown_by_photo(pixel_map.undistortion, pixel_map.upright_size)
        )
    left, top, right, bottom = pixel_map.pad
    w, h = pixel_map.target_size
    inside = np.zeros((h, w), bool)
    inside[top : h - bottom, left : w - right] = True
    return inside


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


def turn_back(image: np.ndarray, orientation: int) -> np.ndarray:
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
