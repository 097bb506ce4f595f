"""Parts of a photo cut out for fine matching, straight or turned to face the camera
(docs/pair_networks.md, "Coarse-to-fine matching").

Crops that face the camera and warped pictures stand for parity with published localisation; commands cut
plain crops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from masks.errors import UserError


@dataclass(frozen=True, slots=True)
class FullPhoto:
    """A photo at full resolution, with what counts in it."""

    name: str
    image: np.ndarray  # (H, W, 3) uint8
    inside: np.ndarray  # (H, W) bool: matches lie here only
    K: np.ndarray | None = None  # (3, 3), pixels of this photo
    marks: np.ndarray | None = None  # (H, W) int32
    """What is known at each pixel, by its number, 0: nothing. Crops carry it along."""

    def __post_init__(self) -> None:
        if (
            self.image.ndim != 3
            or self.image.dtype != np.uint8
            or self.inside.shape != self.image.shape[:2]
            or self.inside.dtype != bool
        ):
            raise ValueError(
                f"{self.name}: image {self.image.dtype} {self.image.shape} and mask {self.inside.dtype} "
                f"{self.inside.shape} do not fit"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return (self.image.shape[0], self.image.shape[1])


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a photo as a matcher sees it."""

    tag: str
    """Name of the photo and what was cut out: `name[top:bottom,left:right]`."""
    image: np.ndarray  # (h, w, 3) uint8
    inside: np.ndarray  # (h, w) bool
    photo_from_crop: np.ndarray  # (3, 3), homogeneous pixels
    marks: np.ndarray | None = None  # (h, w) int32
    """Of the photo, where it has some."""


@dataclass(frozen=True, slots=True)
class Facing:
    """A virtual camera that looks straight at a window: the photo's camera, turned."""

    size: tuple[int, int]
    """(width, height) of its picture."""
    K: np.ndarray  # (3, 3)
    R: np.ndarray  # (3, 3), axes of the photo's camera from those of the turned one
    photo_from_crop: np.ndarray  # (3, 3), not divided by its last element


def window_tag(name: str, window: np.ndarray) -> str:
    """Return the tag of a window (left, top, right, bottom)."""
    left, top, right, bottom = window
    return f"{name}[{top}:{bottom},{left}:{right}]"


def plain_crop(photo: FullPhoto, window: np.ndarray) -> Crop:
    """Cut a window (left, top, right, bottom) of whole pixels out of a photo."""
    left, top, right, bottom = (int(side) for side in window)
    shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], float)
    part = np.s_[top:bottom, left:right]
    marks = None if photo.marks is None else photo.marks[part]
    return Crop(window_tag(photo.name, window), photo.image[part], photo.inside[part], shift, marks)


def facing_crop(photo: FullPhoto, window: np.ndarray) -> Crop:
    """Take the picture that a camera turned towards a window would have taken. Raises `UserError` without
    intrinsics.
    """
    if photo.K is None:
        raise UserError(
            f"{photo.name}: turning a crop to face the camera needs the photo's intrinsics. State them, or "
            "use plain crops."
        )
    facing = facing_camera(photo.K, window)

    def turned(picture: np.ndarray) -> np.ndarray:
        return warp_image(picture, facing.size, facing.photo_from_crop)

    marks = None if photo.marks is None else turned(photo.marks)
    tag = window_tag(photo.name, window)
    return Crop(tag, turned(photo.image), turned(photo.inside), facing.photo_from_crop, marks)


def facing_camera(K: np.ndarray, window: np.ndarray, target: tuple[int, int] | None = None) -> Facing:
    """Return the camera turned towards a window (left, top, right, bottom), rounded to whole pixels, of a
    camera with intrinsics K (3, 3).

    Its principal point is the middle of its picture, and its outer corner, the farthest from the old
    principal point, sees what the window's sees. `target` is a (width, height) to which the picture is
    scaled.
    """
    window = np.rint(np.asarray(window, float))
    low, high = window[:2], window[2:]
    size = high - low
    K_turned = _recentred(K, size / 2)
    # The first of equally far edges is the left or upper one.
    far_high = np.abs(high - K[:2, 2]) > np.abs(low - K[:2, 2])
    corner, turned_corner = np.where(far_high, high, low), np.where(far_high, size, 0)
    R = _turn_to(K, corner) @ _turn_to(K_turned, turned_corner).T
    if target is not None:
        scaled = np.diag([*[float(np.min(np.array(target) / size))] * 2, 1.0]) @ K_turned
        K_turned, size = _recentred(scaled, np.array(target) / 2), np.array(target)
    return Facing((int(size[0]), int(size[1])), K_turned, R, K @ R @ np.linalg.inv(K_turned))


def warp_image(picture: np.ndarray, size: tuple[int, int], photo_from_crop: np.ndarray) -> np.ndarray:
    """Return a picture as seen through a homography, (width, height); what lies outside is 0 or false.

    Colours (H, W, 3) uint8 are bicubic. A map (H, W) of booleans or int32 and each channel of a float map
    (H, W, C) take the nearest pixel's value.
    """
    # Pillow applies the matrix at half-integers, while positions are carried with pixel centres at integers:
    # published so, and kept.
    data = tuple((photo_from_crop / photo_from_crop[2, 2]).ravel()[:8])
    if picture.dtype == np.uint8 and picture.ndim == 3:
        return np.asarray(_perspective(Image.fromarray(picture), size, data, Image.Resampling.BICUBIC))
    if picture.dtype == bool:
        return (
            np.asarray(
                _perspective(
                    Image.fromarray(picture.astype(np.uint8) * 255), size, data, Image.Resampling.NEAREST
                )
            )
            > 0
        )
    if picture.dtype == np.int32:
        return np.asarray(_perspective(Image.fromarray(picture), size, data, Image.Resampling.NEAREST))
    channels = [
        Image.fromarray(np.ascontiguousarray(channel, np.float32)) for channel in np.moveaxis(picture, -1, 0)
    ]
    return np.stack(
        [np.asarray(_perspective(channel, size, data, Image.Resampling.NEAREST)) for channel in channels],
        axis=-1,
    )


def _perspective(
    image: Image.Image, size: tuple[int, int], data: tuple[float, ...], resampling: Image.Resampling
) -> Image.Image:
    return image.transform(size, Image.Transform.PERSPECTIVE, data, resampling)


def _recentred(K: np.ndarray, centre: np.ndarray) -> np.ndarray:
    moved = np.array(K, float)
    moved[:2, 2] = centre
    return moved


def _turn_to(K: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) that carries the optical axis to a pixel's ray and does not roll."""
    x, y, z = np.linalg.inv(K) @ np.array([*pixel, 1.0])
    around, away = np.arctan2(y / z, x / z), np.arctan(np.hypot(x / z, y / z))
    return Rotation.from_euler("ZYZ", [around, away, -around]).as_matrix()
