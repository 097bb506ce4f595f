"""Outlines of masks, finer than a pixel: what tangents and silhouette coherence are measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from masks.mask import distance_to_outline

HULL_POINTS = 96
"""So many points of a hull are kept at most, where it bends most: a contour's hull has 60 to 200, and those
left out lie a hundredth of a pixel from the rest."""
_FRAME_PX = 2.0
"""A point of the hull nearer than this to the picture's border is no silhouette: the frame cuts there."""
_BLUR_PX = 1.0
_LONGEST_DISTANCE = 800
"""Longer pictures keep the distance of every so many-th pixel: it is read between pixels, and is smooth."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The silhouette of one photo, in its pixels. Holes play no part: neither tangents nor depth see them."""

    hull: np.ndarray  # (96, 2) x, y of the convex hull, in order; the last one repeats where there are fewer
    on_frame: np.ndarray  # (96,) bool, hull points where the frame cuts the object
    contour: np.ndarray  # (P, 2) x, y along the silhouette, without what lies on the frame
    centroid: np.ndarray  # (2,) of the object's pixels
    distance: np.ndarray  # (ceil(H / every), ceil(W / every)) float16
    """Pixels of the photo to the silhouette, positive outside, of every so many-th pixel."""
    every: int
    size: tuple[int, int]
    """Width and height of the photo."""

    @property
    def cut(self) -> bool:
        """Whether the frame cuts the object."""
        return bool(self.on_frame.any())


def outline_of(mask: np.ndarray) -> Outline | None:
    """Return the outline of a mask's largest connected part (H, W) bool; none where nothing is left of it.

    The mask is blurred a little and cut at one half, between pixels: a tangent is then sure to some 0.1 px,
    where the corners of pixels are off by up to 0.7.
    """
    body = _largest_part(mask)
    if body is None:
        return None
    # The object is taken to go on beyond the frame, so that the blur does not draw its rim inwards.
    soft = cv2.GaussianBlur(body.astype(np.float32), (0, 0), _BLUR_PX, borderType=cv2.BORDER_REPLICATE)
    inside = (soft >= 0.5).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return None
    contour = _between_pixels(max(found, key=len)[:, 0].astype(float), soft)
    height, width = body.shape
    hull = _few_points(cv2.convexHull(contour.astype(np.float32))[:, 0].astype(float))
    y, x = np.nonzero(body)
    every = -(-max(body.shape) // _LONGEST_DISTANCE)
    free = ~_on_frame(contour, (width, height))
    return Outline(
        hull=hull,
        on_frame=_on_frame(hull, (width, height)),
        contour=contour[free],
        centroid=np.array([x.mean(), y.mean()]),
        # A mask that fills the photo is infinitely far from its silhouette; float16 ends at 65504.
        distance=np.clip(distance_to_outline(inside)[::every, ::every], -6e4, 6e4).astype(np.float16),
        every=every,
        size=(width, height),
    )


def centroids(outlines: Sequence[Outline]) -> np.ndarray:
    """Return the centroids (V, 2) of silhouettes."""
    return np.stack([outline.centroid for outline in outlines])


def _largest_part(mask: np.ndarray) -> np.ndarray | None:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if len(stats) < 2:
        return None
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def _between_pixels(contour: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """Return boundary pixels (P, 2) moved to where the blurred mask is one half, by two Newton steps along
    its gradient.
    """
    slope = [cv2.Scharr(soft, cv2.CV_32F, *axis, scale=1 / 32) for axis in ((1, 0), (0, 1))]
    moved = contour.copy()
    for _ in range(2):
        at = moved.astype(np.float32)[:, None]
        value, dx, dy = (
            cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0].astype(float)
            for image in (soft, *slope)
        )
        gradient = np.stack([dx, dy], 1)
        # Of a step blurred by one pixel the slope is 0.4 at its middle; where there is next to none (corners
        # of the frame) there is nowhere to go.
        steep = np.maximum((gradient**2).sum(1), 0.01)
        moved += np.clip(((0.5 - value) / steep)[:, None] * gradient, -0.7, 0.7)
    return moved


def _few_points(hull: np.ndarray) -> np.ndarray:
    """Return `HULL_POINTS` of a hull's points (N, 2): those go first that lie nearest to the line past them
    (M. Visvalingam, J. Whyatt, Line generalisation by repeated elimination of points, 1993).
    """
    while len(hull) > HULL_POINTS:
        before, after = np.roll(hull, 1, 0), np.roll(hull, -1, 0)
        a, b = hull - before, after - before
        hull = np.delete(hull, np.argmin(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])), axis=0)
    return np.concatenate([hull, np.repeat(hull[-1:], HULL_POINTS - len(hull), 0)])


def _on_frame(xy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    far = np.array(size) - 1.0
    return np.any((xy < _FRAME_PX) | (xy > far - _FRAME_PX), axis=1)
